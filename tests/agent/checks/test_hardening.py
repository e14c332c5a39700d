"""Exceptions from hardening: each is shown with its reason, one without a reason is a warning, additions are none."""

from dataclasses import replace

import pytest

from archipel_agent.checks import hardening
from archipel_agent.k3s.hardening_seen import HardeningSeen
from archipel_contract.findings import CheckResult, Severity, Verdict
from tests.agent.checks.machines import GOOD, only


def looked(additions: str | None) -> CheckResult:
    return hardening.look(replace(GOOD, k3s_drop_ins=additions))


@pytest.mark.parametrize(
    "additions",
    [
        "",
        "kubelet-arg+:\n  - fail-cgroupv1=false\n",
        'node-label:\n  - "room=7"\n',
        "secrets-encryption: true\n",
        "kubelet-arg+:\n  - pod-max-pids=4096\n",
    ],
)
def test_additions_that_set_nothing_aside_are_no_exceptions(additions: str) -> None:
    assert looked(additions).verdict is Verdict.OK


def test_an_exception_is_shown_with_the_reason_that_stands_above_it() -> None:
    one = only(looked("# The old monitoring.\n# Until 2027.\nsecrets-encryption: false\n"))
    assert (one.code, one.severity) == ("hardening-exception", Severity.HINT)
    assert one.evidence == ("secrets-encryption: The old monitoring. Until 2027.",)


def test_a_reason_may_stand_in_the_list_above_the_argument() -> None:
    one = only(looked("kubelet-arg+:\n  # many small pods\n  - pod-max-pids=100\n"))
    assert one.evidence == ("pod-max-pids: many small pods",)


def test_an_exception_without_a_reason_is_a_warning() -> None:
    one = only(looked("# about something else\n\nsecrets-encryption: false\n"))
    assert (one.code, one.severity) == ("hardening-exception-unexplained", Severity.WARNING)
    assert one.params["names"] == "secrets-encryption"


def test_a_list_given_without_plus_takes_everything_out_of_ours() -> None:
    one = only(looked("# needed here\nkubelet-arg:\n  - fail-cgroupv1=false\n"))
    assert {line.split(":")[0] for line in one.evidence} == {
        "eviction-hard",
        "streaming-connection-idle-timeout",
        "pod-max-pids",
        "tls-cipher-suites",
    }


def test_additions_that_cannot_be_read_leave_it_undecided() -> None:
    assert looked(None).verdict is Verdict.UNDECIDED


def of_cluster(**seen: object) -> CheckResult:
    made = HardeningSeen(**seen)  # type: ignore[arg-type]  # each value has the type of its field
    return hardening.look(replace(GOOD, k3s_drop_ins="", hardening=made))


def test_policies_that_are_not_in_force_are_a_warning_that_names_them() -> None:
    one = only(of_cluster(missing=("kube-system/archipel-dns",)))
    assert (one.code, one.severity) == ("network-policies-missing", Severity.WARNING)
    assert one.params["names"] == "kube-system/archipel-dns"


@pytest.mark.parametrize(("shared", "codes"), [(True, ["agent-token-shared"]), (False, []), (None, [])])
def test_a_token_that_agents_share_with_servers_is_a_hint(shared: bool | None, codes: list[str]) -> None:
    assert [one.code for one in of_cluster(shared_token=shared).findings] == codes


def test_a_namespace_that_is_enforced_less_is_an_exception_with_its_annotation() -> None:
    one = only(of_cluster(lowered=(("cameras", "privileged", "host network, until 2027"),)))
    assert (one.code, one.severity) == ("hardening-exception", Severity.HINT)
    assert one.evidence == ("namespace cameras (privileged): host network, until 2027",)


def test_a_namespace_without_a_reason_warns_also_beside_one_that_has_one() -> None:
    one = only(of_cluster(lowered=(("a", "privileged", "old"), ("b", "privileged", ""))))
    assert (one.code, one.params["names"]) == ("hardening-exception-unexplained", "namespace b (privileged)")


def test_default_accounts_that_hand_out_their_token_are_a_warning_that_names_the_namespaces() -> None:
    one = only(of_cluster(handing=(("default", ""), ("kube-public", ""))))
    assert (one.code, one.severity) == ("default-accounts-open", Severity.WARNING)
    assert one.params["names"] == "default, kube-public"


def test_an_account_whose_annotation_says_why_is_an_exception_and_no_warning() -> None:
    one = only(of_cluster(handing=(("default", "the old gateway asks the API, until 2027"),)))
    assert (one.code, one.severity) == ("hardening-exception", Severity.HINT)
    assert one.evidence == ("default account of default: the old gateway asks the API, until 2027",)


@pytest.mark.parametrize(
    ("addition", "name"),
    [
        ("disable-network-policy: true\n", "disable-network-policy"),
        ("agent-token: another-word\n", "agent-token"),
        ("agent-token-file: /root/other\n", "agent-token-file"),
    ],
)
def test_what_takes_policies_or_the_token_away_is_an_exception_too(addition: str, name: str) -> None:
    one = only(looked(addition))
    assert one.params["names"] == name
    assert "another-word" not in str(one)


def test_a_cluster_that_could_not_be_asked_is_said_so() -> None:
    assert "could not be asked" in looked("").said
    assert "could not be asked" not in of_cluster().said
