"""The checks of k3s as a program and a service, of the agent's own files, and of what Kubernetes says."""

from dataclasses import replace

import pytest

from archipel_agent import judge
from archipel_agent.checks import (
    foreign_k3s,
    k3s_binary,
    k3s_service,
    kubernetes_api,
    node,
    own_state,
    pods,
    settings,
)
from archipel_contract.findings import CheckResult, Severity, Verdict
from archipel_contract.site import Desired
from archipel_contract.status import ClusterNode, ClusterStatus, Pod, ServiceState
from tests.agent.checks.machines import (
    BLIND,
    CLUSTER,
    COREDNS,
    FRESH,
    GOOD,
    NODE,
    SITE,
    only,
    with_log,
)


def pod(reason: str, namespace: str = "default", name: str = "app-1", phase: str = "Pending") -> Pod:
    return Pod(namespace=namespace, name=name, phase=phase, ready=False, reason=reason, message="because")


def test_no_other_k3s_passes_and_an_unknown_answer_is_not_decided() -> None:
    assert foreign_k3s.look(FRESH).verdict is Verdict.OK
    assert foreign_k3s.look(BLIND).verdict is Verdict.UNDECIDED


def test_somebody_elses_k3s_is_named_by_its_signs() -> None:
    signs = ("unit /etc/systemd/system/k3s.service", "process k3s-server (pid 9)")
    finding = only(foreign_k3s.look(replace(FRESH, foreign_k3s=signs)))
    assert finding.evidence == signs
    assert signs[0] in finding.summary + finding.params["sign"]


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        ("/tmp/k3s: Exec format error", "k3s-wrong-architecture"),
        ("[Errno 8] Exec format error: '/tmp/k3s'", "k3s-wrong-architecture"),
        ("/tmp/k3s: ended by signal 11 (Segmentation fault)", "k3s-truncated"),
        ("/tmp/k3s was killed by SIGSEGV", "k3s-truncated"),
        ("/tmp/k3s: No such file or directory", "k3s-not-found"),
        ("/tmp/k3s: permission denied", "k3s-broken"),
    ],
)
def test_why_a_k3s_does_not_run_is_told_apart(problem: str, code: str) -> None:
    finding = only(k3s_binary.look(replace(FRESH, binary_problem=problem)))
    assert (finding.code, finding.severity) == (code, Severity.PROBLEM)


def test_a_k3s_that_told_its_version_passes_and_an_unasked_one_is_not_decided() -> None:
    assert "v1.36.3+k3s1" in k3s_binary.look(FRESH).said
    assert k3s_binary.look(replace(FRESH, binary=None)).verdict is Verdict.UNDECIDED


def test_systemd_failing_to_execute_k3s_is_the_wrong_architecture() -> None:
    line = "k3s.service: Failed to execute /usr/local/bin/k3s: Exec format error"
    assert only(k3s_binary.look(with_log(line))).code == "k3s-wrong-architecture"


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        ("database disk image is malformed", "state-damaged"),
        ("written by a newer Archipel (schema 9, this program knows 1)", "state-newer"),
        ("database is locked", "state-locked"),
        ("attempt to write a readonly database", "state-read-only"),
        ("No space left on device", "disk-full"),
    ],
)
def test_what_is_wrong_with_our_own_state_is_told_apart(problem: str, code: str) -> None:
    finding = only(own_state.look(replace(GOOD, state_problem=problem)))
    assert (finding.code, finding.params["path"]) == (code, "/var/lib/archipel")


def test_usable_state_and_settings_pass() -> None:
    assert own_state.look(GOOD).verdict is Verdict.OK
    assert settings.look(GOOD).verdict is Verdict.OK


def test_a_mistake_in_the_settings_is_quoted() -> None:
    finding = only(settings.look(replace(GOOD, settings_problem="interval: must be a number, not 'ten'")))
    assert finding.code == "settings-invalid"
    assert finding.params["problem"].startswith("interval")


def test_a_running_k3s_passes_and_a_starting_one_is_not_decided() -> None:
    assert k3s_service.look(GOOD).verdict is Verdict.OK
    starting = replace(GOOD, k3s=replace(GOOD.k3s, state=ServiceState.STARTING))
    assert k3s_service.look(starting).verdict is Verdict.UNDECIDED
    assert k3s_service.look(BLIND).verdict is Verdict.UNDECIDED


def test_a_crash_loop_quotes_what_k3s_named_as_its_cause() -> None:
    line = 'time="x" level=error msg="Shutdown request received: \\"containerd exited: exit status 1\\""'
    finding = only(k3s_service.look(with_log(line, state=ServiceState.FAILING)))
    assert (finding.code, finding.params["cause"]) == ("k3s-crash-loop", "containerd exited: exit status 1")
    assert "4 times" in finding.summary


def test_a_crash_loop_without_a_word_says_so() -> None:
    assert only(k3s_service.look(with_log(state=ServiceState.FAILING))).code == "k3s-crash-loop-silent"


def test_a_k3s_that_is_gone_and_one_that_is_stopped_are_told_apart() -> None:
    gone = replace(GOOD, k3s=replace(GOOD.k3s, state=ServiceState.ABSENT))
    assert only(k3s_service.look(gone)).code == "k3s-absent"
    assert only(k3s_service.look(with_log(state=ServiceState.STOPPED))).code == "k3s-stopped-silent"


def test_a_k3s_stopped_on_request_is_as_it_should_be() -> None:
    site = replace(SITE, desired=Desired.STOPPED)
    stopped = replace(GOOD, site=site, k3s=replace(GOOD.k3s, state=ServiceState.STOPPED))
    assert k3s_service.look(stopped).verdict is Verdict.OK


def test_an_api_that_does_not_answer_is_told_from_one_that_is_not_ready() -> None:
    silent = replace(GOOD, cluster=ClusterStatus(reachable=False, message="connection refused"))
    assert only(kubernetes_api.look(silent)).code == "api-unreachable"
    early = replace(GOOD, cluster=ClusterStatus(reachable=True, ready=False, message="apiserver not ready"))
    assert only(kubernetes_api.look(early)).code == "api-not-ready"
    assert kubernetes_api.look(GOOD).verdict is Verdict.OK


def test_the_api_of_a_k3s_that_does_not_run_is_not_decided() -> None:
    down = replace(
        GOOD, k3s=replace(GOOD.k3s, state=ServiceState.FAILING), cluster=ClusterStatus(reachable=False)
    )
    assert kubernetes_api.look(down).verdict is Verdict.UNDECIDED
    assert kubernetes_api.look(BLIND).verdict is Verdict.UNDECIDED


def test_a_node_that_is_not_ready_says_why_in_kubernetes_words() -> None:
    sick = replace(NODE, ready=False, reason="KubeletNotReady", message="cni plugin not initialized")
    finding = only(node.look(replace(GOOD, cluster=replace(CLUSTER, nodes=(sick,)))))
    assert finding.code == "node-not-ready"
    assert finding.evidence == ("KubeletNotReady: cni plugin not initialized",)


def test_a_node_kubernetes_does_not_know_is_missing() -> None:
    finding = only(node.look(replace(GOOD, cluster=replace(CLUSTER, nodes=()))))
    assert (finding.code, finding.params["name"]) == ("node-missing", "edge-07")


def with_others(*others: ClusterNode) -> CheckResult:
    """The verdict on a cluster of our node and these."""
    return node.look(replace(GOOD, cluster=replace(CLUSTER, nodes=(*CLUSTER.nodes, *others))))


def joined(name: str, *, ready: bool = True, message: str = "") -> ClusterNode:
    """A node that the site does not know."""
    return replace(CLUSTER.nodes[0], name=name, ready=ready, message=message)


def test_machines_that_somebody_joined_are_a_hint_while_they_are_ready() -> None:
    one = only(with_others(joined("second"), joined("third")))
    assert (one.code, one.severity) == ("nodes-joined", Severity.HINT)
    assert one.params["names"] == "second, third"


def test_one_of_them_that_is_away_is_a_warning_and_no_problem_of_ours() -> None:
    gone = joined("third", ready=False, message="Kubelet stopped posting node status.")
    one = only(with_others(joined("second"), gone))
    assert (one.code, one.severity) == ("nodes-joined-away", Severity.WARNING)
    assert one.params["names"] == "third"
    assert one.next_step.endswith("sudo archipel kubectl delete node third")
    assert one.evidence == ("second: Ready", "third: Kubelet stopped posting node status.")


def test_machines_that_joined_are_not_counted_among_the_sites_own() -> None:
    seen = replace(GOOD, cluster=replace(CLUSTER, nodes=(*CLUSTER.nodes, joined("second"))))
    assert "1 of 1 nodes ready and 1 joined by hand, " in judge.sentence(SITE, seen, (), (), "")
    assert "1 of 1 nodes ready, " in judge.sentence(SITE, GOOD, (), (), "")


def test_nodes_are_not_decided_while_the_api_is_silent() -> None:
    assert node.look(replace(GOOD, cluster=ClusterStatus(reachable=False))).verdict is Verdict.UNDECIDED
    assert node.look(BLIND).verdict is Verdict.UNDECIDED
    assert node.look(GOOD).said == "Ready: edge-07"


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("ImagePullBackOff", "pod-image-missing"),
        ("ErrImagePull", "pod-image-missing"),
        ("CrashLoopBackOff", "pod-crash-loop"),
        ("OOMKilled", "pod-out-of-memory"),
        ("Unschedulable", "pod-unschedulable"),
        ("Evicted", "pod-evicted"),
        ("ContainerCreating", "pods-not-ready"),
    ],
)
def test_pods_are_grouped_by_what_keeps_them(reason: str, code: str) -> None:
    cluster = replace(CLUSTER, pods=(COREDNS, pod(reason), pod(reason, name="app-2")))
    finding = only(pods.look(replace(GOOD, cluster=cluster)))
    assert (finding.code, finding.severity) == (code, Severity.WARNING)
    assert finding.params["pods"] == "default/app-1, default/app-2"


def test_a_pod_of_kubernetes_itself_makes_it_a_problem() -> None:
    cluster = replace(CLUSTER, pods=(pod("ImagePullBackOff", "kube-system", "coredns-1"),))
    assert only(pods.look(replace(GOOD, cluster=cluster))).severity is Severity.PROBLEM


def test_many_pods_are_counted_rather_than_listed() -> None:
    many = tuple(pod("Evicted", name=f"app-{number}", phase="Failed") for number in range(9))
    finding = only(pods.look(replace(GOOD, cluster=replace(CLUSTER, pods=many))))
    assert finding.params["pods"].endswith("default/app-2 (+6)")
    assert len(finding.evidence) == 3


def test_finished_pods_are_no_trouble_and_no_pods_are_no_answer() -> None:
    done = pod("Completed", phase="Succeeded")
    assert pods.look(replace(GOOD, cluster=replace(CLUSTER, pods=(COREDNS, done)))).verdict is Verdict.OK
    assert pods.look(replace(GOOD, cluster=replace(CLUSTER, pods=()))).verdict is Verdict.UNDECIDED
    assert pods.look(BLIND).verdict is Verdict.UNDECIDED
