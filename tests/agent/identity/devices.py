"""A device with its identity's keeper, in virtual time: over a treacherous disk, or over a real one for real TLS."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from archipel_agent.clocks import TrustedTime
from archipel_agent.identity.device import DeviceIdentity
from archipel_agent.identity.exchange import Parts
from archipel_agent.identity.files import IdentityFiles
from archipel_agent.identity.keeper import IdentityKeeper
from archipel_agent.paths import Paths, identity_of
from archipel_agent.ports import Disk, Enroller
from archipel_contract.facts import ClockQuality, ClockSource
from archipel_contract.trust.enrolment import Request
from tests.fakes.clock import VirtualClock
from tests.fakes.disk import TreacherousDisk
from tests.fakes.enrolment import MADE, NODE
from tests.fakes.ports import CountedEntropy
from tests.fakes.power import Power

ADDRESS = "https://fleet.example:8471"


def at_once(work: Callable[[], None]) -> None:
    """Do it in the calling thread."""
    work()


class Device:
    """One device; `boot` is the start of its agent."""

    def __init__(
        self, enroller: Enroller, root: Path = Path("/"), disk: Disk | None = None, node: str = NODE
    ) -> None:
        self.node, self.site = node, ""
        self.power = Power()
        self.disk: Disk = TreacherousDisk(self.power) if disk is None else disk
        self.paths = Paths(root)
        self.files = IdentityFiles(self.disk, identity_of(self.paths))
        self.clock = VirtualClock()
        self.enroller = enroller
        self.checks_dates = True
        self.believed: list[int] = []
        self.keeper = self.boot()

    def boot(self) -> IdentityKeeper:
        """Start the agent anew: everything but the disk is forgotten."""
        parts = Parts(
            identity=DeviceIdentity(self.node, self.files),
            enroller=self.enroller,
            clock=self.clock,
            entropy=CountedEntropy(),
            time=self._time,
            believe=self.believed.append,
            about=lambda: Request(
                csr="", node_id="", hostname="edge-07", site_id=self.site, site_name="Halle 3"
            ),
        )
        self.keeper = IdentityKeeper(parts, at_once)
        return self.keeper

    @property
    def identity(self) -> DeviceIdentity:
        """What it is."""
        return self.keeper.identity

    def pass_time(self, seconds: float, steps: int = 1) -> None:
        """Let time pass, with a turn after each step."""
        for _ in range(steps):
            self.clock.advance(seconds / steps)
            self.keeper.look()

    def _time(self) -> TrustedTime:
        now = self.clock.now()
        quality = ClockQuality.SYNCHRONIZED if self.checks_dates else ClockQuality.WRONG
        known = now if self.checks_dates else MADE  # a clock nobody stands behind: the floor is all there is
        return TrustedTime(
            now=known,
            quality=quality,
            floor=MADE,
            source=ClockSource.NONE,
            checks_dates=self.checks_dates,
        )

    def set_clock(self, wall: datetime, sure: bool) -> None:
        """Set the wall clock, and whether anybody stands behind it."""
        self.clock.jump(wall)
        self.checks_dates = sure
