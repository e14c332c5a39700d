"""`archipel fleet serve`: puts the controller together, runs it until a signal, and ends it in order.

The only module that knows all the others. Runs in the main thread; ingest and sweeper have a thread each. Whatever is
wrong at the start is said as a finding, and nothing is left half started.
"""

import asyncio
import functools
import gc
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import structlog

from archipel_contract.exits import Exit
from archipel_contract.findings import Finding
from archipel_contract.link import broker_url
from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.memory import share_heap
from archipel_contract.settings import SettingsInvalid
from archipel_fleet.accounts.service import FIRST
from archipel_fleet.api.app import create_app
from archipel_fleet.api.context import Context
from archipel_fleet.host import files, logs, memory
from archipel_fleet.host.clock import SystemClock
from archipel_fleet.host.server import HttpServer, PortTaken, listening_socket
from archipel_fleet.host.threads import Watched
from archipel_fleet.link.broker import BrokerFailed, EmbeddedBroker
from archipel_fleet.link.broker_access import CONTROLLER
from archipel_fleet.link.ingest import Ingest
from archipel_fleet.link.measures import Measures
from archipel_fleet.link.notices import Notices
from archipel_fleet.link.surroundings import Surroundings
from archipel_fleet.link.sweeper import Sweeper
from archipel_fleet.live import EVERY_SITE, Live
from archipel_fleet.orders.bell import Bell
from archipel_fleet.ports import Store, StoreFailed
from archipel_fleet.records import EVERYTHING, FindingRow
from archipel_fleet.refusals import Refusal, refusal, say
from archipel_fleet.securing import TEND_SECONDS, Secured
from archipel_fleet.settings import NotLoopback, Settings, load
from archipel_fleet.storage import open_store
from archipel_fleet.web import routes

KEEPALIVE_SECONDS = (
    15  # a broker that is half gone is noticed soon: until then the controller believes it listens
)
JOIN_SECONDS = 20.0
FIRST_CONNECTION_SECONDS = 3.0
WATCH_SECONDS = 1.0


def start(flags: Mapping[str, object]) -> int:
    """Run the controller with what the command line says (None: not given); return the exit code."""
    try:
        settings = load(flags)
    except NotLoopback as error:
        refused = refusal(error.code, what=error.what, address=error.address)
        return say(refused, str(flags.get("language") or "en"), sys.stderr)
    except SettingsInvalid as error:
        sys.stderr.write(f"archipel fleet serve: {error}\n")
        return Exit.USAGE
    return main(settings)


def main(settings: Settings, output: TextIO | None = None, errors: TextIO | None = None) -> int:
    """Run the controller until SIGTERM or SIGINT; return the exit code."""
    out, err = output or sys.stdout, errors or sys.stderr
    # Enrolling goes through many threads, and a heap of its own for each would never give back what it once had (measured:
    # 185 MiB instead of 160 while 900 nodes enrol).
    share_heap()
    logs.configure(settings.log_level, err)
    try:
        return Controller(settings, out).run()
    except Refusal as refused:
        return say(refused, settings.language, err)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


class Controller:
    """One controller process."""

    def __init__(self, settings: Settings, output: TextIO) -> None:
        self._settings = settings
        self._output = output
        self._clock = SystemClock()
        self._stop = threading.Event()
        self._live = Live()
        self._notices = Notices()
        self._broken = ""
        self._embedded: EmbeddedBroker | None = None
        self._secured: Secured | None = None
        self._log = structlog.get_logger("archipel_fleet")
        self._ending: Callable[[], None] = self._stop.set

    def run(self) -> int:
        """See `main`; raises Refusal."""
        with ExitStack() as undo:
            self._prepare(undo)
            web = self._bound(undo, (self._settings.host, self._settings.port), "--listen")
            enrolling = None
            if self._settings.is_secure:
                enrolling = self._bound(undo, self._settings.enrol_address, "--enrol-listen")
            store = self._opened(undo)
            if self._settings.is_secure:
                self._secured = Secured(self._settings, store, self._clock)
            broker = self._broker(undo)
            context = self._context(store)
            self._welcome(context)
            ingest, threads = self._threads(store, broker, context)
            address = f"http://{_shown(web)}"
            servers = [
                (HttpServer(_application(context), functools.partial(self._ready, address, ingest)), web)
            ]
            if self._secured is not None and enrolling is not None:
                servers.insert(
                    0, (self._secured.enrolment(lambda: self._live.publish(EVERY_SITE)), enrolling)
                )
            _spare_collections()
            try:
                for thread in threads:
                    thread.start()
                self._await_connection(ingest)
                asyncio.run(self._served(servers, context.bell))
            finally:
                self._end(ingest, threads)
        if self._broken:
            sys.stderr.write(f"archipel fleet serve: ended because a part of it broke: {self._broken}\n")
            return Exit.FAILED
        return Exit.OK

    # --- putting together --------------------------------------------------------------------------------------------

    def _prepare(self, undo: ExitStack) -> None:
        directory = self._settings.directory
        try:
            files.make_private(directory)
            undo.callback(files.DirectoryLock(directory).release)
        except files.Locked as locked:
            pid = str(locked.pid or "?")
            raise refusal("fleet-already-running", data=str(directory), pid=pid) from locked
        except OSError as error:
            detail = f"{directory}: {error.strerror or error}"
            raise refusal("fleet-data-unusable", data=str(directory), detail=detail) from error

    def _bound(self, undo: ExitStack, address: tuple[str, int], option: str) -> socket.socket:
        try:
            made = listening_socket(*address)
        except PortTaken as taken:
            raise refusal("fleet-port-taken", address=str(taken), option=option) from taken
        except OSError as error:
            detail = f"{address[0]}:{address[1]}: {error.strerror or error}"
            raise refusal("fleet-address-unusable", option=option, detail=detail) from error
        undo.callback(made.close)
        return made

    def _opened(self, undo: ExitStack) -> Store:
        settings = self._settings
        try:
            store: Store = open_store(settings.database, settings.directory, self._clock, secrets.token_bytes)
        except StoreFailed as error:
            raise refusal(error.code, detail=str(error)) from error
        undo.callback(store.close)
        return store

    def _broker(self, undo: ExitStack) -> BrokerUrl:
        settings = self._settings
        if settings.broker:
            return broker_url.parse(settings.broker)
        self._bound(undo, ("127.0.0.1", settings.embedded_port), "--broker-port").close()
        secured = self._secured
        access = secured.access() if secured is not None else None
        broker = EmbeddedBroker(settings.broker_directory, settings.embedded_port, access=access)
        undo.callback(broker.stop)
        try:
            broker.start()
        except BrokerFailed as error:
            raise refusal(error.code, detail=str(error)) from error
        self._embedded = broker
        if secured is not None:
            secured.embed(broker)
        return broker.url

    def _context(self, store: Store) -> Context:
        def trouble() -> tuple[Finding, ...]:
            own = self._secured.keys.findings() if self._secured is not None else ()
            return (*own, *(row.finding for row in self._notices.rows(self._clock.now())))

        def about(node_id: str) -> tuple[FindingRow, ...]:
            now = self._clock.now()
            refused = secured.refused(node_id, now) if secured is not None else ()
            return (*self._notices.about(node_id, now), *refused)

        secured = self._secured
        return Context(
            store=store,
            clock=self._clock,
            live=self._live,
            trouble=trouble,
            about=about,
            care=secured.care() if secured is not None else None,
            keys=secured.keys if secured is not None else None,
        )

    def _threads(self, store: Store, broker: BrokerUrl, context: Context) -> tuple[Ingest, list[Watched]]:
        shards = self._settings.claimed
        name = CONTROLLER if self._secured else f"archipel-controller-{min(shards):02x}-{max(shards):02x}"
        tls = self._secured.tls if self._secured is not None else None
        identity = self._secured.identity(context.bell) if self._secured is not None else None
        around = Surroundings(
            carrier=MqttCarrier(broker, name, keepalive=KEEPALIVE_SECONDS, manual_ack=True, tls=tls),
            store=store,
            clock=self._clock,
            stop=self._stop,
            notices=self._notices,
            measures=Measures(context.registry),
            random=_random,
            changed=self._live.publish,
            nodes=_Nodes(store, self._clock),
            identity=identity,
            broker=str(broker),
            shards=shards,
        )
        ingest = Ingest(around)
        context.bell.listen(ingest.wake)
        sweeper = Sweeper(around, lambda: ingest.listening_seconds)
        parts = {"the ingest": ingest.run, "the sweeper": sweeper.run}
        return ingest, [
            Watched(part, run, self._stop.is_set, self._part_ended) for part, run in parts.items()
        ]

    # --- running and ending ------------------------------------------------------------------------------------------

    def _welcome(self, context: Context) -> None:
        """Make the first account, and the token for commands on this machine."""
        try:
            password = context.accounts.first_run()
            files.write_private(self._settings.token_file, context.accounts.local_token() + "\n")
        except StoreFailed as error:
            raise refusal(error.code, detail=str(error)) from error
        except OSError as error:
            detail = f"{error.filename}: {error.strerror or error}"
            raise refusal("fleet-data-unusable", data=self._settings.data, detail=detail) from error
        if password is not None:
            self._say(f"first start: log in as {FIRST} with the password {password} (it is shown only now)")

    def _await_connection(self, ingest: Ingest) -> None:
        until = self._clock.monotonic() + FIRST_CONNECTION_SECONDS
        while ingest.listening_seconds is None and self._clock.monotonic() < until:
            if self._stop.wait(0.01):
                return

    async def _served(self, servers: list[tuple[HttpServer, socket.socket]], bell: Bell) -> None:
        loop = asyncio.get_running_loop()

        def end() -> None:
            self._live.close()
            for server, _ in servers:
                server.should_exit = True

        def end_from_anywhere() -> None:
            self._stop.set()
            loop.call_soon_threadsafe(end)

        self._ending = end_from_anywhere
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        if self._stop.is_set():
            end()
        work = (self._watch_broker(), self._tend(bell), _tidy())
        tasks = [asyncio.create_task(one) for one in work]
        try:
            await asyncio.gather(*(server.serve(sockets=[bound]) for server, bound in servers))
        finally:
            for task in tasks:
                task.cancel()

    async def _tend(self, bell: Bell) -> None:
        """Have the keys looked after."""
        while self._secured is not None:
            await asyncio.sleep(TEND_SECONDS)
            await asyncio.to_thread(self._secured.tend, bell)

    async def _watch_broker(self) -> None:
        """A broker that was given up after many starts ends the controller: whoever keeps it running starts both anew."""
        while self._embedded is not None:
            await asyncio.sleep(WATCH_SECONDS)
            if self._embedded.problem and not self._broken:
                self._part_ended(f"the embedded broker: {self._embedded.problem}")

    def _ready(self, address: str, ingest: Ingest) -> None:
        if ingest.listening_seconds is None:
            self._log.warning("ready, but the broker has not answered yet")
        self._say(f"controller ready: {address}")
        if self._settings.ready_file:
            files.write_private(Path(self._settings.ready_file), address + "\n")

    def _part_ended(self, why: str) -> None:
        self._broken = self._broken or why
        self._ending()

    def _end(self, ingest: Ingest, threads: list[Watched]) -> None:
        self._live.close()
        self._stop.set()
        ingest.wake()
        for thread in threads:
            if not thread.join(JOIN_SECONDS):
                self._log.error("a part of the controller does not end")

    def _say(self, line: str) -> None:
        self._output.write(line + "\n")
        self._output.flush()


class _Nodes:
    """How many nodes are known; the last answer while the database does not answer."""

    def __init__(self, store: Store, clock: SystemClock) -> None:
        self._store = store
        self._clock = clock
        self._last = 0

    def __call__(self) -> int:
        try:
            self._last = self._store.summary(EVERYTHING, self._clock.now()).nodes
        except StoreFailed as error:
            structlog.get_logger("archipel_fleet").warning("the nodes cannot be counted", detail=str(error))
        return self._last


def _spare_collections() -> None:
    """Collect garbage less often: what is loaded now stays, and a batch makes many objects but hardly any cycles.

    Collections of everything were the longest pauses between a message and its acknowledgement. Much rarer than this, and
    cycles of the libraries pile up instead.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 10)


async def _tidy() -> None:
    """Give memory back, once a minute at most."""
    tidying = memory.Tidying()
    while True:
        await asyncio.sleep(memory.TIDY_SECONDS)
        await asyncio.to_thread(tidying.look)


def _application(context: Context) -> object:
    app = create_app(context)
    routes.mount(app, context)
    return app


def _random() -> float:
    return secrets.randbelow(1 << 30) / (1 << 30)


def _shown(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
