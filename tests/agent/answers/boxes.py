"""A box nobody sits at: a whole node in memory under a power supply, with what keeps its answers and its identity.

`live` is its life from power-on: turns in virtual time, with the agent beginning again where the answers ask for it.
"""

import tomllib
from datetime import datetime
from pathlib import Path

from archipel_agent.answers.course import Options
from archipel_agent.answers.keeper import Keeper
from archipel_agent.answers.parts import Busy, OptionRefused, Parts
from archipel_agent.identity import making
from archipel_agent.identity.device import DeviceIdentity
from archipel_agent.identity.exchange import Parts as IdentityParts
from archipel_agent.identity.files import IdentityFiles
from archipel_agent.identity.keeper import IdentityKeeper
from archipel_agent.paths import identity_of, token_file
from archipel_agent.ports import MissingBoot, Mount
from archipel_agent.settings import FILE as SETTINGS_FILE
from archipel_agent.settings import Settings
from archipel_agent.steps.options import OptionInvalid, parse
from archipel_contract.answers import FILE, RESULT_TEXT, AnswersStatus
from archipel_contract.jobs import Job, JobRequest, Verb
from archipel_contract.status import EnrolmentStatus
from archipel_contract.trust.enrolment import Request
from tests.agent.identity.devices import at_once
from tests.chaos.node import STICK, Image, Node
from tests.fakes.enrolment import FakeEnroller, FakeFleet
from tests.fakes.media import FakeMedia
from tests.fakes.ports import CountedEntropy

BOOT = Path("/boot/firmware")
MEDIUM = Path("/media/stick")
TURN = 10.0


class Box:
    """One machine with its answers."""

    def __init__(self, fleet: FakeFleet, image: Image | None = None) -> None:
        self.node = Node(image)
        self.disk, self.paths, self.clock = self.node.disk, self.node.paths, self.node.clock
        self.fleet = fleet
        self.media = FakeMedia(self.disk)
        self.enroller = FakeEnroller(fleet)
        self.jobs: list[JobRequest] = []
        self.notes: list[tuple[str, str, str]] = []
        self.restarts = 0
        self.is_busy = False  # somebody else's job runs
        self.begins_again = False
        self.boot()

    # --- what a test lays there --------------------------------------------------------------------------------------

    def lay(self, text: str, place: Path = BOOT) -> None:
        """Put an answer file into a place, as an editor on another machine would."""
        self.disk.put(place / FILE, text.encode())

    def plug(self, place: Path = MEDIUM) -> None:
        """Mount a stick."""
        self.media.mounted = (*self.media.mounted, Mount(point=place, filesystem="vfat", is_removable=True))

    def lacks_boot(self) -> None:
        """Have fstab name a boot partition that is not mounted."""
        self.media.missing = MissingBoot(place=BOOT, says="/etc/fstab")

    def at(self, path: Path) -> str:
        """What a file says."""
        return self.disk.read(path).decode()

    @property
    def result(self) -> str:
        """The result beside the file."""
        return self.at(BOOT / RESULT_TEXT)

    @property
    def files_beside(self) -> set[str]:
        """What lies on the boot partition, leftovers of cut-off writes aside."""
        return {name for name in self.disk.names(BOOT) if not name.startswith(".")}

    # --- its life ----------------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start the agent."""
        self.begins_again = False
        self.settings = self._settings()
        self.way_in = self._way_in()
        self.keeper = Keeper(self._parts())

    def live(self, turns: int = 4) -> AnswersStatus:
        """Let the agent take turns, and begin again where it wants to."""
        for _ in range(turns):
            self.keeper.look()
            if self.begins_again:
                self.boot()
            self.way_in.look()
            self.clock.advance(TURN)
        return self.keeper.status()

    def come_back(self) -> None:
        """Boot after a power cut."""
        self.node.come_back()
        self.boot()

    def _settings(self) -> Settings:
        """The settings as they are on the disk, or the defaults, as the agent does it."""
        path = self.paths.settings / SETTINGS_FILE
        try:
            return Settings(**tomllib.loads(self.at(path))) if self.disk.exists(path) else Settings()
        except tomllib.TOMLDecodeError:
            return Settings()

    def _way_in(self) -> IdentityKeeper:
        node_id = self.node.store.value("node_id") or ""
        self.enroller.peer = node_id
        identity = DeviceIdentity(node_id, IdentityFiles(self.disk, identity_of(self.paths)))
        wrong = making._left_to_enrol_with(identity, self.disk, token_file(self.paths), self.settings.fleet)
        parts = IdentityParts(
            identity=identity,
            enroller=self.enroller,
            clock=self.clock,
            entropy=CountedEntropy(),
            time=lambda: making._time(self.node.store, self.node.ports),
            believe=lambda _: None,
            about=lambda: Request(csr="", node_id="", hostname="edge-07"),
        )
        made = IdentityKeeper(parts, at_once)
        if wrong:
            made.unusable(wrong)
        return made

    def _parts(self) -> Parts:
        return Parts(
            ports=self.node.ports,
            media=self.media,
            store=self.node.store,
            paths=self.paths,
            settings=self.settings,
            host="edge-07",
            time=lambda: making._time(self.node.store, self.node.ports).now,
            start=self._start,
            enrolment=self._enrolment,
            set_clock=self._set_clock,
            note=lambda *words: self.notes.append(words),
            begin_again=self._begin_again,
            restart_machine=self._restart_machine,
        )

    def _enrolment(self) -> EnrolmentStatus:
        return self.way_in.status()

    def _start(self, verb: Verb, options: Options, key: str) -> Job:
        if self.is_busy:
            raise Busy
        try:
            parse(verb, options)
        except OptionInvalid as error:
            raise OptionRefused(str(error)) from error
        request = JobRequest(verb=verb, options=options, key=key)
        self.jobs.append(request)
        return self.node.do(request)

    def _set_clock(self, at: datetime) -> str:
        self.clock.jump(at)
        return ""

    def _begin_again(self) -> None:
        self.begins_again = True

    def _restart_machine(self) -> None:
        self.restarts += 1


def answers(fleet: FakeFleet, **more: str) -> str:
    """An answer file that sets the site up and enrols it; `more` are lines for its tables."""
    link = f"https://fleet.example:8471/#{fleet.token().text}"
    lines = {
        "site": 'name = "Hall 3"',
        "k3s": f'k3s = "{STICK}"',
        "fleet": f'link = "{link}"\nproxy = "http://proxy.example:3128"',
        **more,
    }
    return "format = 1\n" + "".join(f"\n[{table}]\n{text}\n" for table, text in lines.items())
