"""A report that was altered in any place does not verify; one that was not says by whom it was signed."""

import base64
import json
from pathlib import Path

import pytest

from archipel_agent.acceptance import signing
from archipel_agent.acceptance.figures import Figure, Report, Verdict
from archipel_agent.acceptance.signing import ReportInvalid
from archipel_agent.acceptance.text import text_of
from archipel_agent.paths import IdentityPaths
from archipel_contract.trust.keys import SoftwareSigner, new_device_key
from tests.fakes.disk import TreacherousDisk

REPORT = Report(
    made_at="2026-01-02T03:04:05Z",
    node_id="n-0123456789abcdef",
    hostname="box",
    model="Board",
    serial="1",
    kernel="6.12",
    architecture="aarch64",
    agent_version="0",
    clock="good",
    quick=False,
    figures=(
        Figure(name="a", title="Ä figure", value=9.5, unit="ms", verdict=Verdict.FAIL, bound="at most 9"),
    ),
)


def made() -> bytes:
    """A report signed by a key of its own."""
    return signing.sign(REPORT, TreacherousDisk(), IdentityPaths(Path("/identity")))


def test_a_report_verifies_and_is_the_same_again() -> None:
    report, signed = signing.verify(made())
    assert report == REPORT
    assert not signed.is_of_a_device
    assert "a key made for this report" in signing.who(signed)


@pytest.mark.parametrize(("old", "new"), [("9.5", "0.5"), ("fail", "pass"), ("n-0123", "n-9123")])
def test_an_altered_report_does_not_verify(old: str, new: str) -> None:
    data = json.loads(made())
    assert old in data["payload"]
    data["payload"] = data["payload"].replace(old, new)
    with pytest.raises(ReportInvalid, match="altered"):
        signing.verify(json.dumps(data).encode())


def test_a_certificate_of_another_key_is_refused() -> None:
    data = json.loads(made())
    data["certificate"] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    with pytest.raises(ReportInvalid):
        signing.verify(json.dumps(data).encode())


def test_a_signature_by_another_key_is_refused() -> None:
    data = json.loads(made())
    other = SoftwareSigner(new_device_key())
    data["signature"] = base64.b64encode(other.sign(data["payload"].encode())).decode()
    with pytest.raises(ReportInvalid, match="altered"):
        signing.verify(json.dumps(data).encode())


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff\xfe", b"x" * (signing.LIMIT + 1)])
def test_what_is_no_report_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(ReportInvalid, match=r"\w"):
        signing.verify(data)


def test_the_printed_text_shows_each_figure_with_bound_and_verdict() -> None:
    text = text_of(REPORT, "a key")
    assert "Ä figure: 9.5 ms   [FAIL]" in text
    assert "bound: at most 9" in text
