"""The checks of the link: what they say of each state, and that none of it makes a site unhealthy."""

from dataclasses import replace
from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given

from archipel_agent import judge
from archipel_agent.checks import link_broker, link_controller, link_outbox, link_trouble, registry
from archipel_agent.checks.base import Evidence, Phase
from archipel_contract.catalogue import entry
from archipel_contract.findings import CheckResult, Severity, Verdict
from archipel_contract.status import Health, LinkMode, LinkState, LinkStatus
from tests.agent.checks.machines import BLIND, GOOD, NOW, SITE, only

CONNECTED = LinkStatus(
    mode=LinkMode.ALWAYS_ON, state=LinkState.CONNECTED, broker="mqtt://127.0.0.1:1883", since=NOW.isoformat()
)
CHECKS = (link_broker, link_controller, link_outbox)
TROUBLES = {
    *link_trouble.BROKER,
    link_trouble.UNANSWERED,
    link_trouble.BACKLOG,
    link_trouble.DROPPED,
    link_trouble.DAMAGED,
}


def at(state: LinkState, minutes: float = 0.0, code: str = "", message: str = "") -> Evidence:
    """A good machine whose link has been in `state` for so many minutes."""
    since = (NOW - timedelta(minutes=minutes)).isoformat()
    return replace(GOOD, link=replace(CONNECTED, state=state, since=since, code=code, message=message))


def found(evidence: Evidence) -> list[str]:
    """The codes all three checks find."""
    results: list[CheckResult] = [check.look(evidence) for check in CHECKS]
    return [one.code for result in results for one in result.findings]


def test_a_site_without_a_fleet_has_no_finding_about_its_link() -> None:
    assert found(replace(GOOD, link=LinkStatus())) == []
    assert all(check.look(replace(GOOD, link=LinkStatus())).verdict is Verdict.OK for check in CHECKS)


@pytest.mark.parametrize("link", [None, LinkStatus(mode=LinkMode.ALWAYS_ON, state=LinkState.UNKNOWN)])
def test_a_command_without_an_agent_does_not_judge_the_link(link: LinkStatus | None) -> None:
    for check in CHECKS:
        assert check.look(replace(GOOD, link=link)).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("state", [LinkState.CONNECTED, LinkState.PLANNED_QUIET])
def test_a_link_that_stands_or_is_quiet_as_planned_is_fine_for_ever(state: LinkState) -> None:
    assert found(at(state, minutes=100_000)) == []


def test_a_broker_that_is_away_for_a_moment_is_no_finding_and_then_a_hint() -> None:
    assert found(at(LinkState.AWAY, 1, "link-broker-away", "Connection refused")) == []
    one = only(link_broker.look(at(LinkState.AWAY, 3, "link-broker-away", "Connection refused")))
    assert (one.code, one.severity) == ("link-broker-away", Severity.HINT)
    assert one.params == {"broker": "mqtt://127.0.0.1:1883", "problem": "Connection refused"}


def test_a_proxy_that_is_away_for_a_moment_is_no_finding_and_then_a_hint_of_its_own() -> None:
    assert found(at(LinkState.AWAY, 1, "link-proxy-away", "Connection refused")) == []
    assert found(at(LinkState.AWAY, 3, "link-proxy-away", "Connection refused")) == ["link-proxy-away"]


@pytest.mark.parametrize("code", [code for code in link_trouble.BROKER if code not in link_trouble.AWAY])
def test_a_setting_that_can_never_work_is_a_warning_at_once(code: str) -> None:
    one = only(link_broker.look(at(LinkState.AWAY, 0, code, "no MQTT here")))
    assert (one.code, one.severity, one.evidence) == (code, Severity.WARNING, ("no MQTT here",))


def test_an_away_link_without_a_known_reason_is_still_told() -> None:
    assert found(at(LinkState.AWAY, 60)) == ["link-broker-away"]


def test_a_controller_that_does_not_answer_is_told_after_ten_minutes_with_when_it_last_did() -> None:
    assert found(at(LinkState.UNANSWERED, 9)) == []
    silent = at(LinkState.UNANSWERED, 11)
    assert silent.link is not None
    heard = replace(silent, link=replace(silent.link, last_answer_at="2026-11-21T08:00:00Z"))
    assert only(link_controller.look(silent)).params["last"] == "never"
    assert only(link_controller.look(heard)).params["last"] == "2026-11-21T08:00:00Z"


@pytest.mark.parametrize("since", ["", "rubbish", "2026-11-22T08:00:00", "2027-01-01T00:00:00Z"])
def test_a_time_that_cannot_be_is_taken_as_long_ago(since: str) -> None:
    link = replace(CONNECTED, state=LinkState.UNANSWERED, since=since)
    assert found(replace(GOOD, link=link)) == ["link-unanswered"]


def test_an_outbox_at_four_fifths_of_its_room_is_told_before_it_drops_anything() -> None:
    def filled(share: float) -> Evidence:
        waiting = int(share * 1_000_000)
        link = replace(CONNECTED, waiting=5000, waiting_bytes=waiting, limit_bytes=1_000_000)
        return replace(GOOD, link=link)

    assert found(filled(0.79)) == []
    assert only(link_outbox.look(filled(0.8))).params == {"count": "5000", "used": "80 %"}


def test_an_outbox_of_unknown_size_is_never_said_to_be_full() -> None:
    assert found(replace(GOOD, link=replace(CONNECTED, waiting_bytes=10**12))) == []


def test_dropped_messages_are_told_with_their_number_even_when_the_link_is_back() -> None:
    one = only(link_outbox.look(replace(GOOD, link=replace(CONNECTED, dropped=17))))
    assert (one.code, one.params) == ("link-dropped", {"count": "17"})


def test_no_trouble_of_the_link_is_a_problem() -> None:
    assert all(entry(code).severity in (Severity.HINT, Severity.WARNING) for code in TROUBLES)


LINKS = st.builds(
    LinkStatus,
    mode=st.sampled_from(LinkMode),
    state=st.sampled_from(LinkState),
    since=st.sampled_from(("", NOW.isoformat(), (NOW - timedelta(days=1)).isoformat())),
    code=st.sampled_from((*sorted(TROUBLES), "", "message-oversized")),
    waiting_bytes=st.integers(0, 100),
    limit_bytes=st.integers(0, 100),
    dropped=st.integers(0, 2),
)


@given(LINKS)
def test_whatever_the_link_does_the_site_stays_healthy_and_the_rule_says_what_the_checks_say(
    link: LinkStatus,
) -> None:
    evidence = replace(GOOD, link=link)
    assert list(link_trouble.codes(link, NOW)) == found(evidence)
    findings = registry.findings(registry.look_all(evidence, Phase.RUNTIME))
    assert {one.code for one in findings} == set(found(evidence))
    assert judge.health(SITE, evidence, findings, working=False) is Health.HEALTHY


def test_a_trouble_that_comes_or_goes_makes_the_next_turn_look_closely() -> None:
    prints = {
        judge.fingerprint(one)
        for one in (at(LinkState.CONNECTED), at(LinkState.AWAY, 3), at(LinkState.UNANSWERED, 11), BLIND)
    }
    assert len(prints) == 4
    assert judge.fingerprint(at(LinkState.AWAY, 1)) == judge.fingerprint(at(LinkState.CONNECTED))


def test_an_outbox_that_was_set_aside_is_a_finding_while_the_agent_runs() -> None:
    one = only(link_outbox.look(at(LinkState.CONNECTED, 0, link_trouble.DAMAGED, "not a database")))
    assert (one.code, one.params) == ("link-outbox-damaged", {"problem": "not a database"})
    assert found(at(LinkState.CONNECTED)) == []
