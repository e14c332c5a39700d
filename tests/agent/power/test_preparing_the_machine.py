"""The drop-ins of the step `host`: what they say on which machine, what of the site's own they leave alone, the way back."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.power.drop_ins import JOURNAL, content, drop_ins, said_by_site, watchdog_values
from archipel_agent.settings import Settings
from archipel_agent.steps import host
from archipel_agent.steps.base import Context
from archipel_agent.steps.options import Options
from archipel_contract.facts import InitSystem
from archipel_contract.jobs import Verb
from tests.chaos.node import Node

SYSTEMD = Path("/etc/systemd")
OURS = SYSTEMD / "journald.conf.d/90-archipel.conf"
WATCHDOG = SYSTEMD / "system.conf.d/90-archipel-watchdog.conf"
LOGIND = SYSTEMD / "logind.conf.d/90-archipel.conf"


def context_of(node: Node, watchdog: str = "auto") -> Context:
    return Context(
        verb=Verb.UP,
        options=Options(),
        ports=node.ports,
        paths=node.paths,
        settings=Settings(hardware_watchdog=watchdog),
        store=node.store,
        node_id="n-0123456789abcdef",
    )


def machine(files: Mapping[Path, bytes] | None = None, has_watchdog: bool = True) -> Node:
    node = Node()
    for path, text in (files or {}).items():
        node.disk.put(path, text)
    if has_watchdog:
        node.disk.put(Path("/dev/watchdog0"), b"")
    return node


def on_disk(node: Node) -> dict[str, object]:
    return {name: entry for name, entry in node.disk.all().items() if name.startswith("/etc/")}


def text(node: Node, path: Path) -> str:
    return node.disk.read(path).decode()


@pytest.mark.parametrize(
    ("is_pi", "kernel", "seconds"),
    [
        (True, "6.1.0-rpi7-rpi-v8", "14"),
        (True, "6.6.74+rpt-rpi-v8", "14"),
        (True, "6.12.47+rpt-rpi-v8", "30"),
        (True, "", "14"),
        (False, "6.1.0-18-amd64", "30"),
    ],
)
def test_a_pi_whose_kernel_takes_no_more_than_15_seconds_is_given_14(
    is_pi: bool, kernel: str, seconds: str
) -> None:
    values = watchdog_values(is_pi, kernel)
    assert values["RuntimeWatchdogSec"] == seconds
    if seconds == "14":
        assert values["RebootWatchdogSec"] == "14"


def test_what_the_site_says_in_the_same_section_is_left_out_of_ours() -> None:
    site = "# SystemMaxUse=1G\n[Journal]\nStorage = volatile\n;RateLimitBurst=1\n[Other]\nSyncIntervalSec=1\n"
    said = said_by_site([site, "[Journal]\nRuntimeMaxUse=8M\n"], "Journal")
    assert said == {"Storage", "RuntimeMaxUse"}
    journal = next(
        one for one in drop_ins(watchdog=False, is_pi=False, kernel="") if one.section == "Journal"
    )
    written = content(journal, said).decode()
    assert "Storage=" not in written and "RuntimeMaxUse=" not in written and "SystemMaxUse=100M" in written
    assert content(journal, frozenset(JOURNAL)) == b""


def test_a_machine_with_a_watchdog_gets_all_three_and_a_second_time_nothing_is_done() -> None:
    node = machine()
    context = context_of(node)
    assert host.check(context) is None
    assert str(OURS) in host.foresee(context)
    host.run(context)
    assert "SystemMaxUse=100M" in text(node, OURS)
    assert "RuntimeWatchdogSec=30" in text(node, WATCHDOG)  # the rehearsed Pi has Linux 6.12
    assert "InhibitDelayMaxSec=65" in text(node, LOGIND)
    assert host.check(context) == "set already"


def test_without_a_watchdog_or_without_wanting_one_none_is_asked_for() -> None:
    node = machine(has_watchdog=False)
    host.run(context_of(node))
    assert not node.disk.exists(WATCHDOG)
    other = machine()
    host.run(context_of(other))
    assert other.disk.exists(WATCHDOG)
    host.run(context_of(other, watchdog="off"))
    assert not other.disk.exists(WATCHDOG)
    assert host.check(context_of(other, watchdog="off")) == "set already"


def test_where_no_systemd_reads_them_nothing_is_written() -> None:
    node = machine()
    node.world.state.facts = replace(node.world.state.facts, init=InitSystem.NONE)
    assert host.check(context_of(node)) == "no systemd here"


def test_taken_back_the_machine_is_as_before() -> None:
    site = {SYSTEMD / "journald.conf.d/10-site.conf": b"[Journal]\nStorage=volatile\n"}
    node = machine(site)
    before = on_disk(node)
    context = context_of(node)
    host.run(context)
    node.disk.put(SYSTEMD / "logind.conf.d/99-kubelet.conf", b"kubelet's own\n")
    assert on_disk(node) != before
    host.undo(context)
    assert on_disk(node) == before
    assert host.restore(context) == "none of ours are there"


def test_a_kubelets_file_and_directories_that_stood_there_before_stay() -> None:
    node = machine({SYSTEMD / "logind.conf.d/99-kubelet.conf": b"of another kubelet\n"})
    before = on_disk(node)
    host.run(context_of(node))
    host.restore(context_of(node))
    assert on_disk(node) == before


def test_a_cut_between_writing_and_putting_into_force_is_made_up_for() -> None:
    node = machine()
    context = context_of(node)
    host.run(context)
    node.store.keep(**{host.DUE: '["journald.conf.d"]'})
    assert host.check(context) is None
    host.run(context)
    assert host.check(context) == "set already"


def test_half_a_file_that_a_cut_left_is_no_word_of_the_site() -> None:
    node = machine({OURS.with_name(".archipel-90-archipel.conf"): b"[Journal]\nStorage=volatile\n"})
    host.run(context_of(node))
    assert "Storage=persistent" in text(node, OURS)


def test_a_drop_in_that_somebody_changed_is_written_anew() -> None:
    node = machine()
    host.run(context_of(node))
    node.disk.put(OURS, b"[Journal]\nStorage=none\n")
    assert host.check(context_of(node)) is None
    host.run(context_of(node))
    assert "Storage=persistent" in text(node, OURS)
