"""Foreign input is taken only when all of it is understood, and every wrong place is named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archipel_contract import validate, wire
from archipel_contract.jobs import JobRequest, Verb
from archipel_contract.site import SiteDocument
from tests.fakes.service import SITE


def test_a_request_becomes_the_type_itself_and_not_a_relative_of_it() -> None:
    read = validate.from_json(JobRequest, b'{"verb":"up","options":{"images":["/a"],"yes":true},"key":"k"}')
    assert type(read) is JobRequest
    assert read == JobRequest(verb=Verb.UP, options={"images": ["/a"], "yes": True}, key="k")


@given(st.builds(JobRequest, key=st.text(st.characters(exclude_categories=["Cs"]))))
def test_whatever_our_client_writes_is_accepted_as_it_is(request: JobRequest) -> None:
    assert validate.from_json(JobRequest, wire.to_json(request)) == request


def test_a_document_with_nested_types_is_read_whole() -> None:
    assert validate.from_json(SiteDocument, wire.to_json(SITE)) == SITE
    assert validate.from_data(SiteDocument, wire.to_data(SITE)) == SITE


@pytest.mark.parametrize(
    ("body", "places"),
    [
        (b"{}", ["verb"]),
        (b"[]", ["object"]),
        (b"null", ["object"]),
        (b'{"verb":1,"key":2}', ["verb", "key"]),
        (b'{"verb":"up","kye":"k"}', ["kye: there is no such field", "key"]),
        (b'{"verb":"fly","kye":"k"}', ["kye", "verb"]),
        (b'{"verb":"up","options":{"a":null}}', ["options.a"]),
        (b'{"verb":"up","options":[]}', ["options"]),
        (b"{", ["not JSON"]),
        (b"\xff\xfe", ["not JSON"]),
        (b"[" * 60_000, ["not JSON"]),
    ],
)
def test_every_wrong_place_is_named(body: bytes, places: list[str]) -> None:
    with pytest.raises(validate.InputInvalid) as caught:
        validate.from_json(JobRequest, body)
    for place in places:
        assert place in str(caught.value)


ANY_JSON = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "verb": st.sampled_from([*Verb, "fly", "", 1, None, True, ["up"], {}]),
            "key": st.text() | st.none() | st.integers(),
            "options": st.dictionaries(st.text(), ANY_JSON | st.lists(ANY_JSON), max_size=3)
            | st.lists(ANY_JSON)
            | ANY_JSON,
            "kye": st.text(),
        },
    )
    | ANY_JSON
)
def test_the_light_reader_of_the_api_accepts_exactly_what_this_one_does(data: Any) -> None:
    body = json.dumps(data)
    try:
        expected = validate.from_json(JobRequest, body)
    except validate.InputInvalid:
        with pytest.raises(wire.WireError):
            wire.request_from_json(JobRequest, body)
    else:
        assert wire.request_from_json(JobRequest, body) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_either_a_request_or_refused(data: Any) -> None:
    try:
        body = json.dumps(data).encode()
        read = validate.from_json(JobRequest, body)
    except validate.InputInvalid as refused:
        assert str(refused)
    else:
        assert isinstance(read, JobRequest)


def test_texts_are_taken_for_numbers_only_where_the_source_knows_nothing_else() -> None:
    data = {**wire.to_data(SITE), "generation": "3"}
    assert validate.from_data(SiteDocument, data).generation == 3
    with pytest.raises(validate.InputInvalid, match="generation"):
        validate.from_json(SiteDocument, json.dumps(data))
    with pytest.raises(validate.InputInvalid, match="speed: there is no such field"):
        validate.from_data(SiteDocument, {**wire.to_data(SITE), "speed": 1})
    with pytest.raises(validate.InputInvalid, match="name"):
        validate.from_data(SiteDocument, {**wire.to_data(SITE), "name": None})
