"""Compose: the real ports of this machine, and the agent's core over them. Knows every door; imported by edges only."""

import contextlib
import functools
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from archipel_agent import clocks
from archipel_agent.answers import record
from archipel_agent.core import Core
from archipel_agent.host import hardware
from archipel_agent.host.arp import ArpLan
from archipel_agent.host.clock import SystemClock, SystemEntropy
from archipel_agent.host.disk import SystemDisk
from archipel_agent.host.fetch import HttpFetcher
from archipel_agent.host.machine import SystemMachine
from archipel_agent.host.privileged import Direct, Transient, is_sandboxed, verbs_for
from archipel_agent.host.run import SystemRunner
from archipel_agent.host.sandboxed_disk import SandboxedDisk
from archipel_agent.host.ups import NetworkUps
from archipel_agent.k3s.by_hand import HandKeeper
from archipel_agent.k3s.host import Keeper, SystemK3sHost
from archipel_agent.k3s.kubeapi import HttpsKubeApi
from archipel_agent.k3s.supervised import SupervisedKeeper
from archipel_agent.k3s.systemd import SystemdKeeper
from archipel_agent.k3s.teardown import Teardown
from archipel_agent.paths import Paths, identity_of, token_file
from archipel_agent.ports import Disk, Enroller, Ports, Privileged
from archipel_agent.settings import Settings, load
from archipel_agent.state.database import Database, StateUnusable
from archipel_agent.state.store import Store
from archipel_contract.api import VoucherGiven, VoucherRequest, VoucherWish
from archipel_contract.facts import InitSystem
from archipel_contract.names import new_node_id
from archipel_contract.settings import SettingsInvalid
from archipel_contract.status import EnrolmentStatus

if TYPE_CHECKING:
    from archipel_agent.identity.keeper import IdentityKeeper


def real_ports(paths: Paths) -> Ports:
    """Return the ports of this machine, with help from transient units where the agent's unit confines it."""
    runner = SystemRunner()
    plain = SystemDisk()
    teardown = Teardown(runner, plain, paths)
    privileged: Privileged
    disk: Disk = plain
    if is_sandboxed():
        privileged = Transient(runner, paths.root)
        disk = SandboxedDisk(privileged, paths)
    else:
        privileged = Direct({**verbs_for(plain, runner), "stop-pods": lambda _: teardown.run()})
    keeper: Keeper
    if hardware.init_system() is InitSystem.SYSTEMD:
        keeper = SystemdKeeper(runner, disk, paths.k3s_unit)
    else:
        keeper = SupervisedKeeper(disk, paths.runtime, paths.state, paths.k3s_log)
    keeper = HandKeeper(keeper, disk, paths)
    return Ports(
        clock=SystemClock(),
        entropy=SystemEntropy(),
        disk=disk,
        runner=runner,
        machine=SystemMachine(paths.k3s_data),
        k3s=SystemK3sHost(keeper, runner, teardown, privileged),
        kube=HttpsKubeApi(
            disk, paths.kubeconfig, paths.state / "kube/identity.json", paths.runtime / "admin.pem"
        ),
        fetcher=HttpFetcher(),
        privileged=privileged,
        ups=NetworkUps(),
        lan=ArpLan(runner),
    )


def settings_or_defaults(paths: Paths, flags: Mapping[str, object] | None = None) -> tuple[Settings, str]:
    """Return the settings, and what is wrong with them if they had to be replaced by the defaults."""
    try:
        return load(paths.settings, flags=flags), ""
    except SettingsInvalid as error:
        return Settings(), str(error)


def open_core(
    paths: Paths, ports: Ports, settings: Settings, settings_problem: str = ""
) -> tuple[Core, Database | None]:
    """Return the core over the state database, or over none when it cannot be used (the core then says why)."""
    newest = clocks.newest_of_ours(ports.disk, paths)  # before anything is written
    try:
        database = Database(paths.database)
    except StateUnusable as error:
        return Core(ports, paths, settings, "", None, error, settings_problem), None
    with contextlib.suppress(StateUnusable):  # a disk that is full: the floor stays what it was
        clocks.begin(Store(database), newest)
    return _over(database, paths, ports, settings, settings_problem), database


def _over(database: Database, paths: Paths, ports: Ports, settings: Settings, settings_problem: str) -> Core:
    store = Store(database)
    node_id = store.value("node_id")
    if node_id is None:
        node_id = new_node_id(ports.entropy.bytes)
        store.keep(node_id=node_id)
    return Core(ports, paths, settings, node_id, store, None, settings_problem)


class WayIn:
    """Implements the Enrolment port: what keeps this machine's identity, loaded once there is a fleet or somebody asks."""

    def __init__(
        self, core: Core, settings: Settings, disk: Disk | None = None, enroller: Enroller | None = None
    ) -> None:
        """`disk` holds the identity where that is not the machine's own; its files are real ones, for TLS reads them."""
        self._core, self._settings = core, settings
        self._disk, self._enroller = disk or core.ports.disk, enroller
        self._opening = threading.Lock()
        self.keeper: IdentityKeeper | None = None
        self.when_changed: Callable[[], None] = core.wake
        """Called when the status changed; from any thread, and it must not block."""
        if settings.fleet or self._is_something_there():
            self._open()

    def _is_something_there(self) -> bool:
        kept = set(self._disk.names(identity_of(self._core.paths).base)) - {
            identity_of(self._core.paths).left.name
        }
        return bool(kept) or self._core.ports.disk.exists(token_file(self._core.paths))

    def _open(self) -> "IdentityKeeper":
        with self._opening:  # calls of the API come from several threads
            if self.keeper is None:
                self.keeper = self._opened()
            return self.keeper

    def _opened(self) -> "IdentityKeeper":
        from archipel_agent.identity import making  # noqa: PLC0415 - a site without a fleet must not pay for it

        core = self._core
        assert core.store is not None  # see open_way_in
        identity = making.identity_here(core.node_id, core.paths, self._disk)
        enroller = self._enroller or making.real_enroller(self._settings)
        made = making.keeper_of(identity, core.ports, core.paths, core.store, self._settings, enroller)
        made.when_changed = lambda: self.when_changed()
        return made

    def status(self) -> EnrolmentStatus:
        """See ports.Enrolment."""
        return self.keeper.status() if self.keeper is not None else EnrolmentStatus()

    def invite(self, link: str, again: bool) -> EnrolmentStatus:
        """See ports.Enrolment."""
        return self._open().invite(link, again)

    def leave(self) -> None:
        """See ports.Enrolment."""
        self._open().leave()

    def request(self) -> VoucherRequest:
        """See ports.Enrolment."""
        return self._open().request()

    def vouch(self, wish: VoucherWish) -> VoucherGiven:
        """See ports.Enrolment."""
        return self._open().vouch(wish)

    def look(self) -> None:
        """Have done what is due; called before each turn, and next to nothing while nothing is."""
        if self.keeper is not None:
            self.keeper.look()

    def stop(self) -> None:
        """Begin nothing more."""
        if self.keeper is not None:
            self.keeper.stop()


def open_way_in(core: Core, settings: Settings) -> WayIn | None:
    """Return the way into a fleet, which the core then knows; None where the state is unusable."""
    if core.store is None:
        return None
    made = WayIn(core, settings)
    core.way_in = made
    return made


def read_only_service(paths: Paths) -> Core:
    """Return a core for a command that runs without an agent: it looks at a copy of the state and writes nothing."""
    settings, problem = settings_or_defaults(paths)
    ports = real_ports(paths)
    try:
        core = _over(Database.copy_of(paths.database), paths, ports, settings, problem)
    except StateUnusable as error:
        return Core(ports, paths, settings, "", None, error, problem)
    if core.store is not None:
        core.answers_status = functools.partial(record.shown, core.store)
    return core
