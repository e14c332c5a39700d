"""Compose: the real ports of this machine, and the agent's core over them. Knows every door; imported by edges only."""

import os
from collections.abc import Mapping
from pathlib import Path

from archipel_agent.core import Core
from archipel_agent.host import hardware
from archipel_agent.host.clock import SystemClock, SystemEntropy
from archipel_agent.host.disk import SystemDisk
from archipel_agent.host.fetch import HttpFetcher
from archipel_agent.host.machine import SystemMachine
from archipel_agent.host.privileged import Direct, Transient, is_sandboxed, verbs_for
from archipel_agent.host.run import SystemRunner
from archipel_agent.host.sandboxed_disk import SandboxedDisk
from archipel_agent.k3s.host import Keeper, SystemK3sHost
from archipel_agent.k3s.kubeapi import HttpsKubeApi
from archipel_agent.k3s.supervised import SupervisedKeeper
from archipel_agent.k3s.systemd import SystemdKeeper
from archipel_agent.k3s.teardown import Teardown
from archipel_agent.paths import Paths
from archipel_agent.ports import Disk, Ports, Privileged, Uplink
from archipel_agent.settings import Settings, SettingsInvalid, load
from archipel_agent.state.database import Database, StateUnusable
from archipel_agent.state.store import Store
from archipel_contract.facts import InitSystem
from archipel_contract.names import new_node_id
from archipel_contract.status import LinkMode, LinkState, LinkStatus

ROOT_VARIABLE = "ARCHIPEL_ROOT"


def paths_here() -> Paths:
    """Return the paths below `ARCHIPEL_ROOT`, or below `/`."""
    return Paths(Path(os.environ.get(ROOT_VARIABLE, "/")))


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
    try:
        database = Database(paths.database)
    except StateUnusable as error:
        return Core(ports, paths, settings, "", None, error, settings_problem), None
    return _over(database, paths, ports, settings, settings_problem), database


def _over(database: Database, paths: Paths, ports: Ports, settings: Settings, settings_problem: str) -> Core:
    store = Store(database)
    node_id = store.value("node_id")
    if node_id is None:
        node_id = new_node_id(ports.entropy.bytes)
        store.keep(node_id=node_id)
    return Core(ports, paths, settings, node_id, store, None, settings_problem)


def open_link(core: Core, settings: Settings) -> Uplink | None:
    """Return the link of `core` to its fleet, not started yet; None where no broker is set or the state is unusable.

    What the core reports goes to the link from now on, and how the link stands is part of what it reports.
    """
    if not settings.broker or core.store is None:
        return None
    from archipel_agent.link import making  # noqa: PLC0415 - a site without a fleet must not pay for the link in memory

    try:
        link = making.link_of(core.node_id, core.ports, core.paths, core.store, settings)
    except making.BrokerUrlInvalid as error:
        wrong = LinkStatus(
            mode=LinkMode(settings.link_mode),
            state=LinkState.AWAY,
            code="link-broker-wrong",
            message=f"the setting broker: {error}",
        )
        core.link_status = lambda: wrong
        return None
    core.link_status, core.when_reported = link.status, link.note
    return link


def read_only_service(paths: Paths) -> Core:
    """Return a core for a command that runs without an agent: it looks at a copy of the state and writes nothing."""
    settings, problem = settings_or_defaults(paths)
    ports = real_ports(paths)
    try:
        return _over(Database.copy_of(paths.database), paths, ports, settings, problem)
    except StateUnusable as error:
        return Core(ports, paths, settings, "", None, error, problem)
