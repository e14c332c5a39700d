"""A rehearsal whose nodes belong to a fleet: each enrols over real HTTPS with a key of its own, and once only."""

import time
from datetime import UTC, datetime
from pathlib import Path

from archipel_agent.host.clock import SystemClock
from archipel_agent.paths import Paths, identity_of
from archipel_agent.rehearsal.fleet.linking import cast
from archipel_agent.rehearsal.fleet.orders import Order
from archipel_agent.rehearsal.fleet.process import Company
from archipel_contract.status import Membership, Report
from tests.fakes.enrolment import FakeFleet, FleetKeys, serving_tls

SECONDS = 15.0


def company(root: Path, enrol: str) -> Company:
    """Two sites of two nodes."""
    order = Order(
        first=1,
        last=2,
        nodes=2,
        seed=7,
        broker="",
        enrol=enrol,
        root=str(root),
        interval=1.0,
        metrics_every=300.0,
        pace=0.02,
    )
    made = Company(order, SystemClock(), cast)
    for _ in made.enter():
        pass
    return made


def reports(made: Company) -> list[Report]:
    """What each node last reported."""
    return [node.report for node in made._nodes.values() if node.report is not None]


def play_until_enrolled(made: Company) -> list[Report]:
    """Take turns until every node is, or the time is over."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        time.sleep(min(0.1, made.take_turns()))
        if all(one.enrolment.state is Membership.ENROLLED for one in reports(made)):
            break
    return reports(made)


def test_every_rehearsed_node_enrols_with_a_key_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    fleet = FakeFleet(
        FleetKeys(), now=datetime.now(UTC), has_many_uses=True, brokers=("mqtts://127.0.0.1:1",)
    )
    with serving_tls(fleet, tmp_path) as address:
        link = f"{address}/#{fleet.token().text}"
        made = company(tmp_path / "play", link)
        try:
            seen = play_until_enrolled(made)
            for node in made._nodes.values():
                node.stop()
                node.start()
            again = play_until_enrolled(made)
        finally:
            made.leave()
        company(tmp_path / "play", link).leave()  # the same directory once more
    assert [one.enrolment.state for one in seen] == [Membership.ENROLLED] * 4
    assert len(fleet.known) == len(set(fleet.known.values())) == 4
    assert all(request.rehearsed for request in fleet.requests)
    assert {request.site_name for request in fleet.requests} == {"rehearsed-001", "rehearsed-002"}
    assert {one.link.broker for one in again} == {"mqtts://127.0.0.1:1"}
    assert len(fleet.issued) == 4
    for place in (tmp_path / "play/nodes").iterdir():
        key = identity_of(Paths(place)).key
        assert key.stat().st_mode & 0o777 == 0o600
