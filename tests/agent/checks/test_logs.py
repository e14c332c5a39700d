"""How the log of k3s is read."""

import re
from dataclasses import replace

from archipel_agent.checks import logs
from archipel_agent.checks.base import Phase
from archipel_contract.findings import Verdict
from archipel_contract.site import Desired
from archipel_contract.status import ServiceState
from tests.agent.checks.machines import GOOD, SITE, STARTING, with_log

SIGN = logs.Sign(code="containerd-failed", pattern=re.compile("containerd exited"))
LINE = 'time="2026-11-22T08:00:0{}Z" level=error msg="Shutdown request received: \\"containerd exited: {}\\""'
FATAL = 'time="2026-11-22T08:00:09Z" level=fatal msg="Error: {}"'


def test_only_the_newest_run_counts_while_k3s_runs() -> None:
    evidence = replace(GOOD, k3s_log=(STARTING, LINE.format(1, "a"), STARTING, "fine"))
    assert logs.look_for("x", evidence, SIGN).verdict is Verdict.OK


def test_in_a_crash_loop_the_run_before_counts_too() -> None:
    failing = replace(GOOD.k3s, state=ServiceState.FAILING)
    evidence = replace(GOOD, k3s=failing, k3s_log=(STARTING, LINE.format(1, "a"), STARTING, "fine"))
    assert logs.look_for("x", evidence, SIGN).verdict is Verdict.FOUND


def test_lines_just_before_the_start_belong_to_the_run() -> None:
    early = 'level=info msg="Acquiring lock file /var/lib/rancher/k3s/data/.lock"'
    assert logs.runs(("old", early, STARTING, "new")) == (("old",), (early, STARTING, "new"))


def test_the_journals_line_about_the_unit_starts_a_run() -> None:
    lines = ("a", "Starting k3s.service - Kubernetes (k3s)...", "b", STARTING, "c")
    assert logs.runs(lines) == (("a",), lines[1:])


def test_runs_that_end_before_they_say_that_they_start_are_told_apart() -> None:
    lines = (STARTING, FATAL.format("one"), FATAL.format("two"), FATAL.format("three"))
    assert logs.primary_cause(lines) == "Error: three"
    assert len(logs.newest(lines, failing=True)) == 2


def test_a_log_without_any_mark_is_one_run() -> None:
    assert logs.runs(("a", "b")) == (("a", "b"),)
    assert logs.runs(()) == ()


def test_the_shutdown_request_is_the_cause_and_not_the_noise_after_it() -> None:
    noise = 'level=error msg="error syncing: context canceled"'
    assert (
        logs.primary_cause((STARTING, LINE.format(1, "exit status 1"), noise))
        == "containerd exited: exit status 1"
    )


def test_quotes_escaped_twice_are_read_as_quotes() -> None:
    line = 'level=error msg="Shutdown request received: \\"a \\\\\\"b\\\\\\" failed: x\\""'
    assert logs.primary_cause((line,)) == 'a "b" failed: x'


def test_a_kubelet_that_gave_up_is_the_cause_although_k3s_says_nothing() -> None:
    line = (
        'E1122 07:38:47.493207 156 kubelet.go:1821] "Failed to start ContainerManager" err="mkdir /x: denied"'
    )
    assert logs.primary_cause((STARTING, line)) == 'Failed to start ContainerManager" err="mkdir /x: denied"'


def test_no_log_and_an_empty_log_decide_nothing() -> None:
    for lines in (None, ()):
        assert logs.look_for("x", replace(GOOD, k3s_log=lines), SIGN).verdict is Verdict.UNDECIDED


def test_the_log_of_a_k3s_that_was_never_set_up_decides_nothing() -> None:
    absent = replace(GOOD, k3s=replace(GOOD.k3s, state=ServiceState.ABSENT))
    assert logs.look_for("x", absent, SIGN).verdict is Verdict.UNDECIDED


def test_before_a_start_the_log_of_an_earlier_run_decides_nothing() -> None:
    earlier = replace(with_log(LINE.format(1, "a")), phase=Phase.PREFLIGHT)
    assert logs.look_for("x", earlier, SIGN).verdict is Verdict.UNDECIDED
    assert logs.lines_now(earlier) == ()


def test_the_log_of_a_k3s_stopped_on_request_decides_nothing() -> None:
    stopped = replace(
        with_log(LINE.format(1, "a"), state=ServiceState.STOPPED), site=replace(SITE, desired=Desired.STOPPED)
    )
    assert logs.look_for("x", stopped, SIGN).verdict is Verdict.UNDECIDED


def test_evidence_is_the_last_three_lines_that_differ_in_more_than_their_time() -> None:
    lines = [LINE.format(number, cause) for number, cause in enumerate("aabcd")]
    (finding,) = logs.look_for("x", with_log(*lines), SIGN).findings
    assert [re.sub(r".*exited: ", "", line) for line in finding.evidence] == ['b""', 'c""', 'd""']


def test_a_long_line_is_cut_around_what_matched() -> None:
    line = f"{'a' * 500} containerd exited {'b' * 500}"
    (finding,) = logs.look_for("x", with_log(line), SIGN).findings
    assert "containerd exited" in finding.evidence[0]
    assert len(finding.evidence[0]) <= logs.LINE_WIDTH + 3


def test_a_join_token_never_becomes_evidence() -> None:
    line = f"containerd exited with token K10{'ab' * 32}::server:hunter2"
    (finding,) = logs.look_for("x", with_log(line), SIGN).findings
    assert "hunter2" not in finding.evidence[0]
    assert "K10***" in finding.evidence[0]


def test_a_trouble_that_is_over_is_not_found() -> None:
    sign = replace(SIGN, over=logs.node_is_ready)
    assert logs.look_for("x", with_log(LINE.format(1, "a")), sign).verdict is Verdict.FOUND
    assert logs.look_for("x", with_log(LINE.format(1, "a"), ready=True), sign).verdict is Verdict.OK


def test_a_sign_may_want_more_than_one_line() -> None:
    sign = replace(SIGN, least=2)
    assert logs.look_for("x", with_log("containerd exited"), sign).verdict is Verdict.OK
    assert (
        logs.look_for("x", with_log("containerd exited", "containerd exited"), sign).verdict is Verdict.FOUND
    )


def test_containerds_own_newest_run_is_read_when_asked() -> None:
    old = ("containerd exited", 'level=info msg="starting containerd" version=2', "fine")
    assert logs.look_for("x", replace(GOOD, containerd_log=old), SIGN, containerd=True).verdict is Verdict.OK
    new = (*old, "containerd exited")
    assert (
        logs.look_for("x", replace(GOOD, containerd_log=new), SIGN, containerd=True).verdict is Verdict.FOUND
    )
    assert logs.look_for("x", replace(GOOD, containerd_log=new), SIGN).verdict is Verdict.OK
