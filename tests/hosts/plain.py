"""The light host: namespaces, cgroups and a disk of its own over this machine's file system, without
systemd.

Used by tests and benchmarks through `host.Host` where a booted one would be too slow or is not to be had.
What the host writes anywhere lands on its own disk: the machine's files are the lower layer of an overlay,
and the places where k3s keeps its data are plain directories of that disk, because an overlay cannot lie
upon an overlay.
"""

import sys
import time
import uuid
from pathlib import Path, PurePosixPath

from tests.hosts import cgroups, disk, shell
from tests.hosts.host import Host, layer
from tests.hosts.lab import BRIDGE, GATEWAY, Lab
from tests.hosts.places import CHECKOUT, GUEST, INIT, Lock, cache, interpreter

OWN = (
    "/etc/rancher",
    "/var/lib/rancher",
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/etc/cni",
    "/var/log/pods",
    "/var/log/containers",
    "/tmp",
    "/etc/archipel",
    "/var/lib/archipel",
    "/opt/archipel",
    "/etc/sysctl.d",
)
_UNSHARE = (
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "--pid",
    "--fork",
    "--kill-child",
    "--uts",
    "--ipc",
    "--net",
    "--cgroup",
)

_SETUP = """
hostname "$NAME"
mkdir -p "$DISK/upper" "$DISK/work" "$DISK/own" /run/merged
mount -t overlay overlay -o "lowerdir=/,upperdir=$DISK/upper,workdir=$DISK/work" /run/merged
cd /run/merged
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /dev dev
for path in $OWN; do
    mkdir -p "$DISK/own$path" ".$path"
    mount --bind "$DISK/own$path" ".$path"
done
chmod 1777 tmp
for path in $SHOWN; do
    mkdir -p ".$path"
    mount --rbind "$path" ".$path"
    mount -o remount,bind,ro ".$path"
done
mount -t tmpfs -o mode=755 tmpfs run
if [ -n "$CONTROLLERS" ]; then
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    for name in $CONTROLLERS; do
        mkdir "sys/fs/cgroup/$name"
        case "$name" in
            systemd) mount -t cgroup -o none,name=systemd cgroup "sys/fs/cgroup/$name" ;;
            *) mount -t cgroup -o "$name" cgroup "sys/fs/cgroup/$name" ;;
        esac
    done
else
    mount -t cgroup2 cgroup2 sys/fs/cgroup
fi
echo "$MACHINE_ID" >etc/machine-id
echo "$NAME" >etc/hostname
printf '127.0.0.1 localhost\\n127.0.1.1 %s\\n::1 localhost\\n' "$NAME" >etc/hosts
rm -f etc/resolv.conf
echo "nameserver $GATEWAY" >etc/resolv.conf
mkdir -p run/old
pivot_root . run/old
umount -l /run/old
rmdir /run/old
for path in /var/lib/kubelet /run; do
    mount --bind "$path" "$path"
    mount --make-shared "$path"
done
sh "$PREPARE"
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
exec "$PYTHON" -SE "$INIT" forever
"""


class PlainHost(Host):
    """See the module; up in about a third of a second. Without systemd, services are started with `spawn`."""

    def __init__(self, name: str, lab: Lab) -> None:
        self._process: shell.Spawned | None = None
        self._machine_id = uuid.uuid4().hex
        super().__init__(name, lab, blank_disk())

    def boot(self) -> None:
        """Build the namespaces and wait for process 1 and the network."""
        self._unplug()
        settings = {
            "NAME": self.name,
            "DISK": str(self.ground.mount_point),
            "OWN": " ".join(OWN),
            "GATEWAY": GATEWAY,
            "SHOWN": " ".join(_shown()),
            "CONTROLLERS": " ".join(cgroups.controllers()),
            "MACHINE_ID": self._machine_id,
            "PREPARE": str(GUEST / "usr/local/lib/testground/prepare"),
            "PYTHON": interpreter(),
            "INIT": str(INIT),
        }
        words = ["env", *(f"{key}={value}" for key, value in settings.items())]
        argv = [*self.ground.enter(), *words, *_UNSHARE, "sh", "-euc", _SETUP]
        log = self.ground.directory / "plain.log"
        log.write_bytes(b"")
        self._process = shell.spawn(self.ground.joined(argv), output=log)
        self._await_leader(self._process, 15)
        self._await_ready(self._process)
        self._plug_in()

    def _await_ready(self, process: shell.Spawned) -> None:
        while "ready" not in process.output().split():
            if process.rc is not None:
                raise shell.CommandFailed(f"host {self.name} did not start: {process.output()[-3000:]}")
            time.sleep(0.003)

    def _plug_in(self) -> None:
        script = (
            'ip link add "$0" type veth peer name eth0 netns "$1"; ip link set "$0" master "$2" up; '
            'exec nsenter --net="/proc/$1/ns/net" sh -ec "ip addr add $3/24 dev eth0; ip link set eth0 up; '
            'ip route add default via $4"'
        )
        self.lab.run(["sh", "-ec", script, self.cable, str(self.leader), BRIDGE, self.ip, GATEWAY]).ok()

    def power_off(self) -> None:
        """There is no service manager: sync, then everything is killed."""
        self.run(["sync", "-f", "/var/lib"], timeout=120).ok()
        self.ground.kill()
        self._leader = None
        self._after_death()

    def _after_death(self) -> None:
        super()._after_death()
        if self._process is not None:
            self._process.stop()
            self._process = None

    def layers(self) -> list[tuple[PurePosixPath, Path]]:
        """What was written over the machine's files, and the directories of its own."""
        own = [layer(path, self.ground.root / "own" / path.lstrip("/")) for path in OWN]
        return [layer("/", self.ground.root / "upper"), *own]


def _shown() -> list[str]:
    """Directories of this machine that the host needs and an overlay over `/` does not show (other file
    systems), and the checkout, whose changes an overlay need not show either."""
    top = Path("/").stat().st_dev
    wanted = [Path(sys.prefix), Path(sys.base_prefix), Path(interpreter()).parent]
    shown = [str(CHECKOUT)]
    for path in wanted:
        if path.stat().st_dev != top and not path.is_relative_to(CHECKOUT):
            shown.append(str(path))
    return sorted(set(shown))


def blank_disk() -> Path:
    blank = cache() / f"blank-{disk.SIZE_BYTES}.ext4"
    if not blank.exists():
        lock = Lock(cache() / "image.lock")
        lock.take(wait=True)
        try:
            half = blank.with_suffix(".half")
            disk.make(half)
            half.rename(blank)
        finally:
            lock.close()
    return blank
