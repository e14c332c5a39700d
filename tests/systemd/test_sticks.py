"""What mounts sticks: the rule picks sticks and nothing else; the script mounts them safely, nothing of the machine's.

On a loop device, in a mount namespace whose /media, /run and fstab are the test's own. A loop device hangs on no USB: where
the rule is to say yes, its words for the bus are replaced; all others are as installed.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hosts import shell

SYSTEMD = Path(__file__).resolve().parents[2] / "systemd"
RULES = SYSTEMD / "90-archipel-sticks.rules"
UNIT = SYSTEMD / "archipel-stick@.service"
SCRIPT = SYSTEMD / "stick.sh"
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
BUS = (('KERNEL!="sd*|mmcblk*"', 'KERNEL!="loop*"'), ('SUBSYSTEMS=="usb"', 'KERNEL=="loop*"'))
ASIDE = "for one in /media /run; do mount -t tmpfs none $one; done; mkdir -p /run/udev/rules.d; "

pytestmark = [pytest.mark.real_process, pytest.mark.own_network]

Plug = Callable[..., str]


@pytest.fixture
def plug(tmp_path: Path) -> Iterator[Plug]:
    """Formats an image with a stock tool and gives the device it is then; all are out after the test."""
    absent = [one for one in ("losetup", "mke2fs", "unshare", "findmnt") if not shutil.which(one, path=PATH)]
    if os.geteuid() != 0 or absent or not Path("/dev/loop-control").exists():
        pytest.skip(f"needs root and loop devices; missing on PATH: {', '.join(absent) or 'nothing'}")
    devices: list[str] = []

    def one(*maker: str) -> str:
        image = tmp_path / f"{len(devices)}.img"
        with image.open("wb") as file:
            file.truncate(24 << 20)
        shell.run([*maker, str(image)], env={"PATH": PATH}).ok()
        device = shell.run(["losetup", "--find", "--show", str(image)]).ok().stdout.strip()
        devices.append(device)
        return device

    yield one
    for device in devices:
        shell.run(["losetup", "--detach", device]).ok()


def aside(script: str) -> str:
    """What a shell says in a mount namespace of its own; in it `stick` is the script."""
    # With processes of its own as well: a program that serves a file system ends with it.
    own = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
    argv = ["unshare", *own, "sh", "-euc"]
    text = f'{ASIDE}stick() {{ sh {SCRIPT} "$@"; }}\n{script}'
    return shell.run([*argv, text], env={"PATH": PATH}, timeout=15).ok().stdout


def mounted(device: str, before: str = "") -> list[str]:
    """Where the script mounts a stick, with which options, and what it says; "" for what it leaves alone."""
    name = Path(device).name
    said = aside(f"{before}\nstick mount {name}\nfindmnt -no TARGET,FSTYPE,OPTIONS {device} || true")
    return said.strip().splitlines()


EXT4 = ("mke2fs", "-q", "-t", "ext4", "-L")


def judged(device: str, rules: str) -> shell.Completed:
    """What udev makes of a device by its own rules and these."""
    if shutil.which("udevadm", path=PATH) is None or not Path("/usr/lib/udev/rules.d").is_dir():
        pytest.skip("no udev on this machine")
    rule = f"cat >/run/udev/rules.d/{RULES.name} <<'TEXT'\n{rules}\nTEXT\n"
    # What udev links is not to be seen outside.
    hide = f"cp -a {device} /dev/null /run; mount -t tmpfs none /dev; mv /run/null /run/loop* /dev\n"
    test = f"udevadm test --action=add /sys/class/block/{Path(device).name} 2>&1"
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", ASIDE + rule + hide + test]
    return shell.run(argv, env={"PATH": PATH}, timeout=15)


def test_udev_takes_a_file_system_on_the_bus_and_wants_its_service(plug: Plug) -> None:
    rules = RULES.read_text()
    for installed, replaced in BUS:
        assert installed in rules
        rules = rules.replace(installed, replaced)
    device = plug(*EXT4, "EDGE")
    said = judged(device, rules).stdout
    assert f"SYSTEMD_WANTS=archipel-stick@{Path(device).name}.service" in said, said
    assert [line for line in said.splitlines() if f"{RULES.name}:" in line and "nvalid" in line] == []
    other = plug("mkswap")
    assert "SYSTEMD_WANTS" not in judged(other, rules).stdout


def test_udev_leaves_what_hangs_on_no_bus_of_sticks_alone(plug: Plug) -> None:
    said = judged(plug(*EXT4, "EDGE"), RULES.read_text()).stdout
    assert "ID_FS_TYPE=ext4" in said and "SYSTEMD_WANTS" not in said


def test_a_stick_is_mounted_after_its_label_and_nothing_on_it_counts_as_a_program(plug: Plug) -> None:
    said, where = mounted(plug(*EXT4, "EDGE", "-e", "panic"))
    target, kind, options = where.split()
    assert (target, kind) == ("/media/archipel/EDGE", "ext4") and said.endswith(target)
    # The stick asks for a panic of the kernel at its first error.
    assert {"nosuid", "nodev", "noexec", "errors=remount-ro"} <= set(options.split(","))


def test_only_root_looks_into_sticks(plug: Plug) -> None:
    device = plug(*EXT4, "EDGE")
    said = aside(f"stick mount {Path(device).name} >/dev/null; stat -c %a /media/archipel")
    assert said == "700\n"


@pytest.mark.parametrize(
    ("label", "place"),
    [("../../etc", "LOOP"), ("a b;$(x)", "a_b___x_"), ("", "LOOP"), ("Halle-3_v1.2", "Halle-3_v1.2")],
)
def test_a_label_cannot_lead_elsewhere(plug: Plug, label: str, place: str) -> None:
    device = plug(*EXT4, label)
    expected = place.replace("LOOP", Path(device).name)
    assert mounted(device)[-1].split()[0] == f"/media/archipel/{expected}"


def test_two_sticks_with_one_label_get_two_places(plug: Plug) -> None:
    first, second = plug(*EXT4, "EDGE"), plug(*EXT4, "EDGE")
    name = Path(second).name
    said = mounted(second, before=f"stick mount {Path(first).name} >/dev/null")
    assert said[-1].split()[0] == f"/media/archipel/EDGE-{name}"


def test_out_again_a_stick_leaves_no_directory_that_could_be_taken_for_it(plug: Plug) -> None:
    device = plug(*EXT4, "EDGE")
    name = Path(device).name
    # Pulled while somebody has a file of it open, and after a power cut that left a directory.
    said = aside(
        f"mkdir -p /media/archipel/OLD; stick mount {name} >/dev/null; ls /media/archipel; cd /media/archipel/EDGE\n"
        f"exec 3>open; stick unmount {name} >/dev/null; echo still here >&3; cd /; ls /media /run/archipel-sticks"
    )
    assert said == "EDGE\n/media:\n\n/run/archipel-sticks:\n"


@pytest.mark.parametrize("words", ["{device} /srv ext4 noauto 0 0", "LABEL=EDGE /srv auto nofail 0 0"])
def test_what_fstab_names_is_the_machines_own(plug: Plug, words: str) -> None:
    device = plug(*EXT4, "EDGE")
    line = words.format(device=device)
    fstab = f"echo '{line}' >/run/fstab; mount --bind /run/fstab /etc/fstab"
    if not Path("/etc/fstab").exists():
        pytest.skip("this machine has no fstab to lay the test's over")
    said = mounted(device, fstab)
    assert len(said) == 1 and "left alone" in said[0] and "own" in said[0]


def test_a_stick_does_not_slip_in_by_a_label_that_fstab_gives_to_another(plug: Plug) -> None:
    if not Path("/etc/fstab").exists():
        pytest.skip("this machine has no fstab to lay the test's over")
    fstab = "echo 'LABEL=EDGE /srv auto nofail 0 0' >/run/fstab; mount --bind /run/fstab /etc/fstab"
    devices = [plug(*EXT4, "EDGE"), plug(*EXT4, "EDGE")]
    assert ["left alone" in mounted(one, fstab)[0] for one in devices] == [True, True]


def test_what_is_mounted_already_is_left_where_it_is(plug: Plug) -> None:
    device = plug(*EXT4, "EDGE")
    said = mounted(device, f"mkdir /media/EDGE; mount {device} /media/EDGE")
    assert "left alone" in said[0] and [line.split()[0] for line in said[1:]] == ["/media/EDGE"]


def test_the_disk_that_the_kernel_was_started_from_is_left_alone(plug: Plug) -> None:
    device = plug(*EXT4, "EDGE")
    hidden = f"echo 'quiet root={device} rw' >/run/cmdline; mount --bind /run/cmdline /proc/cmdline"
    assert "left alone" in mounted(device, hidden)[0]


def test_exfat_is_for_root_alone_and_its_driver_does_not_hold_up_the_next_stick(plug: Plug) -> None:
    if not shutil.which("mkfs.exfat", path=PATH) or not Path("/usr/sbin/mount.exfat-fuse").exists():
        pytest.skip("no program that serves exFAT here")
    device, other = plug("mkfs.exfat", "-L", "BIG"), plug(*EXT4, "EDGE")
    name, second = Path(device).name, Path(other).name
    # A system without the kernel's driver calls the program by this name.
    helper = (
        "mkdir /run/up /run/work; mount -t overlay -o lowerdir=/usr/sbin,upperdir=/run/up,workdir=/run/work no /usr/sbin\n"
        "ln -sf mount.exfat-fuse /usr/sbin/mount.exfat\n"
    )
    said = aside(
        f"{helper}stick mount {name}; stick mount {second}; touch /media/archipel/BIG/x; stat -c %a /media/archipel/BIG/x\n"
        f"stick unmount {name}; stick unmount {second}"
    )
    assert f"{name}: exfat, mounted at /media/archipel/BIG" in said and "\n700\n" in said
    assert said.endswith(f"{second}: unmounted from /media/archipel/EDGE\n")


def test_file_systems_that_sticks_do_not_come_with_are_not_mounted(plug: Plug) -> None:
    assert "is none that sticks come with" in mounted(plug("mkswap"))[0]


def test_the_service_sees_what_everybody_sees_and_ends_with_the_device(tmp_path: Path) -> None:
    text = UNIT.read_text()
    own_view = (
        "PrivateTmp=",
        "ProtectSystem=",
        "ProtectHome=",
        "PrivateDevices=",
        "PrivateMounts=",
        "MountFlags=",
    )
    assert [one for one in own_view if one in text] == []
    assert "BindsTo=dev-%i.device" in text and "/usr/lib/archipel/stick" in text
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine")
    copy = tmp_path / "archipel-stick@sda1.service"
    copy.write_text(text)
    done = shell.run(["systemd-analyze", "verify", "--man=no", str(copy)])
    assert [line for line in done.stderr.splitlines() if copy.name in line] == []


def test_the_script_is_clean_shell() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck on this machine")
    assert shell.run(["shellcheck", "--shell=sh", str(SCRIPT)]).stdout == ""
