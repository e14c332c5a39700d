"""Every type of the contract travels as JSON and comes back the same; what a newer program adds does no harm."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archipel_contract import wire
from archipel_contract.api import ENDPOINTS, Problem
from archipel_contract.findings import CheckResult, Finding, Severity, Verdict
from archipel_contract.jobs import Job, JobRequest, JobState, Verb
from archipel_contract.site import SiteDocument
from archipel_contract.status import Health, Report

TYPES = sorted(
    {one for endpoint in ENDPOINTS for one in (endpoint.request, endpoint.response) if one}
    | {Problem, SiteDocument},
    key=lambda one: one.__name__,
)
# JSON has no not-a-number, and our programs never send one.
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
# What Python calls text may hold halves of surrogate pairs, which no UTF-8 can; a test of its own shows their fate.
st.register_type_strategy(str, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))


@pytest.mark.parametrize("shape", TYPES, ids=lambda shape: shape.__name__)
@given(data=st.data())
def test_what_is_written_is_read_the_same(shape: type[Any], data: st.DataObject) -> None:
    value = data.draw(st.from_type(shape))
    assert wire.from_data(shape, wire.to_data(value)) == value
    assert wire.from_json(shape, wire.to_json(value)) == value


def with_more(data: Any) -> Any:
    """The same data as a newer program would send it: a field more in every object that is one of ours."""
    if isinstance(data, dict):
        return {**{key: with_more(value) for key, value in data.items()}, "from_a_newer_version": {"a": [1]}}
    return [with_more(item) for item in data] if isinstance(data, list) else data


@given(st.builds(CheckResult))
def test_fields_that_are_not_known_yet_are_ignored_at_every_depth(result: CheckResult) -> None:
    bare = dataclasses.replace(
        result, findings=tuple(dataclasses.replace(one, params={}) for one in result.findings)
    )
    data = with_more(wire.to_data(bare))
    for finding in data["findings"]:
        finding["params"] = {}  # free keys there are data, not fields
    assert wire.from_data(CheckResult, data) == bare


def test_a_field_an_older_program_does_not_send_takes_its_default() -> None:
    read = wire.from_data(Job, {"id": "j-1", "verb": "up", "state": "running"})
    assert (read.steps, read.sentence, read.finding) == ((), "", None)


@pytest.mark.parametrize(("shape", "enum"), [(Finding, "severity"), (Job, "state"), (Report, "health")])
def test_a_value_an_enum_does_not_know_yet_becomes_unknown(shape: type[Any], enum: str) -> None:
    unknown = {"severity": Severity.UNKNOWN, "state": JobState.UNKNOWN, "health": Health.UNKNOWN}[enum]
    data = {"code": "x", "id": "j", "verb": "up", enum: "from the future"}
    if shape is Report:
        hint = next(field for field in dataclasses.fields(Report) if field.name == enum)
        assert wire.from_data(Health, data[enum]) is unknown, hint
    else:
        assert getattr(wire.from_data(shape, data), enum) is unknown


@pytest.mark.parametrize(
    ("shape", "data", "place"),
    [
        (Job, {}, "Job.id: missing"),
        (Job, [], "Job: expected an object"),
        (Job, {"id": 5, "verb": "up", "state": "running"}, "Job.id: expected str"),
        (Job, {"id": "j", "verb": "fly", "state": "running"}, "Job.verb: 'fly' is none of"),
        (Job, {"id": "j", "verb": ["up"], "state": "running"}, "Job.verb: expected one of"),
        (Job, {"id": "j", "verb": "up", "state": True}, "Job.state: expected one of"),
        (Job, {"id": "j", "verb": "up", "state": "running", "steps": {}}, "Job.steps: expected a list"),
        (Job, {"id": "j", "verb": "up", "state": "running", "steps": [{}]}, "Job.steps[0].slug: missing"),
        (
            Job,
            {"id": "j", "verb": "up", "state": "running", "options": []},
            "Job.options: expected an object",
        ),
        (Job, {"id": "j", "verb": "up", "state": "running", "options": {"a": 1.5}}, "Job.options.a"),
        (CheckResult, {"slug": "a", "verdict": "ok", "seconds": "1"}, "CheckResult.seconds: expected float"),
        (CheckResult, {"slug": "a", "verdict": "ok", "seconds": True}, "CheckResult.seconds: expected float"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(shape: type[Any], data: Any, place: str) -> None:
    with pytest.raises(wire.WireError) as caught:
        wire.from_data(shape, data)
    assert place in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", "[" * 100_000, b"nul"])
def test_what_is_no_json_is_a_wire_error(body: bytes | str) -> None:
    with pytest.raises(wire.WireError):
        wire.from_json(Job, body)


def test_a_whole_number_is_fine_where_a_fraction_may_stand() -> None:
    read = wire.from_data(CheckResult, {"slug": "a", "verdict": "ok", "seconds": 2})
    assert isinstance(read.seconds, float)


def test_options_keep_their_types() -> None:
    request = JobRequest(verb=Verb.UP, options={"a": True, "b": 1, "c": "1", "d": ["x"], "e": []})
    read = wire.from_json(JobRequest, wire.to_json(request))
    assert [type(value) for value in read.options.values()] == [bool, int, str, list, list]


def test_text_that_utf_8_cannot_hold_is_written_as_question_marks() -> None:
    problem = Problem(error="x", message="caf\udce9 ä")
    assert wire.from_json(Problem, wire.to_json(problem)).message == "caf? ä"


def test_what_is_written_is_one_compact_line() -> None:
    body = wire.to_json(CheckResult(slug="a", verdict=Verdict.OK, said="two\nlines \u2028 ä"))
    assert b"\n" not in body
    assert b'"slug":"a","verdict":"ok"' in body
    assert "ä".encode() in body
    assert json.loads(body)["said"] == "two\nlines \u2028 ä"
