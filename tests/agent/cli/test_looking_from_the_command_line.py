"""status, doctor, why, logs, kubectl and kubeconfig: text, JSON and exit codes, with and without an agent."""

import os
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archipel_agent.cli.kubeconfig import address
from archipel_agent.cli.logs import added
from archipel_contract.api import Checks, Kubeconfig
from archipel_contract.catalogue import entries, finding
from archipel_contract.exits import Exit
from archipel_contract.findings import CheckResult, Fix, Severity, Verdict
from archipel_contract.status import ClusterStatus, Health, LinkMode, LinkState, LinkStatus, OrdersStatus, Pod
from tests.agent.cli.conftest import Archipel
from tests.fakes.service import NODE_ID, NOT_ROOT, ScriptedService
from tests.fakes.serving import connecting_as, serving


def test_status_of_a_healthy_site(agent: Archipel) -> None:
    said = agent("status")
    assert said.code == Exit.OK
    assert said.out.startswith("+ Halle 3: healthy\n  k3s runs, the node is Ready, 2 of 2 pods are ready.\n")
    shown = ("192.168.4.27 on eth0", "v1.34.2+k3s1 running", "1 of 1 nodes ready, 2 of 2 pods", "51 C")
    for words in (NODE_ID, *shown):
        assert words in said.out
    assert "\033" not in said.out


def test_status_shows_what_nobody_may_order_from_afar(agent: Archipel, service: ScriptedService) -> None:
    assert "orders from afar" not in agent("status").out
    veto = OrdersStatus(heeded=True, veto=("kubectl", "restart"))
    service.current = replace(service.current, link=LinkStatus(orders=veto))
    assert "orders from afar: kubectl, restart" in agent("status").out


@pytest.mark.parametrize("health", [health for health in Health if health is not Health.HEALTHY])
def test_status_is_good_for_scripts_only_when_the_site_is_healthy(
    agent: Archipel, service: ScriptedService, health: Health
) -> None:
    service.current = replace(service.current, health=health)
    assert agent("status").code == Exit.NOT_OK
    assert agent("status", "--json").data["health"] == health.value


def test_status_names_each_finding_with_its_remedy_and_each_pod_that_is_not_ready(
    agent: Archipel, service: ScriptedService
) -> None:
    bad = Pod(
        namespace="a",
        name="b",
        phase="Pending",
        ready=False,
        reason="ImagePullBackOff",
        message="no such image",
    )
    done = Pod(namespace="a", name="done", phase="Succeeded", ready=False)
    cluster = replace(service.current.cluster, pods=(*service.current.cluster.pods, bad, done))
    service.current = replace(service.current, health=Health.UNHEALTHY, findings=(NOT_ROOT,), cluster=cluster)
    said = agent("status")
    assert "x pod a/b: ImagePullBackOff: no such image" in said.out
    assert "2 of 3 pods ready" in said.out
    assert "done" not in said.out
    assert "remedy    Run the command again with sudo: sudo archipel up" in said.out


def test_status_says_when_everything_is_rehearsed(agent: Archipel, service: ScriptedService) -> None:
    service.current = replace(service.current, rehearsed=True)
    assert agent("status").out.startswith("REHEARSED")


def test_status_of_a_site_without_a_fleet_has_no_line_about_a_link(agent: Archipel) -> None:
    assert "\n  link" not in agent("status").out
    assert agent("status", "--json").data["link"]["state"] == "off"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (LinkState.CONNECTED, "connected, last answer 1:00 ago"),
        (LinkState.UNANSWERED, "connected, but the controller does not answer, last answer"),
        (LinkState.PLANNED_QUIET, "quiet as planned, last answer"),
        (LinkState.AWAY, "away (Connection refused), last answer"),
        (LinkState.UNKNOWN, "not known; only a running agent knows"),
    ],
)
def test_status_tells_in_one_line_how_the_link_to_the_fleet_stands(
    agent: Archipel, service: ScriptedService, state: LinkState, said: str
) -> None:
    link = LinkStatus(
        mode=LinkMode.DIAL_IN,
        state=state,
        message="Connection refused",
        last_answer_at="2026-01-02T03:03:05Z",
    )
    service.current = replace(service.current, link=link)
    (line,) = [line for line in agent("status").out.splitlines() if line.startswith("  link")]
    assert said in line
    assert agent("status", "--json").data["link"]["state"] == state.value


def test_status_tells_what_waits_what_was_dropped_and_when_the_next_call_is(
    agent: Archipel, service: ScriptedService
) -> None:
    link = LinkStatus(
        state=LinkState.AWAY,
        waiting=12,
        dropped=3,
        next_call_at="2026-01-02T04:00:00Z",
        mode=LinkMode.DIAL_IN,
    )
    service.current = replace(service.current, link=link)
    said = agent("status").out
    assert "away, never answered, 12 messages wait, 3 dropped, next call 2026-01-02T04:00:00Z" in said


@pytest.mark.parametrize("words", [["doctor"], ["why"], ["logs"], ["up", "--no-wait"], ["agent", "status"]])
def test_every_other_command_says_so_too(agent: Archipel, service: ScriptedService, words: list[str]) -> None:
    service.rehearsed = True
    said = agent(*words)
    assert "REHEARSED" in said.out + said.err


def test_status_of_a_machine_that_knows_little_still_reads(agent: Archipel, service: ScriptedService) -> None:
    node = replace(service.current.node, usage=type(service.current.node.usage)(), node_id="")
    service.current = replace(
        service.current,
        health=Health.UNKNOWN,
        site=None,
        node=node,
        cluster=ClusterStatus(reachable=False, message="refused"),
    )
    said = agent("status")
    assert "no id yet" in said.out
    assert "could not be read" in said.out


def test_status_looks_anew_when_asked(agent: Archipel) -> None:
    assert agent("status", "--fresh", "--json").data["sentence"] == "fresh"


def test_status_watch_shows_each_change_until_the_agent_goes(
    agent: Archipel, service: ScriptedService
) -> None:
    def changes() -> None:
        for _ in range(500):
            if service.subscribers:
                break
            threading.Event().wait(0.01)
        service.change(sentence="second")
        threading.Event().wait(0.2)
        service.defect = RuntimeError("gone")
        service.wake()

    changing = threading.Thread(target=changes)
    changing.start()
    said = agent("status", "--watch", "--json")
    changing.join()
    assert [line for line in said.out.splitlines() if '"sentence":"second"' in line]
    assert said.code == Exit.AGENT_AWAY


def test_doctor_tells_what_every_check_saw_and_counts_open_ones_apart(agent: Archipel) -> None:
    said = agent("doctor")
    assert said.code == Exit.OK
    assert "+ clock       synchronized" in said.out
    assert "? disk speed  no figure yet" in said.out
    assert "2 checks of the running site in 0:00: 1 OK, 0 with findings, 1 not decided." in said.out
    assert "clock" not in agent("doctor", "--found").out


@pytest.mark.parametrize(
    ("severity", "code"),
    [(Severity.PROBLEM, Exit.NOT_OK), (Severity.WARNING, Exit.NOT_OK), (Severity.HINT, Exit.OK)],
)
def test_doctor_with_a_finding(
    agent: Archipel, service: ScriptedService, severity: Severity, code: Exit
) -> None:
    found = replace(NOT_ROOT, severity=severity, fix=Fix(code="not-root", restarts=True, usual_seconds=120))
    result = CheckResult(slug="rights", verdict=Verdict.FOUND, said="uid 1000", findings=(found,))
    service.check_results = Checks(phase="preflight", results=(result,))
    said = agent("doctor")
    assert said.code == code
    assert "This needs administrator rights  (not-root)" in said.out
    assert "sudo archipel doctor --fix not-root   (restarts k3s, about 2:00)" in said.out
    assert "before the set-up" in said.out
    assert agent("doctor", "--json").data["results"][0]["verdict"] == "found"


def test_why_without_a_code_explains_everything_there_is(agent: Archipel, service: ScriptedService) -> None:
    assert agent("why").out == "Nothing is wrong. k3s runs, the node is Ready, 2 of 2 pods are ready.\n"
    service.current = replace(
        service.current, health=Health.UNHEALTHY, findings=(replace(NOT_ROOT, since="2026-01-01T00:00:00Z"),)
    )
    said = agent("why")
    assert said.code == Exit.NOT_OK
    for words in (
        "since     2026-01-01",
        "evidence  uid 1000",
        "cause     Setting up",
        "remedy    Run",
        "1. Log in as",
    ):
        assert words in said.out


def test_why_without_findings_on_a_site_that_is_not_healthy(
    agent: Archipel, service: ScriptedService
) -> None:
    service.current = replace(service.current, health=Health.STOPPED, sentence="k3s is stopped.")
    said = agent("why")
    assert said.code == Exit.NOT_OK
    assert "stopped: k3s is stopped." in said.out


def test_why_explains_a_code_in_general_and_in_german(agent: Archipel) -> None:
    said = agent("why", "not-root", "--lang", "de")
    assert said.code == Exit.OK
    assert "Das braucht Administratorrechte" in said.out
    assert "sudo archipel <command>" in said.out
    assert agent("why", "not-root", "--json").data[0]["code"] == "not-root"


def test_the_language_follows_the_locale(agent: Archipel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert "Administratorrechte" in agent("why", "not-root").out


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_code_of_the_catalogue_can_be_explained_without_a_machine(
    agent: Archipel, language: str
) -> None:
    for code in entries():
        said = agent("why", code, "--lang", language)
        assert said.code == Exit.OK, code
        assert not re.search(r"\?\w", said.out), said.out  # so the catalogue shows a parameter nobody gave


def test_a_code_that_does_not_exist_is_met_with_near_ones(agent: Archipel) -> None:
    said = agent("why", "not-rooted")
    assert said.code == Exit.USAGE
    assert "not-root" in said.err
    assert agent("why", "xyzzy").code == Exit.USAGE


def test_why_lists_every_finding(agent: Archipel) -> None:
    said = agent("why", "--list")
    assert len(said.out.splitlines()) == len(entries())
    assert agent("why", "--list", "--json").data == sorted(entries())


def test_logs_show_the_last_lines(agent: Archipel) -> None:
    assert agent("logs").out == "one\ntwo\n"
    assert agent("logs", "-n", "1").out == "two\n"
    assert agent("logs", "agent", "--json").data == {"source": "agent", "lines": ["hello"]}
    assert agent("logs", "kernel").code == Exit.USAGE
    assert agent("logs", "-n", "0").code == Exit.USAGE
    assert agent("logs", "-n", "2001").code == Exit.USAGE


def test_an_empty_log_says_so(agent: Archipel, service: ScriptedService) -> None:
    service.log_lines["k3s"] = ()
    said = agent("logs")
    assert (said.code, said.out) == (Exit.OK, "")
    assert "empty or cannot be read" in said.err


def test_logs_follow_with_new_lines_only(
    agent: Archipel, service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archipel_agent.host.clock import SystemClock

    coming = [("two", "three"), ("two", "three"), ("three", "four")]

    def wait(self: SystemClock, seconds: float) -> None:
        if not coming:
            raise KeyboardInterrupt
        service.log_lines["k3s"] = coming.pop(0)

    monkeypatch.setattr(SystemClock, "wait", wait)
    said = agent("logs", "-f")
    assert said.out == "one\ntwo\nthree\nfour\n"
    assert said.code == Exit.INTERRUPTED


@given(st.lists(st.integers(0, 3), max_size=12), st.integers(0, 12), st.lists(st.integers(4, 9), max_size=6))
def test_lines_that_were_added_to_a_log_are_found_wherever_its_window_begins(
    log: list[int], start: int, more: list[int]
) -> None:
    before = [str(line) for line in log]
    now = before[min(start, len(before)) :] + [str(line) for line in more]
    result = added(before, now)
    # What is new is shown whole; lines may only be repeated when the window kept none of those seen before.
    assert list(result)[len(result) - len(more) :] == [str(line) for line in more]
    if start < len(before):
        assert len(result) == len(more)


def test_a_user_who_may_not_open_the_socket_is_told_what_to_do(
    agent: Archipel, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def forbidden(self: socket.socket, place: object) -> None:
        raise PermissionError(13, "Permission denied")

    class Forbidden(socket.socket):
        connect = forbidden

    monkeypatch.setattr(socket, "socket", Forbidden)
    said = agent("status")
    assert said.code == Exit.NOT_PERMITTED
    assert "sudo" in said.err
    assert "group archipel" in said.err


def test_without_an_agent_looking_goes_on_and_says_so(archipel: Archipel) -> None:
    said = archipel("status", "--json")
    assert "No agent runs here" in said.err
    assert said.data["health"] == "not-set-up"
    assert said.code == Exit.NOT_OK
    assert archipel("doctor", "--json").data["phase"] == "preflight"
    assert archipel("why").code == Exit.NOT_OK


# --- kubectl and kubeconfig ---


def test_kubeconfig_prints_what_the_agent_gives_with_another_address(
    agent: Archipel, service: ScriptedService
) -> None:
    service.kube = Kubeconfig(
        path="/x", content="clusters:\n- cluster:\n    server: https://127.0.0.1:6443\n  name: x\n"
    )
    assert agent("kubeconfig").out == service.kube.content
    said = agent("kubeconfig", "--server", "192.168.4.27")
    assert "    server: https://192.168.4.27:6443\n  name: x" in said.out
    assert "Keep it like a key" in said.err
    assert agent("kubeconfig", "--json").data["path"] == "/x"


def test_kubeconfig_is_for_owners(archipel: Archipel, service: ScriptedService) -> None:
    with serving(service, archipel.paths.socket, callers=connecting_as(1000)):
        assert archipel("kubeconfig").code == Exit.NOT_PERMITTED


def test_kubeconfig_without_an_agent_comes_from_its_file(archipel: Archipel) -> None:
    assert archipel("kubeconfig").code == Exit.NOT_OK
    archipel.paths.kubeconfig.parent.mkdir(parents=True)
    archipel.paths.kubeconfig.write_text("server: https://127.0.0.1:6443\n")
    assert archipel("kubeconfig", "--server", "a.example:7").out == "server: https://a.example:7\n"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("192.168.4.27", "https://192.168.4.27:6443"),
        ("edge-07.example.com:7443", "https://edge-07.example.com:7443"),
        ("https://edge-07", "https://edge-07:6443"),
        ("fd00::7", "https://[fd00::7]:6443"),
        ("[fd00::7]:7443", "https://[fd00::7]:7443"),
    ],
)
def test_an_address_becomes_a_url(text: str, url: str) -> None:
    assert address(text) == url


@pytest.mark.parametrize(
    "text", ["http://edge-07", "edge 07", "edge-07:port", "", "https://a/path", "a:99999"]
)
def test_what_is_no_address_is_refused(agent: Archipel, text: str) -> None:
    assert agent("kubeconfig", "--server", text).code == Exit.USAGE


class Replaced(Exception):
    """Stands for the end of this process, which kubectl took over."""


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str]]:
    """What this process would have become: argv and KUBECONFIG."""
    became: list[tuple[list[str], str]] = []

    def execve(path: str, argv: list[str], environment: dict[str, str]) -> None:
        became.append((argv, environment["KUBECONFIG"]))
        raise Replaced

    monkeypatch.setattr(os, "execve", execve)
    return became


def test_kubectl_becomes_the_sites_own_with_every_argument_as_it_stands(
    agent: Archipel, service: ScriptedService, replaced: list[tuple[list[str], str]]
) -> None:
    k3s = agent.paths.root / "my-k3s"
    k3s.write_text("#!/bin/sh\n")
    k3s.chmod(0o755)
    assert service.known_site is not None
    service.known_site = replace(service.known_site, k3s=replace(service.known_site.k3s, path=str(k3s)))
    agent.paths.kubeconfig.parent.mkdir(parents=True)
    agent.paths.kubeconfig.write_text("x")
    with pytest.raises(Replaced):
        agent("kubectl", "get", "pods", "--help", "-o", "json", "--json")
    assert replaced == [
        ([str(k3s), "kubectl", "get", "pods", "--help", "-o", "json", "--json"], str(agent.paths.kubeconfig))
    ]


def test_kubectl_works_without_the_agent(archipel: Archipel, replaced: list[tuple[list[str], str]]) -> None:
    archipel.paths.kubeconfig.parent.mkdir(parents=True)
    archipel.paths.kubeconfig.write_text("x")
    archipel.paths.k3s_binary.parent.mkdir(parents=True)
    archipel.paths.k3s_binary.write_text("#!/bin/sh\n")
    archipel.paths.k3s_binary.chmod(0o755)
    with pytest.raises(Replaced):
        archipel("kubectl", "version")
    assert replaced[0][0][0] == str(archipel.paths.k3s_binary)


def test_kubectl_before_the_set_up_says_so(archipel: Archipel, replaced: list[tuple[list[str], str]]) -> None:
    said = archipel("kubectl", "get", "pods")
    assert said.code == Exit.NOT_OK
    assert "k3s has not been set up here" in said.err
    assert replaced == []


def test_kubectl_tells_a_person_without_rights_to_use_sudo(
    archipel: Archipel, replaced: list[tuple[list[str], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    said = archipel("kubectl", "get", "pods")
    assert (said.code, replaced) == (Exit.NOT_PERMITTED, [])
    assert "k3s.yaml belongs to root: use sudo archipel kubectl" in said.err


def test_kubectl_without_arguments_shows_its_help(archipel: Archipel) -> None:
    for words in ([], ["--help"], ["-h"]):
        said = archipel("kubectl", *words)
        assert said.code == Exit.OK
        assert "get pods --all-namespaces" in said.out


def test_a_state_that_cannot_be_used_is_put_aside(archipel: Archipel) -> None:
    assert archipel("agent", "reset-state").out == "There is no state here; nothing was changed.\n"
    archipel.paths.state.mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal", "-shm"):
        archipel.paths.database.with_name(f"state.db{suffix}").write_bytes(b"damaged" + suffix.encode())
    aside = Path(archipel("agent", "reset-state", "--json").data["aside"])
    assert {path.name: path.read_bytes() for path in aside.iterdir()} == {
        "state.db": b"damaged",
        "state.db-wal": b"damaged-wal",
        "state.db-shm": b"damaged-shm",
    }
    assert [path.name for path in archipel.paths.state.iterdir()] == [aside.name]


def test_the_state_of_a_living_agent_is_not_touched(archipel: Archipel) -> None:
    from archipel_agent.daemon import hold_lock

    archipel.paths.state.mkdir(parents=True)
    archipel.paths.database.write_bytes(b"good")
    lock = hold_lock(archipel.paths.runtime / "agent.lock")
    try:
        said = archipel("agent", "reset-state")
    finally:
        os.close(lock)
    assert said.code == Exit.REFUSED
    assert archipel.paths.database.read_bytes() == b"good"


def test_a_second_agent_is_refused(archipel: Archipel) -> None:
    from archipel_agent.daemon import hold_lock

    lock = hold_lock(archipel.paths.runtime / "agent.lock")
    try:
        said = archipel("agent", "run")
    finally:
        os.close(lock)
    assert said.code == Exit.REFUSED
    assert "another agent" in said.err


def test_a_finding_of_a_newer_agent_shows_the_words_it_carries(
    agent: Archipel, service: ScriptedService
) -> None:
    newer = replace(finding("not-root"), code="from-the-future", summary="Something new", next_step="Do this")
    service.current = replace(service.current, findings=(newer,))
    assert "x Something new  (from-the-future)" in agent("status").out
