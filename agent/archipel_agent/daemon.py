"""The agent as a process: lock, local API, turns at their time, jobs resumed, systemd told. Knows everything.

Long work never happens in the event loop: turns run in one worker thread, jobs in another, API calls in a few more.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from archipel_agent.answering import Answering, answers_of
from archipel_agent.api.server import ApiServer
from archipel_agent.compose import WayIn, open_core, open_way_in, real_ports, settings_or_defaults
from archipel_agent.core import Core
from archipel_agent.host.disk import SystemDisk
from archipel_agent.host.media import SystemMedia
from archipel_agent.host.memory import Tidying
from archipel_agent.host.notify import notify
from archipel_agent.linking import open_link
from archipel_agent.paths import Paths
from archipel_agent.ports import Ports, Uplink
from archipel_agent.rounds import Part
from archipel_agent.settings import Settings
from archipel_agent.steps.leaving import Leaving, doomed, forget_leaving, leaving
from archipel_contract.exits import Exit
from archipel_contract.memory import share_heap

LOG = logging.getLogger(__name__)
LEAVE_AFTER_SECONDS = 2.0  # for clients to read that the removal succeeded
PING_SECONDS = 18.0  # a third of the unit's WatchdogSec, less a turn


class AlreadyRuns(Exception):
    """Another agent holds the lock."""


class Daemon:
    """One agent process."""

    def __init__(
        self,
        paths: Paths,
        core: Core,
        settings: Settings,
        before_turn: Callable[[], None],
        link: Uplink | None = None,
        way_in: WayIn | None = None,
    ) -> None:
        """Serve `core`; `before_turn` is called in the turns' thread (a rehearsal's director)."""
        self._before_turn = before_turn
        self._way_in = way_in
        self._link = link
        self._paths = paths
        self._core = core
        self._settings = settings
        self._stop = threading.Event()
        self._nudge = threading.Event()  # the next turn should not wait: a job is over, or we should stop
        self._pinged = 0.0
        self.answers: Answering | None = None
        """Looks for answer files; set by whoever wants them applied."""
        self.begins_again = False  # with settings read anew, once this run has ended
        self._tidying = Tidying()
        self._turns = ThreadPoolExecutor(1, thread_name_prefix="turn")

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT, or until a removal is complete."""
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self._end)
        self._core.when_over = self._nudge.set
        if self._way_in is not None:
            self._way_in.when_changed = self._nudge.set
        server = ApiServer(self._core, self._paths.socket)
        await server.start()
        try:
            if self._link is not None:
                await loop.run_in_executor(self._turns, self._link.start)
            if self._core.manager is not None:
                resumed = await loop.run_in_executor(self._turns, self._core.manager.resume)
                if resumed is not None:
                    LOG.info("goes on with the job %s (%s) that was cut off", resumed.id, resumed.verb)
            notify("READY=1")
            await loop.run_in_executor(self._turns, self._take_turns, loop)
        finally:
            self._end()
            if not self.begins_again:  # else systemd would wait for the end of a process that goes on
                notify("STOPPING=1")
            await server.close()
            if self._way_in is not None:
                await loop.run_in_executor(self._turns, self._way_in.stop)
            if self._link is not None:  # in the turns' thread, after the last one
                await loop.run_in_executor(self._turns, self._link.stop)
            self._turns.shutdown()

    def _take_turns(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take turns until the end. The waiting is done here too, so that an idle agent does not wake its event loop."""
        while not self._stop.is_set():
            self._look()
            if self.begins_again:
                return
            if not self._rests():
                self._turn()
            self._ping(loop)
            self._pause()

    def _look(self) -> None:
        """Have answers, enrolment, link, medium and power do what is due; a defect in one keeps no other from it."""
        self._core.upkeep.rounds.go(self._parts())

    def _parts(self) -> Iterator[Part]:
        """Yield what is looked after between turns, by the names in the log and in the finding."""
        if self.answers is not None:
            yield "answers", self.answers.look
        if self._way_in is not None:
            yield "enrolment", self._way_in.look
        if self._link is not None:
            yield "link", self._link.look
        yield from self._core.upkeep.parts()

    def _ping(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the loop tell systemd that a turn is done: hung turns and a hung loop both miss it."""
        now = self._core.ports.clock.monotonic()
        if now - self._pinged >= PING_SECONDS:
            self._pinged = now
            loop.call_soon_threadsafe(notify, "WATCHDOG=1")

    def _rests(self) -> bool:
        try:
            rests = self._core.rests
            now = self._core.ports.clock.monotonic()
            if rests:
                self._tidying.rests(now)
            return rests
        except Exception:  # the task boundary, as for a turn
            LOG.exception("looking whether anything moved has a defect")
            return False

    def _turn(self) -> None:
        try:
            self._before_turn()
            self._core.turn()
        except Exception:  # the task boundary: a defect in one turn must not end the agent
            LOG.exception("a turn has a defect; the next one tries again")

    def _pause(self) -> None:
        manager = self._core.manager
        working = manager is not None and manager.running() is not None
        if manager is not None and not working and self._is_leaving():
            self._stop.wait(LEAVE_AFTER_SECONDS)
            self._end()
            return
        if working:
            self._tidying.worked()
        busy = working or self._core.watched
        self._nudge.wait(self._settings.watched_interval if busy else self._settings.interval)
        if not self._stop.is_set():
            self._nudge.clear()

    def _is_leaving(self) -> bool:
        return self._core.store is not None and leaving(self._core.store) is not None

    def begin_again(self) -> None:
        """End this run, and have the next one begin with settings read anew; from any thread."""
        self.begins_again = True
        self._end()

    def _end(self) -> None:
        self._stop.set()
        self._nudge.set()


def hold_lock(path: Path) -> int:
    """Return a descriptor that holds the agent's lock for this process; raise AlreadyRuns, OSError."""
    SystemDisk().make_directory(path.parent, None)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AlreadyRuns(
            f"another agent runs on this machine (it holds {path}); see `archipel status`"
        ) from None
    return descriptor


def main(
    paths: Paths,
    ports: Ports | None = None,
    flags: Mapping[str, object] | None = None,
    before_turn: Callable[[], None] = lambda: None,
) -> int:
    """Run the agent; return its exit code. `flags` are settings from the command line, None where not given."""
    share_heap()
    lock = hold_lock(paths.runtime / "agent.lock")
    try:
        while _run_once(paths, ports or real_ports(paths), flags, before_turn):
            LOG.info("begins again with the settings as they are now")
    finally:
        os.close(lock)
    return Exit.OK


def _run_once(
    paths: Paths, ports: Ports, flags: Mapping[str, object] | None, before_turn: Callable[[], None]
) -> bool:
    """Run until told to end; return whether to begin again."""
    settings, problem = settings_or_defaults(paths, flags)
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
    if problem:
        LOG.error("settings: %s; going on with the defaults", problem)
    core, database = open_core(paths, ports, settings, problem)
    way_in = open_way_in(core, settings)
    media = SystemMedia(paths, ports.rehearsed)
    daemon = Daemon(paths, core, settings, before_turn, open_link(core, settings, way_in), way_in)
    daemon.answers = answers_of(core, settings, media, daemon.begin_again)
    try:
        asyncio.run(daemon.run())
    finally:
        media.close()
        leaves = leaving(core.store) if core.store is not None else None
        if core.store is not None and leaves is not None:
            _leave(core, leaves)
        if database is not None:
            database.close()
        if leaves is not None:
            # The lock lies in the runtime directory, which therefore goes last: until then no other agent can begin here.
            remove(core.ports, (*(() if leaves.keep_state else (paths.state,)), paths.runtime))
    return daemon.begins_again and leaves is None


def _leave(core: Core, leaves: Leaving) -> None:
    """Remove the agent's own files where no systemd does it, but for those that say so.

    The wish to leave stands in the state until all else is gone: cut off in between, the next agent goes on with it.
    """
    own = (core.paths.state, core.paths.runtime)
    remove(core.ports, tuple(path for path in doomed(core.paths, keep_state=True) if path not in own))
    if leaves.keep_state and core.store is not None:
        forget_leaving(core.store)


def remove(ports: Ports, places: tuple[Path, ...]) -> None:
    """Remove what can be removed."""
    for path in places:
        with contextlib.suppress(OSError):
            ports.disk.remove_tree(path)
