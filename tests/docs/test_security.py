"""The threat model says what is so: threats name tests that exist, commands can be typed, lifetimes are the code's."""

import re

import pytest

from archipel_contract.trust.certificates import AUTHORITY_DAYS, DEVICE_DAYS, SERVER_DAYS
from archipel_fleet.enrolment.caring import NewToken
from archipel_fleet.enrolment.rule import RENEW_DAYS
from archipel_fleet.trust.server import CLIENT_DAYS
from tests.docs import pages
from tests.docs.test_pages import read_by_typer, without_sudo

REPOSITORY = pages.DOCS.parent
PAGE = "../SECURITY"
TESTS = {
    name
    for path in (REPOSITORY / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
}


def threats() -> list[list[str]]:
    """Return the rows of the tables whose last column names tests."""
    return [row for row in pages.rows(PAGE) if "`test_" in row[-1]]


def lives(key: str) -> str:
    """Return how long a key lives, by the first words of its row."""
    (row,) = [row for row in pages.rows(PAGE) if row[0] == key and len(row) == 4]
    return row[-1]


def test_every_test_that_is_named_exists() -> None:
    named = {code for code in pages.codes(pages.text(PAGE)) if code.startswith("test_")}
    assert len(named) > 50
    assert named - TESTS == set()


def test_every_threat_names_a_test() -> None:
    body = pages.text(PAGE).partition("## Who might attack")[2].partition("\n## Keys")[0]
    rows = [
        line
        for line in body.splitlines()
        if line.startswith("|") and not line.startswith(("|---", "| it tries"))
    ]
    assert len(rows) == len(threats()) > 30


@pytest.mark.parametrize("words", pages.mentions(PAGE), ids=lambda words: " ".join(words))
def test_every_command_can_be_typed(words: list[str]) -> None:
    words = without_sudo(words)
    assert words[0] == "archipel"
    if words[1] == "fleet":
        read_by_typer(words[2:])


def test_lifetimes_are_those_of_the_code() -> None:
    assert lives("the fleet's CA") == f"{AUTHORITY_DAYS // 365} years"
    assert lives("brokers' and servers'").startswith(f"{SERVER_DAYS} days")
    assert lives("controller towards brokers").startswith(f"{CLIENT_DAYS} days")
    assert lives("device").startswith(f"{DEVICE_DAYS} days") and f"{RENEW_DAYS} days" in lives("device")
    assert lives("enrolment token").startswith(f"{NewToken().hours} hours")
