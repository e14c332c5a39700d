"""What years do to a box in a cabinet, one after the other; used by the test of that story."""

import time
from pathlib import Path
from typing import Any

from archipel_contract.exits import Exit
from tests.e2e.cabinet import AGENT, Cabinet
from tests.e2e.person import until
from tests.hosts.booted import BootedHost
from tests.hosts.host import Host

HERE = Path(__file__).parent
PLANT = "/var/lib/rancher/k3s/storage/pvc-1_default_plant"
OLD = "/var/lib/rancher/k3s/data/" + "ab" * 32
DROP_IN = f"/etc/systemd/system/{AGENT}.d/60-clock.conf"
RENAMING = "/etc/systemd/system/new-name.service"
SETTLED_SECONDS = 30.0
KINDS = ("configmaps", "secrets", "deployments", "serviceaccounts", "namespaces", "clusterroles")
# udev names cards on a machine; a container has none.
RENAMES = """\
[Unit]
DefaultDependencies=no
Before=systemd-networkd.service network-pre.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'ip link set {old} down; ip link set {old} name {new}; ip link set {new} up'
"""


class Years(Cabinet):
    """A box to which things happen, and who comes when it cannot help itself."""

    def __init__(self, host: BootedHost) -> None:
        super().__init__(host)
        self._settling: tuple[float, dict[str, Any]] = (self.begun, {})

    def is_given_work_and_a_volume(self) -> None:
        """Put workloads and files on the site by which it is known again."""
        self.is_given_work()
        script = f"mkdir -p {PLANT}/deep; cd {PLANT}; echo 42 >count; head -c 300000 /dev/urandom >deep/blob"
        self.host.run(
            ["sh", "-ec", f"{script}; chown 1000:1000 count; chmod 640 count; ln -s count latest"]
        ).ok()
        self.marker = self.known_by()
        assert len(self.marker) == 3, self.marker
        self.is_well()

    def objects_by_name(self) -> dict[str, Any]:
        """Every object of some kinds with its id."""
        return {
            f"{kind} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}": one["metadata"]["uid"]
            for kind in KINDS
            for one in self.objects(kind)
        }

    def has_settled(self) -> bool:
        """Whether no object has come or gone for half a minute."""
        now = self.objects_by_name()
        if now != self._settling[1]:
            self._settling = (time.monotonic(), now)
        return time.monotonic() - self._settling[0] >= SETTLED_SECONDS

    def is_repaired(self, code: str) -> None:
        """Wait until the box names what is wrong, then type the one command it names."""
        found = self.shows(code, 120)
        self.notes(f"doctor: {found['summary']}. {found['next_step']}")
        assert f"archipel repair {code}" in found["next_step"] or f"--fix {code}" in found["next_step"], found
        self.tells("repair", code, "--yes")
        self.is_well()
        until(lambda: code not in self.findings(), self.findings, 60)

    def renames_its_card(self, old: str, new: str) -> None:
        """From the next start on the card has another name."""
        self.host.put(RENAMES.format(old=old, new=new).encode(), RENAMING)
        self.host.run(["systemctl", "add-wants", "sysinit.target", "new-name.service"]).ok()

    def lives_in(self, year: str) -> None:
        """Restart the agent with a clock that begins then; with the machine's own where nothing is said."""
        if year:
            self.host.put(HERE / "wrong_clock.py", "/usr/local/lib/wrong_clock.py")
            start = f"/opt/archipel/current/bin/python /usr/local/lib/wrong_clock.py {year}"
            self.host.put(f"[Service]\nExecStart=\nExecStart={start}\n".encode(), DROP_IN)
        else:
            self.host.run(["rm", DROP_IN]).ok()
        self.host.run(["systemctl", "daemon-reload"]).ok()
        self.host.run(["systemctl", "restart", AGENT], timeout=90).ok()
        until(lambda: self.asks("agent", "status").code == Exit.OK, self.said, 30)

    def loses_power(self, after: float) -> None:
        """Pull the plug so many seconds from now, and put it in again."""
        time.sleep(after)  # the moment of the cut is what is tried
        begun = time.monotonic()
        self.box.power_cut()
        self.box.boot()
        self.notes(
            f"power cut {after:g} s after the start; systemd is up again in {time.monotonic() - begun:.1f} s"
        )

    def fills_its_disk(self) -> None:
        """Fill the disk up to a fiftieth with what the box may remove by itself."""
        line = (
            self.host.run(["df", "--output=avail,size", "-B1", "/var/lib/rancher"]).ok().stdout.splitlines()
        )
        free, size = (int(word) for word in line[1].split())
        self.host.run(["mkdir", "-p", f"{OLD}/bin"]).ok()
        self.host.run(["fallocate", "-l", str(free - size // 50), f"{OLD}/bin/k3s"]).ok()

    def has_old_programs(self) -> bool:
        """Whether what fills the disk is still there."""
        return self.host.run(["test", "-e", OLD]).rc == 0

    def is_torn(self, what: str) -> None:
        """k3s is stopped, something of it torn as by a dying card, and started again."""
        self.host.put(HERE / "damage.py", "/root/damage.py")
        self.host.run(["systemctl", "stop", "k3s"], timeout=120).ok()
        self.host.run(["python3", "/root/damage.py", what]).ok()
        self.host.run(["systemctl", "--no-block", "start", "k3s"]).ok()
        self.notes(f"torn: {what}")


def volume(host: Host) -> str:
    """Every file of the volume with mode, owner and content."""
    listed = host.run(["sh", "-c", f"find {PLANT} | sort | xargs stat -c '%n %a %u %g %F %N'"]).ok().stdout
    sums = host.run(["sh", "-c", f"find {PLANT} -type f | sort | xargs sha256sum"]).ok().stdout
    return listed + sums
