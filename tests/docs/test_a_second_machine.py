"""Whoever has only the pages gets a first and a second machine into a fleet: their commands, typed in their order, on real
processes. Only addresses, and what a page says is printed, are put in place of the examples.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from archipel_contract.status import Membership
from tests.demo.fleet import Fleet
from tests.demo.grounds import RehearsedGround
from tests.docs import pages
from tests.hosts import shell

pytestmark = [pytest.mark.real_process, pytest.mark.broker]
EXAMPLE = "https://fleet.example:8471"


@dataclass
class Workshop:
    """A controller and two machines that know nothing, with somebody who types what a page says."""

    fleet: Fleet
    first: RehearsedGround
    second: RehearsedGround
    stick: Path
    typed: list[str] = field(default_factory=list)

    def types(self, page: str, begins: str, at: RehearsedGround | None, **instead: str) -> shell.Completed:
        """Type the command of a page that begins like this, at a machine or at the fleet; it has to succeed."""
        [words] = [one for one in pages.commands(page) if " ".join(one).startswith(begins)]
        words = [instead.get(one, one) for one in words if one != "sudo"]
        assert words[0] == "archipel"
        self.typed.append(" ".join(words))
        done = self.fleet.archipel(*words[1:]) if at is None else at.archipel(*words[1:])
        assert done.rc == 0, f"{self.typed}: {done.stdout}{done.stderr}"
        return done

    def membership(self, at: RehearsedGround) -> str:
        """How a machine stands with its fleet, as `archipel enrol` tells it."""
        return at.archipel("enrol").stdout


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """All of it running."""
    fleet = Fleet()
    grounds: list[RehearsedGround] = []
    try:
        grounds = [RehearsedGround(), RehearsedGround()]
        yield Workshop(fleet, grounds[0], grounds[1], tmp_path)
    finally:
        for one in grounds:
            one.close()
        fleet.close()


@pytest.mark.timeout(120)
def test_the_pages_alone_bring_a_first_and_a_second_machine_of_a_site_into_the_fleet(
    workshop: Workshop,
) -> None:
    given = workshop.types("fleet-admin", "archipel fleet token new", None).stdout
    link = next(word for word in given.split() if word.startswith("https://"))
    workshop.first.archipel("up").ok()
    workshop.types("fleet-admin", f"sudo archipel enrol {EXAMPLE}", workshop.first, **{EXAMPLE: link})
    assert str(Membership.ENROLLED) in workshop.types("fleet-admin", "archipel status", workshop.first).stdout
    # The technician's page: two files on a stick.
    files = {name: str(workshop.stick / name) for name in ("request", "voucher")}
    workshop.types("technician", "sudo archipel enrol --request", workshop.second, **files)
    workshop.types("technician", "sudo archipel enrol --vouch", workshop.first, **files)
    workshop.types("technician", "sudo archipel enrol --token-file voucher", workshop.second, **files)
    assert "enrolled" in workshop.membership(workshop.second)
    devices = workshop.fleet.asks("devices")
    rows = devices["rows"] if isinstance(devices, dict) else devices
    assert sorted(one["approval"] for one in rows) == ["token", "voucher"]
    assert len({one["site_id"] for one in rows}) == 1
    said = workshop.types("fleet-admin", "archipel fleet audit --verify", None)
    assert said.rc == 0
