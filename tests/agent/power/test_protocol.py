"""The protocol of UPS servers: what is asked, and what is made of answers, whole or broken."""

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_agent.power.protocol import AnswerRefused, address, question, variables
from archipel_agent.settings import load
from archipel_contract.settings import SettingsInvalid
from tests.agent.flash.planted import PATHS

# As upsd 2.8.0 answers.
ANSWER = b"""\
BEGIN LIST VAR rack
VAR rack battery.charge "97"
VAR rack battery.runtime "1240"
VAR rack device.model "Smart \\"X\\""
VAR rack ups.status "OL CHRG"
END LIST VAR rack
"""


def test_what_matters_is_read_from_a_whole_answer() -> None:
    assert variables(ANSWER, "rack") == {
        "battery.charge": "97",
        "battery.runtime": "1240",
        "ups.status": "OL CHRG",
    }


@pytest.mark.parametrize("length", range(0, len(ANSWER), 7))
def test_an_answer_that_breaks_off_is_no_answer(length: int) -> None:
    with pytest.raises(AnswerRefused):
        variables(ANSWER[:length], "rack")


def test_a_refusal_is_named_and_another_ups_is_not_believed() -> None:
    with pytest.raises(AnswerRefused, match="UNKNOWN-UPS"):
        variables(b"ERR UNKNOWN-UPS\n", "rack")
    with pytest.raises(AnswerRefused):
        variables(ANSWER, "other")


@hypothesis.given(st.binary(max_size=200))
def test_nothing_else_comes_of_any_bytes(answer: bytes) -> None:
    try:
        found = variables(b"BEGIN LIST VAR r\n" + answer + b"END LIST VAR r\n", "r")
    except AnswerRefused:
        return
    assert set(found) <= {"ups.status", "battery.charge", "battery.runtime"}


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("rack@127.0.0.1", ("rack", "127.0.0.1", 3493)),
        ("rack@ups.plant.example:3500", ("rack", "ups.plant.example", 3500)),
        ("r-1@[fd00::7]:3500", ("r-1", "fd00::7", 3500)),
    ],
)
def test_a_setting_names_ups_host_and_port(setting: str, found: tuple[str, str, int]) -> None:
    assert address(setting) == found
    assert load(PATHS.settings, {"ARCHIPEL_UPS": setting}).ups == setting


@pytest.mark.parametrize(
    "setting", ["rack", "@host", "rack@", "rack@host:x", "ra ck@host", "rack@host\nSHUTDOWN"]
)
def test_a_setting_that_names_none_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="name@host"):
        address(setting)
    with pytest.raises(SettingsInvalid):
        load(PATHS.settings, {"ARCHIPEL_UPS": setting})


def test_one_line_is_asked() -> None:
    assert question("rack") == b"LIST VAR rack\n"
