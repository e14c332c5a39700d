"""The watch against the real server of the Network UPS Tools, whose dummy driver plays a UPS from a file."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.host.ups import NetworkUps
from archipel_agent.paths import Paths
from archipel_agent.power.seen import UpsSeen
from archipel_agent.power.watch import PowerWatch
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.memory_disk import MemoryDisk
from archipel_agent.rehearsal.scenario import Scenario
from tests.brokers.servers import free_port
from tests.fakes.clock import VirtualClock

PROGRAMS = Path("/lib/nut")  # /usr/sbin/upsd is a script that asks /etc first
SERVER, DRIVER = PROGRAMS / "upsd", PROGRAMS / "dummy-ups"
PATIENCE = 15.0

pytestmark = [
    pytest.mark.real_process,
    pytest.mark.skipif(
        os.geteuid() != 0 or not SERVER.exists() or not DRIVER.exists(), reason="needs root and nut-server"
    ),
]


class RealUps:
    """A UPS played from a file, its server, and a machine that asks it."""

    def __init__(self, place: Path) -> None:
        self.place, self.port = place, free_port()
        self.says("OL CHRG", 97)
        (place / "ups.conf").write_text(
            f"maxretry = 1\npollinterval = 1\n[rack]\n driver = dummy-ups\n port = {place}/rack.dev\n mode = dummy-once\n"
        )
        (place / "upsd.conf").write_text(f"LISTEN 127.0.0.1 {self.port}\nMAXAGE 5\n")
        (place / "upsd.users").write_text("")
        self.running: list[subprocess.Popen[bytes]] = []
        clock = VirtualClock()
        self.ordered: list[str] = []
        ports = rehearse(Paths(place), Scenario(), clock, MemoryDisk()).ports
        self.clock = clock
        self.watch = PowerWatch(
            replace(ports, ups=NetworkUps(), privileged=self),
            f"rack@127.0.0.1:{self.port}",
            0.0,
            lambda *_: None,
        )

    def call(self, verb: str, **parameters: str) -> None:
        """See ports.Privileged: nothing is switched off here."""
        self.ordered.append(verb)

    def says(self, status: str, charge: int) -> None:
        text = f"ups.status: {status}\nbattery.charge: {charge}\nbattery.runtime: 60\n"
        (self.place / "rack.new").write_text(text)
        (self.place / "rack.new").rename(self.place / "rack.dev")

    def starts(self) -> None:
        names = ("NUT_CONFPATH", "NUT_STATEPATH", "NUT_ALTPIDPATH", "NUT_PIDPATH")
        environment = {**os.environ, **dict.fromkeys(names, str(self.place))}
        for argv in ([str(DRIVER), "-a", "rack", "-D", "-u", "root"], [str(SERVER), "-D", "-u", "root"]):
            with (self.place / "log").open("ab") as log:
                self.running.append(subprocess.Popen(argv, env=environment, stdout=log, stderr=log))

    def ends(self) -> None:
        for one in self.running:
            one.kill()
            one.wait(10)
        self.running.clear()

    def until(self, supply: str, problem: str = "") -> UpsSeen:
        """Ask again and again until it says so."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.clock.advance(31.0)
            self.watch.look()
            if self.watch.seen.supply == supply and problem in self.watch.seen.problem:
                return self.watch.seen
            time.sleep(0.1)
        raise AssertionError((self.watch.seen, (self.place / "log").read_text()))


@pytest.fixture
def ups(tmp_path: Path) -> Iterator[RealUps]:
    tmp_path.chmod(0o700)
    made = RealUps(tmp_path)
    try:
        yield made
    finally:
        made.ends()
        shutil.rmtree(tmp_path, ignore_errors=True)


def test_line_battery_low_and_silence_of_a_real_server(ups: RealUps) -> None:
    assert "does not answer" in ups.until("unknown").problem
    ups.starts()
    assert ups.until("line").charge == "90 %"
    assert ups.ordered == []
    ups.says("OB LB", 12)
    assert ups.until("low").charge == "10 %"
    ups.until("low")
    assert ups.ordered == ["power-off"]
    ups.running[0].kill()  # the driver: the server is there and knows nothing new
    ups.until("unknown", problem="DRIVER-NOT-CONNECTED")
    ups.ends()
    ups.until("unknown", problem="does not answer")
    assert ups.ordered == ["power-off"]
