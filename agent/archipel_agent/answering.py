"""The answer files of this machine, for the daemon: looks whether one has come or changed, and has it carried out.

Made by `daemon`, which has it look before each turn. At rest that is one question to the kernel whether anything was
mounted, and one stat for each place; what reads and applies files is imported only when there is one to read.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from archipel_agent import clocks
from archipel_agent.answers import places, record
from archipel_agent.core import Core
from archipel_agent.ports import CommandFailed, Mark, Media, MissingBoot, Mount
from archipel_agent.service import Refused
from archipel_agent.settings import Settings
from archipel_agent.state.database import StateUnusable
from archipel_contract.answers import AnswersStatus
from archipel_contract.jobs import Job, JobRequest, Verb

if TYPE_CHECKING:
    from archipel_agent.answers.keeper import Keeper
    from archipel_agent.answers.parts import Parts

LOG = logging.getLogger(__name__)
ACTOR = "answers"
STATUS, MARKS = "answers_status", "answers_marks"  # as answers.record keeps them
RESTART = ("systemctl", "--no-block", "reboot")


class Answering:
    """See the module. Calls may come from several threads."""

    def __init__(self, core: Core, settings: Settings, media: Media, begin_again: Callable[[], None]) -> None:
        """`begin_again` has the agent read its settings anew; it must not block."""
        self._core, self._settings, self._media = core, settings, media
        self._begin_again = begin_again
        self._keeper: Keeper | None = None
        self._seen: tuple[dict[str, Mark], MissingBoot | None] | None = None
        self._mounts: tuple[Mount, ...] | None = None
        self._places: tuple[Path, ...] = ()
        self._shown: AnswersStatus | None = None
        self._one = threading.RLock()  # the turns' thread looks, one of the API applies
        self.when_changed: Callable[[], None] = core.wake

    def look(self) -> None:
        """Do what is due; next to nothing while nothing is."""
        with self._one:
            self._look()

    def _look(self) -> None:
        if self._core.store is None:
            return
        seen = (self._marks(), self._media.missing_boot())
        if seen == self._seen and (self._keeper is None or not self._keeper.is_busy):
            return
        self._seen = seen
        if self._keeper is None and self._is_known(*seen):
            return
        try:
            self._opened().look()
        except StateUnusable as error:
            LOG.error("what becomes of an answer file cannot be kept, so nothing is applied: %s", error)
            self._seen = None  # tried again at the next turn
        self._show()

    def apply(self, path: Path) -> AnswersStatus:
        """Apply a file that a person names. Raises Refused."""
        if self._core.store is None:
            raise Refused(
                503,
                "no-state",
                "Answers cannot be applied: the agent's state cannot be used.",
                "archipel doctor",
            )
        if not path.is_absolute():
            raise Refused(400, "path-invalid", "Name the file by its whole path.", "archipel answers --help")
        with self._one:
            status = self._opened().apply(path)
            self._show()
        return status

    def status(self) -> AnswersStatus:
        """Return how it stands; cheap."""
        if self._shown is None:
            self._shown = self._kept()
        return self._shown

    # --- inside ------------------------------------------------------------------------------------------------------

    def _marks(self) -> dict[str, Mark]:
        mounts = self._media.mounts()
        if mounts is not self._mounts:  # it can be long, and is the very same one until something is mounted
            self._mounts = mounts
            self._places = places.candidates(self._core.paths, self._settings, mounts)
        return {str(path): mark for path in self._places if (mark := self._media.mark(path)) is not None}

    def _is_known(self, marks: dict[str, Mark], missing: MissingBoot | None) -> bool:
        """Whether these files were done with before this agent started, or there never was one."""
        import json  # noqa: PLC0415 - asked for at the start, and when a file has come

        assert self._core.store is not None  # see look
        kept = self._core.store.value(record.MARKS)
        if missing is not None or (kept is None and (marks or self._core.store.value(record.STATUS))):
            return False
        return kept is None or json.loads(kept) == {path: list(mark) for path, mark in marks.items()}

    def _opened(self) -> "Keeper":
        if self._keeper is None:
            from archipel_agent.answers.keeper import Keeper  # noqa: PLC0415 - a machine without answers never pays for it

            self._keeper = Keeper(self._parts())
        return self._keeper

    def _show(self) -> None:
        assert self._keeper is not None  # both callers have opened it
        status = self._keeper.status()
        if status != self._shown:
            self._shown = status
            self.when_changed()

    def _kept(self) -> AnswersStatus:
        store = self._core.store
        return AnswersStatus() if store is None else record.shown(store)

    def _parts(self) -> "Parts":
        from archipel_agent.answers.parts import Parts  # noqa: PLC0415 - as in _opened

        core = self._core
        assert core.store is not None  # see look
        return Parts(
            ports=core.ports,
            media=self._media,
            store=core.store,
            paths=core.paths,
            settings=self._settings,
            host=core.ports.machine.facts().hostname,
            time=self._time,
            start=self._start,
            enrolment=core.enrolment,
            set_clock=self._set_clock,
            note=self._note,
            begin_again=self._begin_again,
            restart_machine=self._restart_machine,
        )

    def _time(self) -> datetime:
        ports = self._core.ports
        return clocks.trusted(self._core.store, ports.clock, ports.machine.clock_synchronized(), None).now

    def _start(self, verb: Verb, options: dict[str, str | bool | int | list[str]], key: str) -> Job:
        from archipel_agent.answers.parts import Busy, OptionRefused  # noqa: PLC0415 - as in _opened

        try:
            return self._core.start_job(JobRequest(verb=verb, options=options, key=key), ACTOR)
        except Refused as error:
            if error.problem.error == "busy":
                raise Busy from error
            raise OptionRefused(error.problem.message) from error

    def _set_clock(self, at: datetime) -> str:
        try:
            clocks.put_right(self._core.store, self._core.ports, at)
        except (clocks.ClockKept, CommandFailed, OSError) as error:
            return str(error)
        return ""

    def _note(self, action: str, outcome: str, detail: str) -> None:
        LOG.info("answers: %s %s %s", action, outcome, detail)
        if self._core.journal is not None:
            self._core.journal.note(f"local:{ACTOR}", f"answers:{action}", outcome, detail)

    def _restart_machine(self) -> None:
        try:
            self._core.ports.runner.run(RESTART)
        except CommandFailed as error:
            LOG.error("the machine could not be restarted: %s", error)


def answers_of(core: Core, settings: Settings, media: Media, begin_again: Callable[[], None]) -> Answering:
    """Return what looks for answer files, which the core then knows."""
    made = Answering(core, settings, media, begin_again)
    core.answers_status, core.answers_apply = made.status, made.apply
    return made
