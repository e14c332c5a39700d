"""400 days without contact, a certificate that ends meanwhile, a clock that drifts and is then in 1970: and then contact.

Whatever the silence: the site stays as it is, the machine stays who it is, and what happened is known afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from archipel_agent.rehearsal.fleet import acts
from archipel_contract.commands import Action, Command, Outcome
from archipel_contract.status import LinkState, Membership
from archipel_fleet.device_records import DeviceState
from archipel_fleet.records import EVERYTHING
from tests.chaos.year import DAY, Year

SILENT_DAYS = 400


@dataclass
class Told:
    """The year, and what was seen on its way."""

    year: Year
    before: dict[str, Any]
    in_silence: dict[str, Any]
    k3s_began: list[datetime]  # at the beginning, before and after the power cut, and in the end
    late: Command  # ordered early, long expired at contact
    fresh: Command


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Live through it once, for all tests of this file."""
    year = Year(Path(tmp_path_factory.mktemp("year")))
    year.go_on(2)
    before, began = year.untouched(), [year.k3s_began()]
    year.silence()
    year.node.make(acts.CLOCK, "drift +200ppm")
    year.go_on(10, turns=4.0)
    late = year.order(Action.LOGS, days=30)
    year.go_on(290, turns=4.0)
    began.append(year.k3s_began())
    year.node.make(acts.POWER_CUT)
    year.clock.advance(3600.0)
    year.node.make(acts.CLOCK, acts.EPOCH)
    year.node.heal(acts.POWER_CUT)
    year.go_on(1)
    began.append(year.k3s_began())
    year.go_on(SILENT_DAYS - 301 - 5, turns=4.0)
    fresh = year.order(Action.LOGS, days=30)
    year.go_on(5, turns=4.0)
    in_silence = year.untouched()
    year.contact()
    year.go_on(3, turns=0.2)
    began.append(year.k3s_began())
    yield Told(year, before, in_silence, began, late, fresh)
    year.close()


pytestmark = pytest.mark.timeout(180)  # of real seconds, on a machine that does something else too


def test_silence_touches_nothing_at_the_site(told: Told) -> None:
    assert told.in_silence == told.before
    assert told.year.untouched() == told.before  # nor does the contact


def test_k3s_runs_on_and_is_started_by_the_power_alone(told: Told) -> None:
    first, until_the_cut, after_it, last = told.k3s_began
    assert until_the_cut == first
    assert last == after_it


def test_the_certificate_had_ended_and_is_renewed_with_the_ended_one(told: Told) -> None:
    year = told.year
    assert year.bridge.renewals and year.bridge.renewals[0]  # what was shown had ended
    assert year.identity.certificate.name == year.machine.plan.node_id
    assert year.identity.certificate.not_after > year.clock.now() + timedelta(days=300)
    assert year.here.keeper.status().state is Membership.ENROLLED


def test_the_site_is_back_although_its_clock_is_in_1970(told: Told) -> None:
    year = told.year
    assert year.here.link.status().state in (LinkState.CONNECTED, LinkState.PLANNED_QUIET)
    assert year.machine.clock.now().year < 1975
    report = year.node.report
    assert report is not None and report.node.clock.value == "wrong"


def test_everything_that_happened_has_arrived_or_is_declared_lost(told: Told) -> None:
    controller = told.year.controller
    arrived = {one.text for one in controller.records.events.values() if one.text.isdigit()}
    missing = {str(number) for number in range(1, told.year.told)} - arrived
    numbered = {
        (epoch, sequence)
        for epoch, done in controller.records.done.items()
        for sequence in range(1, max(done) + 1)
    }
    lost = {one for one in numbered if one[1] not in controller.records.done[one[0]]}
    assert {one for one in lost if not controller.missing(*one)} == set()
    assert len(missing) <= len(lost)
    assert len(arrived) > SILENT_DAYS / 4 - 10


def test_an_order_that_expired_meanwhile_is_not_done_and_a_fresh_one_is(told: Told) -> None:
    outcomes = told.year.controller.outcomes
    assert Outcome.DONE in {one.outcome for one in outcomes[told.fresh.id]}
    assert {one.outcome for one in outcomes[told.late.id]} == {Outcome.REFUSED}
    assert outcomes[told.late.id][0].code in ("order-expired", "order-not-fresh")
    accepted = [one for one in told.year.journal() if (one.action, one.outcome) == ("order:logs", "accepted")]
    assert [one.params["command"] for one in accepted] == [told.fresh.id]


def test_nobody_had_to_enrol_again(told: Told) -> None:
    year = told.year
    rows = year.store.devices.rows(EVERYTHING)
    assert [(one.node_id, one.state) for one in rows.rows] == [
        (year.machine.plan.node_id, DeviceState.ACTIVE)
    ]
    assert not list(year.machine.paths.state.glob("identity/invitation"))
    assert year.clock.monotonic() > SILENT_DAYS * DAY
