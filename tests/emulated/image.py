"""The disk of an emulated machine: a Debian 12 with its own kernel, systemd and udev, and with Archipel installed on it.

Used by `machine.py`, whose machines write onto layers above it. Two images lie in the cache of `tests.hosts`: the system,
named after its recipe, and the system with the product of this checkout, named after the product's wheels. Kernel and
initial RAM disk lie beside the system, because QEMU takes the place of a boot loader.
"""

import hashlib
from pathlib import Path

from tests.hosts import disk, wheels
from tests.hosts import image as hosts
from tests.hosts.places import CHECKOUT, cache

# What a machine has and a container has not. timesyncd: systemd recommends it, so Debian's installer brings it.
PACKAGES = (*hosts.PACKAGES, "udev", "linux-image-amd64", "initramfs-tools", "systemd-timesyncd")
# They only cost the emulated processor time, or wait for a network that is not there.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "systemd-networkd-wait-online.service",
    "e2scrub_reap.service",
)
# The first port is the kernel's; on the second sits the technician.
ENABLED = ("systemd-networkd.service", "serial-getty@ttyS1.service")
MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")
# Raised when the scripts below make something else of the same words.
_VERSION = "1"

_SYSTEM = """
mount -o "$OPTIONS" "$IMAGE" "$ROOT"
# A small initial RAM disk: the emulated processor unpacks it at each start.
mmdebstrap --quiet --mode=root --variant=minbase --format=directory --include="$INCLUDE" \
    --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"' \
    --essential-hook='printf "MODULES=list\\nCOMPRESS=gzip\\n" >"$1/etc/initramfs-tools/conf.d/emulated"' \
    --essential-hook='printf "%s\\n" $MODULES >"$1/etc/initramfs-tools/modules"' \
    "$SUITE" "$ROOT" $MIRROR
systemctl --quiet --root="$ROOT" mask $MASKED
systemctl --quiet --root="$ROOT" enable $ENABLED
chroot "$ROOT" passwd --quiet --delete root
login="$ROOT/etc/systemd/system/serial-getty@ttyS1.service.d"
mkdir -p "$login" "$ROOT/var/log/journal"
printf '[Service]\\nExecStart=\\nExecStart=-/sbin/agetty --autologin root --noissue %%I 115200 dumb\\n' \\
    >"$login/10-root.conf"
rm -rf "$ROOT"/var/cache/apt/* "$ROOT"/var/lib/apt/lists/* "$ROOT/etc/machine-id" "$ROOT/etc/hostname"
cp -L "$ROOT/vmlinuz" "$KERNEL"
cp -L "$ROOT/initrd.img" "$INITRD"
fstrim "$ROOT"
umount "$ROOT"
"""

# As whoever makes an image for their boxes does it: the installer, in the system that is to be.
_PRODUCT = """
mount -o "$OPTIONS" "$IMAGE" "$ROOT"
mount --bind /dev "$ROOT/dev"
mount -t proc proc "$ROOT/proc"
mkdir "$ROOT/root/wheels"
cp "$WHEELS"/*.whl "$CHECKOUT/images/install.sh" "$ROOT/root/wheels/"
chroot "$ROOT" sh /root/wheels/install.sh --wheels /root/wheels
rm -r "$ROOT/root/wheels"
umount "$ROOT/proc" "$ROOT/dev"
fstrim "$ROOT"
umount "$ROOT"
"""


def recipe() -> str:
    """The hash that names the system."""
    words = repr((_VERSION, hosts.SUITE, PACKAGES, MASKED, ENABLED, MODULES, _SYSTEM, disk.SIZE_BYTES))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def system() -> Path:
    """Where the system of today's recipe lies, or would."""
    return cache() / f"machine-{hosts.SUITE}-{recipe()}.ext4"


def kernel() -> Path:
    """The system's own kernel."""
    return system().with_suffix(".kernel")


def initrd() -> Path:
    """The initial RAM disk that belongs to it."""
    return system().with_suffix(".initrd")


def with_product() -> Path:
    """The system with Archipel installed; made from the archive of Debian (some minutes, 150 MB) and from this checkout
    (a minute) where the cache has none.
    """
    base = hosts.kept(
        system(),
        _SYSTEM,
        {
            "INCLUDE": ",".join(PACKAGES),
            "MASKED": " ".join(MASKED),
            "ENABLED": " ".join(ENABLED),
            "MODULES": " ".join(MODULES),
            "KERNEL": str(kernel()),
            "INITRD": str(initrd()),
        },
    )
    packages = wheels.collect()
    script = hashlib.sha256((_PRODUCT + (CHECKOUT / "images/install.sh").read_text()).encode()).hexdigest()[
        :8
    ]
    image = cache() / f"{base.stem}-{packages.name.split('-')[2]}-{script}.ext4"
    for old in cache().glob("machine-*"):  # what runs from one of them has it open
        if old not in (base, kernel(), initrd(), image):
            old.unlink()
    return hosts.kept(image, _PRODUCT, {"WHEELS": str(packages), "CHECKOUT": str(CHECKOUT)}, base)
