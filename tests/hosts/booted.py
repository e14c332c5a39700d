"""A Debian 12 host booted under systemd-nspawn: real systemd, journal, units, disk and hostname.

Used by tests, the demo and benchmarks through `host.Host`. systemd-nspawn runs inside the host's ground,
its cable ends at the lab's bridge, and it registers nowhere, so that the machine's own systemd (if it has
one) never hears of it.
"""

import shutil
import time
import uuid
from pathlib import Path, PurePosixPath

from tests.hosts import cgroups, image, shell
from tests.hosts.host import Host, layer
from tests.hosts.lab import BRIDGE, GATEWAY, Lab
from tests.hosts.places import GUEST

_NETWORK = """[Match]
Name=host0

[Network]
Address={ip}/24
Gateway={gateway}
LinkLocalAddressing=no
IPv6AcceptRA=no
"""


class BootedHost(Host):
    """See the module; up in about three seconds from a cached image."""

    def __init__(self, name: str, lab: Lab) -> None:
        self._nspawn: shell.Spawned | None = None
        self._sticks: dict[str, Path] = {}
        super().__init__(name, lab, image.ensure())
        self._console = self.ground.directory / "console.log"
        self._personalise()

    def _personalise(self) -> None:
        root = self.ground.root
        shutil.copytree(GUEST, root, dirs_exist_ok=True, copy_function=shutil.copyfile)
        (root / "usr/local/lib/testground/prepare").chmod(0o755)
        wanted = root / "etc/systemd/system/sysinit.target.wants/testground.service"
        wanted.parent.mkdir(exist_ok=True)
        wanted.symlink_to("/etc/systemd/system/testground.service")
        (root / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
        (root / "etc/hostname").write_text(f"{self.name}\n")
        (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n::1 localhost\n")
        (root / "etc/resolv.conf").unlink(missing_ok=True)
        (root / "etc/resolv.conf").write_text(f"nameserver {GATEWAY}\n")
        network = root / "etc/systemd/network/10-host0.network"
        network.write_text(_NETWORK.format(ip=self.ip, gateway=GATEWAY))
        self.ground.sync()

    def _nspawn_argv(self) -> list[str]:
        argv = [
            "systemd-nspawn",
            "--quiet",
            "--boot",
            f"--directory={self.ground.mount_point}",
            f"--machine={self.name}",
            "--register=no",
            "--keep-unit",
            "--capability=all",
            f"--network-bridge={BRIDGE}",
            "--link-journal=no",
            "--resolv-conf=off",
            "--timezone=off",
            "--system-call-filter=@keyring bpf",
            "--bind=/dev/kmsg",
            *(f"--bind={stick}:{point}" for point, stick in self._sticks.items()),
        ]
        if Path("/lib/modules").is_dir():
            argv.append("--bind-ro=/lib/modules")
        return argv

    def plug(self, stick: Path, point: str) -> None:
        """A directory of this machine as a medium that is mounted at `point` from the next start on; a power cut of the
        host spares it."""
        self._sticks[point] = stick

    def pull(self, point: str) -> None:
        """Take the medium at `point` out of a host that is off."""
        del self._sticks[point]

    def boot(self, *, cable: bool = True) -> None:
        """Start systemd and wait until the host has its network and would let people log in.

        Without the cable it comes up with the address it is set to only where its settings say so
        (`ConfigureWithoutCarrier`).
        """
        self._unplug()
        self._console.write_bytes(b"")
        unified = "1" if cgroups.is_unified() else "0"
        words = " ".join(f"'{word}'" for word in self._nspawn_argv())
        # systemd-nspawn wants a terminal; `script` is one and keeps what the host prints on its console.
        on_terminal = [
            "script",
            "--quiet",
            "--return",
            "--flush",
            "--command",
            f"exec {words}",
            str(self._console),
        ]
        environment = ["env", f"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY={unified}", "SYSTEMD_NSPAWN_TMPFS_TMP=0"]
        inner = [*self.lab.enter(), *self.ground.enter(), *environment, *on_terminal]
        self._nspawn = shell.spawn(self.ground.joined(inner), output=self.ground.directory / "nspawn.log")
        self._await_leader(self._nspawn, 15)
        if not cable:
            self._keep_unplugged(10)
        self._await_systemd(60)

    def _keep_unplugged(self, timeout: float) -> None:
        """systemd-nspawn plugs the cable in as it starts; pull it before systemd inside has a network."""
        deadline = time.monotonic() + timeout
        down = ["ip", "link", "set", self.cable, "down"]
        while (done := self.lab.run(down)).rc != 0:
            if time.monotonic() > deadline:
                done.ok()
            time.sleep(0.005)

    def _await_systemd(self, timeout: float) -> None:
        units = "basic.target systemd-networkd.service systemd-user-sessions.service"
        # systemd-networkd is active before it has done anything; the default route is the last it sets.
        up = ["sh", "-c", f"systemctl is-active {units} && ip -4 route | grep '^default'"]
        deadline = time.monotonic() + timeout
        said = ""
        while time.monotonic() < deadline and self.is_up:
            done = self.run(up)
            if done.rc == 0:
                return
            said = done.stdout.strip() or done.stderr.strip()
            time.sleep(0.02)
        raise TimeoutError(f"host {self.name} is {said or 'silent'}; its console:\n{self.console()[-3000:]}")

    def settle(self, timeout: float = 120.0) -> str:
        """Wait until systemd has nothing left to start, and return what it says: "running" or "degraded".

        `boot` does not wait for that, because a unit such as k3s may take its time or never get there.
        """
        return self.run(["systemctl", "is-system-running", "--wait"], timeout=timeout).stdout.strip()

    def console(self) -> str:
        """What the host printed on its console since the last start."""
        return self._console.read_text(errors="replace") if self._console.exists() else ""

    def power_off(self) -> None:
        """`systemctl poweroff`, and wait for the end."""
        self.run(["systemctl", "--no-block", "poweroff"]).ok()
        assert self._nspawn is not None
        self._nspawn.wait(120)
        self._leader = None
        self.ground.kill()

    def _after_death(self) -> None:
        super()._after_death()
        if self._nspawn is not None:
            self._nspawn.stop()
            self._nspawn = None

    def groups_inside(self) -> list[Path]:
        """systemd-nspawn gives the host the group `payload` where it makes one. Under version 2 a group
        holds processes or groups, never both, so commands get one beside systemd's own."""
        inside = [
            group / "payload" if (group / "payload").is_dir() else group for group in self.ground.groups
        ]
        if not cgroups.is_unified():
            return inside
        path = inside[0] / "commands"
        path.mkdir(exist_ok=True)
        return [path]

    def layers(self) -> list[tuple[PurePosixPath, Path]]:
        """The whole disk is the host's own."""
        return [layer("/", self.ground.root)]

    def failed_units(self) -> list[str]:
        """Units in state failed, for the message of a test."""
        shown = self.run(["systemctl", "--failed", "--plain", "--no-legend"]).stdout
        return [line.split()[0] for line in shown.splitlines() if line.split()]
