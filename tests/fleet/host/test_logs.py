"""The controller's log says what happened, and no secret that somebody quoted on the way."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from archipel_fleet.host import logs
from archipel_fleet.host.unsaid import without_secrets
from tests.agent.planted import KINDS

OURS = (
    "enrolment token",
    "enrolment token in capitals",
    "enrolment link",
    "enrolment link in JSON",
    "enrolment token as a flag",
    "enrolment token in an error",
    "private key",
    "private key, EC",
    "private key, encrypted",
    "private key without its end",
    "ssh private key",
    "recovery text",
    "recovery text, typed",
    "recovery text with dashes",
    "pin in a URI",
    "proxy password",
    "proxy password in JSON",
    "broker password",
    "password in a URL",
    "password of a datastore",
    "proxy header",
    "bearer",
)


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[io.StringIO, Terminal], ids=["file", "terminal"])
def stream(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    before = logging.getLogger().handlers[:]
    made = request.param()
    logs.configure("INFO", made)
    yield made
    logging.basicConfig(handlers=before, force=True)
    structlog.reset_defaults()


@pytest.mark.parametrize("kind", OURS)
def test_no_secret_of_ours_gets_into_the_log(stream: io.StringIO, kind: str) -> None:
    text, secrets = KINDS[kind](b"eightbyt")
    log = structlog.get_logger()
    log.warning("an enrolment failed", detail=text, given=[text], more={"body": text})
    logging.getLogger("library").error("what it was asked: %s", text)
    try:
        raise ValueError(f"cannot read {text}")
    except ValueError:
        log.exception("it fell over")
        logging.getLogger("library").exception("it fell over, too")
    shown = stream.getvalue()
    assert shown.count("[removed]") >= 6
    assert "an enrolment failed" in shown and "it fell over, too" in shown and "Traceback" in shown
    assert [secret for secret in secrets if secret in shown] == []


def test_values_go_by_their_names(stream: io.StringIO) -> None:
    structlog.get_logger().info("opened", pin="1234", token_secret="word", passphrase="a b c", node="n-1")
    shown = stream.getvalue()
    assert "1234" not in shown and "word" not in shown and "a b c" not in shown
    assert "n-1" in shown


def test_an_ordinary_entry_comes_through_unchanged() -> None:
    made = io.StringIO()
    logs.configure("INFO", made)
    structlog.get_logger().info(
        "enrolled", node="n-7k2m9qxf04hvd1et", token="", url="mqtts://fleet.example:8883", n=[1]
    )
    entry = json.loads(made.getvalue())
    structlog.reset_defaults()
    assert (entry["node"], entry["url"], entry["n"], entry["token"]) == (
        "n-7k2m9qxf04hvd1et",
        "mqtts://fleet.example:8883",
        [1],
        "",
    )
    plain = "signed by k-7k2m9qxf04hvd1et, claim code 7k2m-9qxf-04hv, at https://fleet.example:8471"
    assert without_secrets(plain) == plain
