"""400 days without contact, a certificate that ends meanwhile, a clock that drifts and is then in 1970: and then contact.

Whatever the silence: the site stays as it is, the machine stays who it is, and what happened is known afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from archipel_agent.rehearsal.fleet import acts
from archipel_contract.commands import Action, Command, Outcome
from archipel_contract.status import LinkState, Membership
from tests.chaos.year import DAY, Year

SILENT_DAYS = 400


@dataclass
class Told:
    """The year, and what was seen on its way."""

    year: Year
    before: dict[str, Any]
    in_silence: dict[str, Any]
    late: Command  # ordered early, long expired at contact
    fresh: Command


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Live through it once, for all tests of this file."""
    year = Year(Path(tmp_path_factory.mktemp("year")))
    year.go_on(2)
    before = year.untouched()
    year.silence()
    year.node.make(acts.CLOCK, "drift +200ppm")
    year.go_on(10, turns=1.0)
    late = year.order(Action.LOGS, days=30)
    year.go_on(290, turns=1.0)
    year.node.make(acts.POWER_CUT)
    year.clock.advance(3600.0)
    year.node.make(acts.CLOCK, acts.EPOCH)
    year.node.heal(acts.POWER_CUT)
    year.go_on(SILENT_DAYS - 300 - 5, turns=1.0)
    fresh = year.order(Action.LOGS, days=30)
    year.go_on(5, turns=1.0)
    in_silence = year.untouched()
    year.contact()
    year.go_on(3, turns=0.05)
    yield Told(year, before, in_silence, late, fresh)
    year.close()


pytestmark = pytest.mark.timeout(120)


def test_silence_touches_nothing_at_the_site(told: Told) -> None:
    assert told.in_silence == told.before
    assert told.year.untouched() == told.before  # nor does the contact


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
    assert len(arrived) > 350


def test_an_order_that_expired_meanwhile_is_not_done_and_a_fresh_one_is(told: Told) -> None:
    results = told.year.controller.results
    assert results[told.fresh.id].outcome is Outcome.DONE
    assert results[told.late.id].outcome is Outcome.REFUSED
    assert results[told.late.id].code in ("order-expired", "order-not-fresh")


def test_nobody_had_to_enrol_again(told: Told) -> None:
    year = told.year
    assert {one.node_id for one in year.store.devices.all_devices()} == {year.machine.plan.node_id}
    assert year.clock.monotonic() > SILENT_DAYS * DAY
