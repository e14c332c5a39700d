"""A process that starts the agent as systemd does and lets it rest on a rehearsed machine; prints what it holds in memory.

`python -m tests.agent.resting alone|fleet DIRECTORY` prints the names of modules that an agent at rest has no business with.
What is loaded at a start is looked at before anything of the tests is. Then the machine is brought to rest, which loads much
more; that is forgotten again, so that whatever the resting agent asks for shows a second time.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archipel_agent.core import Core
    from archipel_agent.daemon import Daemon
    from archipel_agent.ports import Ports
    from tests.chaos.node import Node

# Packages of which an agent at rest holds what is named here, and nothing else.
HELD = {
    "archipel_agent.acceptance": (),
    "archipel_agent.answers": ("places", "record"),
    "archipel_agent.backup": ("record",),
    "archipel_agent.bundles": (),
    "archipel_agent.cli": ("agent", "agent_run"),
    "archipel_agent.firewall": ("files", "standing"),
    "archipel_agent.healing": (),
    "archipel_agent.power": ("seen", "supply", "watchdog"),
    "archipel_agent.rehearsal": (),
    "archipel_agent.steps": ("base", "leaving", "options", "story"),
    "archipel_agent.support": (),
    "archipel_contract.bundle": (),
}
# Modules of others that cost much and are for jobs and commands only.
COSTLY = (
    "argparse", "bz2", "cyclonedx", "encodings.idna", "gettext", "gzip", "importlib.resources", "lzma", "pydantic", "pyrage",
    "shutil", "stringprep", "tarfile", "tempfile", "unicodedata", "urllib.error", "xml", "zipfile",
)  # fmt: skip
# What only a member of a fleet needs, and what not even that one does.
OF_A_FLEET = (
    "archipel_agent.identity", "archipel_agent.link", "archipel_agent.remote", "archipel_contract.link",
    "archipel_contract.trust", "cryptography", "paho", "urllib.request",
)  # fmt: skip
OF_ENROLLING = (
    "archipel_contract.trust.certificates",
    "archipel_contract.trust.sealing",
    "cryptography.x509",
)


def excess(names: set[str], has_fleet: bool) -> list[str]:
    """Return those of the modules that a resting agent should not hold."""
    costly = (*COSTLY, *(OF_ENROLLING if has_fleet else OF_A_FLEET))
    return sorted(name for name in names if _is_one_of(name, costly) or _is_not_held(name))


def _is_one_of(name: str, those: tuple[str, ...]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in those)


def _is_not_held(name: str) -> bool:
    package, _, rest = ".".join(name.split(".")[:2]), None, ".".join(name.split(".")[2:])
    return bool(rest) and package in HELD and rest not in HELD[package]


def start(has_fleet: bool) -> None:
    """Load what a start loads."""
    from archipel_agent.cli import agent, agent_run
    from archipel_contract import launcher

    loaded: list[object] = [agent, agent_run, launcher]
    if has_fleet:  # see linking
        from archipel_agent.identity import making as of_identity
        from archipel_agent.link import making as of_link
        from archipel_agent.remote import desk, parts, veto

        loaded += [of_identity, of_link, desk, parts, veto]
    assert all(loaded)


def forget(names: list[str]) -> None:
    """Have Python load these anew when they are asked for."""
    for name in names:
        package, _, last = name.rpartition(".")
        del sys.modules[name]
        if package in sys.modules and hasattr(sys.modules[package], last):
            delattr(sys.modules[package], last)


def daemon_on(node: "Node", ports: "Ports") -> "tuple[Daemon, Core]":
    """Return an agent that has just begun on this machine, and its core."""
    from archipel_agent.answering import answers_of
    from archipel_agent.compose import open_way_in
    from archipel_agent.core import Core
    from archipel_agent.daemon import Daemon
    from archipel_agent.host.media import SystemMedia
    from archipel_agent.linking import open_link
    from archipel_agent.settings import Settings

    settings = Settings()
    core = Core(ports, node.paths, settings, "n-0123456789abcdef", node.store)
    way_in = open_way_in(core, settings)
    made = Daemon(node.paths, core, settings, lambda: None, open_link(core, settings, way_in), way_in)
    made.answers = answers_of(core, settings, SystemMedia(node.paths, rehearsed=True), lambda: None)
    return made, core


def rest_alone() -> None:
    """A healthy site, for an hour and a bit, turn by turn as the daemon takes them."""
    from dataclasses import replace

    from archipel_contract.status import Health
    from tests.agent.test_idle_turns import QuietKubeApi
    from tests.chaos.crashes import UP, prepared
    from tests.chaos.node import Node

    node = Node(prepared((UP,)))
    node.clock.advance(600.0)
    ports = replace(node.ports, kube=QuietKubeApi(node.ports.kube))
    forget(excess(set(sys.modules), False))
    daemon, core = daemon_on(node, ports)
    turns = 0
    for _ in range(400):
        daemon._look()
        if not daemon._rests():
            daemon._turn()
            turns += 1
        node.clock.advance(10.0)
    assert core.report(fresh=False).health is Health.HEALTHY
    assert turns < 100, turns  # else it did not rest


def rest_in_a_fleet(root: Path) -> None:
    """A machine that enrolled before this agent began."""
    from archipel_agent.host.disk import SystemDisk
    from archipel_agent.settings import Settings
    from archipel_contract.api import EnrolmentWish
    from archipel_contract.status import Membership
    from tests.agent.identity.devices import ADDRESS
    from tests.agent.identity.test_wiring import core, settle, way_in
    from tests.fakes.enrolment import FakeFleet, FleetKeys

    one, fleet = core(root, Settings()), FakeFleet(FleetKeys())
    first = way_in(one, Settings(), fleet)
    one.enrol(EnrolmentWish(link=f"{ADDRESS}/#{fleet.token().text}"), "anna")
    settle(first)
    one.turn()  # the simulated machine reads its recordings
    forget(excess(set(sys.modules), True))
    from archipel_agent.compose import WayIn

    again = WayIn(one, Settings(), SystemDisk())
    again.look()
    assert again.status().state is Membership.ENROLLED
    assert again.keeper is not None and again.keeper.identity.has_certificate
    one.way_in = again
    one.turn()
    again.look()
    again.stop()


def main(kind: str, directory: str) -> None:
    """Print what should not be there, by when it was found."""
    has_fleet = kind == "fleet"
    start(has_fleet)
    print("start:", *excess(set(sys.modules), has_fleet))
    if has_fleet:
        rest_in_a_fleet(Path(directory))
    else:
        rest_alone()
    print("rest:", *excess(set(sys.modules), has_fleet))


if __name__ == "__main__":
    main(*sys.argv[1:])
