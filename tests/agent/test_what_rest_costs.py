"""What an agent does while its site is well and nothing moves: between two turns next to nothing, counted at its ports."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from archipel_agent.answering import answers_of
from archipel_agent.core import Core
from archipel_agent.daemon import Daemon
from archipel_agent.ports import Mount
from archipel_agent.settings import Settings
from archipel_contract.answers import FILE
from archipel_contract.status import Health
from tests.agent.resting import daemon_on
from tests.agent.test_idle_turns import QuietKubeApi
from tests.chaos.crashes import UP, prepared
from tests.chaos.node import Node
from tests.fakes.media import FakeMedia

HOUR = 3600
AT_REST = {
    "machine.pulse",
    "k3s.status",
}  # two questions to the kernel: cables and routes, and whether k3s' process lives


class Noted:
    """Any port, with what is asked of it noted."""

    def __init__(self, name: str, inner: object, calls: list[str]) -> None:
        self._name, self._inner, self._calls = name, inner, calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def noted(*args: Any, **named: Any) -> Any:
            self._calls.append(f"{self._name}.{name}")
            return found(*args, **named)

        return noted


@dataclass
class Hour:
    """What was asked of the ports in an hour: between turns, and in each turn."""

    between: Counter[str] = field(default_factory=Counter)
    turns: list[Counter[str]] = field(default_factory=list)


def an_hour_of(daemon: Daemon, node: Node, calls: list[str]) -> Hour:
    """Let the agent live for an hour, as its own loop does but for the waiting."""
    seen = Hour()
    for _ in range(HOUR // 10):
        calls.clear()
        daemon._look()
        rests = daemon._rests()
        seen.between.update(calls)
        calls.clear()
        if not rests:
            daemon._turn()
            seen.turns.append(Counter(calls))
        node.clock.advance(10.0)
    return seen


@pytest.fixture
def site() -> tuple[Daemon, Core, Node, list[str]]:
    """A healthy site that has come to rest."""
    node, calls = Node(prepared((UP,))), list[str]()
    node.clock.advance(600.0)
    named: dict[str, Any] = {
        name: Noted(name, getattr(node.ports, name), calls)
        for name in ("disk", "runner", "machine", "k3s", "fetcher", "privileged", "ups")
    }
    kube: Any = Noted("kube", QuietKubeApi(node.ports.kube), calls)
    daemon, core = daemon_on(node, replace(node.ports, kube=kube, **named))
    an_hour_of(daemon, node, calls)
    return daemon, core, node, calls


def test_between_turns_no_file_is_read_and_no_process_started(
    site: tuple[Daemon, Core, Node, list[str]],
) -> None:
    daemon, _, node, calls = site
    between = an_hour_of(daemon, node, calls).between
    assert {name for name in AT_REST if 250 < between[name] <= HOUR // 10} == AT_REST
    # What was written to the medium is noted once an hour.
    hourly = {name: times for name, times in between.items() if name not in AT_REST}
    assert sum(hourly.values()) <= 8 and not any(name.startswith("runner.") for name in hourly), hourly


def test_a_turn_is_taken_once_a_minute_and_only_closer_looks_read_files_and_start_processes(
    site: tuple[Daemon, Core, Node, list[str]],
) -> None:
    daemon, core, node, calls = site
    turns = an_hour_of(daemon, node, calls).turns
    assert len(turns) == 60 and core.report(fresh=False).health is Health.HEALTHY
    plain = [turn for turn in turns if not turn["k3s.log"]]
    assert len(plain) >= 56  # a closer look is taken every quarter of an hour while there is a warning
    costly = ("disk.", "fetcher.", "privileged.", "runner.", "ups.")
    assert [name for turn in plain for name in turn if name.startswith(costly)] == []
    assert max(turn["runner.run"] + turn["k3s.version_text"] + turn["k3s.log"] for turn in turns) <= 5


class Table(tuple[Mount, ...]):
    """A table of mounts that counts how often somebody goes through it."""

    times = 0

    def __iter__(self) -> Iterator[Mount]:
        Table.times += 1
        return super().__iter__()


def test_the_mounts_of_a_hundred_pods_are_gone_through_when_they_change_and_not_at_each_look(
    site: tuple[Daemon, Core, Node, list[str]],
) -> None:
    _, core, node, _ = site
    media = FakeMedia(node.disk)
    media.mounted = Table(
        Mount(point=Path(f"/run/pod/{number}"), filesystem="overlay") for number in range(300)
    )
    one, before = answers_of(core, Settings(), media, lambda: None), Table.times
    one.look()
    once = Table.times - before
    for _ in range(100):
        one.look()
    assert Table.times - before == once > 0
    stick = Path("/media/stick")
    media.mounted = Table((*media.mounted, Mount(point=stick, filesystem="vfat", is_removable=True)))
    one.look()
    assert stick / FILE in media.asked
