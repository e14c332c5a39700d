"""What an emulated machine is made of, as the words that start QEMU.

Used by `machine.py`. `-S`: it waits with its power on until sticks and cable are as they should be. `-nodefaults`: it has
what stands here and nothing else.
"""

from pathlib import Path

from tests.emulated import disks

MEMORY_MIB = 3584
CARD = "card"  # the network card's name for the monitor
_BOARD = "-nodefaults -no-user-config -display none -machine q35 -smp 2"
# No five-level page tables: `max` has them, and each look-up in them takes longer.
_PROCESSOR = "-accel tcg,thread=multi -cpu max,la57=off"
# The card's cable leads into a hub with nothing else on it.
_DEVICES = f"-device qemu-xhci,id=usb -netdev hubport,id=cable,hubid=0 -device e1000e,netdev=cable,id={CARD}"
# rw, since nothing in the initial RAM disk would check the file system first: ext4 replays its journal by itself.
_WORDS = "root=/dev/vda rw console=ttyS0 loglevel=4 systemd.show_status=0"


def command(place: Path, disk: Path, clock: str) -> list[str]:
    """The words for a machine with this disk and battery-backed clock; sockets and logs come to lie in `place`:
    `kernel.log`, what the first serial port prints; `console`, the second; `monitor`.
    """
    return [
        # It ends with us, however we end.
        *("setpriv", "--pdeathsig", "KILL", "--", "qemu-system-x86_64"),
        *f"{_BOARD} {_PROCESSOR} {_DEVICES} -m {MEMORY_MIB} -S".split(),
        *("-rtc", f"base={clock}"),
        *("-drive", f"file={disk},format=qcow2,if=virtio,cache={disks.CACHE},discard=unmap"),
        *("-kernel", str(place / disks.KERNEL), "-initrd", str(place / disks.INITRD), "-append", _WORDS),
        *("-chardev", f"file,id=log,path={place / 'kernel.log'},append=on", "-serial", "chardev:log"),
        *("-serial", f"unix:{place / 'console'},server=on,wait=off"),
        *("-qmp", f"unix:{place / 'monitor'},server=on,wait=off"),
    ]
