"""Frame and envelope: what goes in comes out, and whatever else arrives is refused with one of four codes."""

import json
import zlib
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.facts import ClockQuality
from archipel_contract.link import compression
from archipel_contract.link.envelope import (
    FRAME_LIMIT,
    HEAD_LIMIT,
    REPLACES_LIMIT,
    SEQUENCE_LIMIT,
    SIGNATURES_LIMIT,
    WIRE_LIMIT,
    Envelope,
    EnvelopeInvalid,
    Frame,
    Signature,
    envelope_from,
    frame_from,
    framed,
    from_wire,
    payload,
    to_wire,
)

CODES = {"message-malformed", "message-oversized", "message-foreign", "message-newer"}

words = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.integers(0, SEQUENCE_LIMIT - 1)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
envelopes = st.builds(
    Envelope,
    type=words,
    epoch=numbers,
    sequence=numbers,
    at=st.integers(-SEQUENCE_LIMIT + 1, SEQUENCE_LIMIT - 1),
    clock=st.sampled_from(ClockQuality),
    up=numbers,
    key=words,
    replaces=st.lists(numbers, max_size=REPLACES_LIMIT).map(tuple),
    body=st.dictionaries(words, json_values, max_size=6),
)
MINIMAL = Envelope(type="hello", at=1)


def code(data: bytes) -> str:
    with pytest.raises(EnvelopeInvalid) as invalid:
        from_wire(data)
    assert str(invalid.value), "a refusal says why"
    return invalid.value.code


def frame_of(inside: bytes) -> bytes:
    return framed(Frame(payload=inside))


def with_fields(**fields: Any) -> bytes:
    return frame_of(json.dumps({"t": "x", "at": 1, **fields}).encode())


# --- there and back -------------------------------------------------------------------------------------------------


@hypothesis.given(envelopes, st.booleans())
def test_every_envelope_comes_out_as_it_went_in_compressed_or_not(envelope: Envelope, compress: bool) -> None:
    frame, read = from_wire(to_wire(envelope, compress))
    assert read == envelope
    assert (frame.signatures, frame.payload) == ((), payload(envelope))


signatures = st.builds(
    Signature, st.from_regex(r"k-[0-9a-z]{16}", fullmatch=True), st.binary(min_size=1, max_size=72)
)


@hypothesis.given(st.binary(max_size=300), st.lists(signatures, max_size=SIGNATURES_LIMIT))
def test_every_frame_comes_out_byte_for_byte(inside: bytes, signed_by: list[Signature]) -> None:
    frame = Frame(payload=inside, signatures=tuple(signed_by))
    assert frame_from(framed(frame)) == frame


def test_a_small_message_has_few_bytes_and_short_names() -> None:
    assert to_wire(MINIMAL) == b'A1 unsigned -\n{"v":1,"t":"hello","at":1,"c":"unknown"}'


def test_fields_of_a_later_program_are_skipped_and_absent_ones_have_their_default() -> None:
    _, read = from_wire(with_fields(zz={"new": [1]}, audience="n-1"))
    assert read == Envelope(type="x", at=1)


def test_a_clock_quality_of_a_later_program_counts_as_unknown() -> None:
    assert from_wire(with_fields(c="atomic"))[1].clock is ClockQuality.UNKNOWN


def test_a_lone_surrogate_in_our_own_text_does_not_keep_a_message_from_being_sent() -> None:
    _, read = from_wire(to_wire(Envelope(type="note", at=1, body={"text": "a\ud800b"})))
    assert read.body == {"text": "a?b"}


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello", id="text"),
        pytest.param(b'{"v":1,"t":"hello","at":1}', id="json without a frame"),
        pytest.param(b"A2 unsigned -\n{}", id="another mark"),
        pytest.param(b"A1 unsigned\n{}", id="two words"),
        pytest.param(b"A1 unsigned - -\n{}", id="four words"),
        pytest.param(b"A1  -\n{}", id="no key id"),
        pytest.param(b"A1 unsigned \n{}", id="no signature"),
        pytest.param(b"A1 \xc3\xa4 -\n{}", id="a key id beyond ascii"),
        pytest.param(b"A1 unsigned -{}", id="no line end"),
        pytest.param(b"A1 unsigned " + b"A" * HEAD_LIMIT + b"\n{}", id="an endless first line"),
        pytest.param(b"\x28\xb5\x2f\xfd" + bytes(20), id="zstd"),
    ],
)
def test_what_is_no_frame_of_ours_is_foreign(data: bytes) -> None:
    assert code(data) == "message-foreign"


def test_a_signature_is_refused_while_nobody_can_check_it() -> None:
    inside = payload(MINIMAL)
    assert code(framed(Frame(payload=inside, signatures=(Signature("k-1", bytes(64)),)))) == "message-foreign"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(b"unsigned AAAA", id="unsigned, but with a signature"),
        pytest.param(b"k-1 -", id="a key without a signature"),
        pytest.param(b"k-1,k-2 AAAA", id="two keys, one signature"),
        pytest.param(b"k-1,unsigned AAAA,AAAA", id="signed by a key and by nobody"),
        pytest.param(b"k-1 no-base64!", id="a signature that is not base64"),
        pytest.param(b"k-1,k-2 AAAA,", id="an empty signature"),
        pytest.param(b"K-1 AAAA", id="capitals in a key id"),
        pytest.param(b",".join([b"k-1"] * 17) + b" " + b",".join([b"AAAA"] * 17), id="too many"),
    ],
)
def test_a_first_line_that_contradicts_itself_is_refused(words: bytes) -> None:
    assert code(b"A1 " + words + b"\n" + payload(MINIMAL)) == "message-malformed"


def test_as_many_signatures_as_allowed_fit_into_the_first_line() -> None:
    many = tuple(Signature(f"k-{number:016d}", bytes(72)) for number in range(SIGNATURES_LIMIT))
    assert len(frame_from(framed(Frame(payload=b"{}", signatures=many))).signatures) == SIGNATURES_LIMIT


def test_the_policy_sees_the_frame_before_a_byte_of_its_payload_is_read() -> None:
    def nobody(frame: Frame) -> None:
        raise EnvelopeInvalid("message-untrusted", "not today")

    with pytest.raises(EnvelopeInvalid) as refused:
        from_wire(framed(Frame(payload=b"not even JSON")), nobody)
    assert refused.value.code == "message-untrusted"


@pytest.mark.parametrize(
    "inside",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        '{"t":"x","at":1}'.encode("utf-16"),
        b'\xef\xbb\xbf{"t":"x","at":1}',
        b'{"t":"x","at":1,"b":{"value":NaN}}',
        b'{"t":"x","at":1,"b":{"value":-Infinity}}',
        b'{"t":"x","at":1}{"t":"x","at":1}',
        b'{"at":1}',
        b'{"t":"x"}',
        b"[" * 100_000,
        b'{"t":"x","at":' + b"9" * 5000 + b"}",
    ],
    ids=lambda inside: repr(inside[:24]),
)
def test_what_is_no_envelope_is_malformed(inside: bytes) -> None:
    assert code(frame_of(inside)) == "message-malformed"


@pytest.mark.parametrize(
    "fields",
    [
        {"t": 1},
        {"t": None},
        {"at": "1"},
        {"at": 1.5},
        {"at": True},
        {"at": SEQUENCE_LIMIT},
        {"at": -SEQUENCE_LIMIT},
        {"e": -1},
        {"e": SEQUENCE_LIMIT},
        {"n": -1},
        {"n": SEQUENCE_LIMIT},
        {"n": "1"},
        {"up": -1},
        {"k": 5},
        {"r": 7},
        {"r": [-1]},
        {"r": ["1"]},
        {"r": list(range(REPLACES_LIMIT + 1))},
        {"b": []},
        {"b": "text"},
        {"b": None},
        {"c": 1.5},
        {"v": "1"},
        {"v": True},
    ],
    ids=str,
)
def test_a_field_of_the_wrong_kind_or_size_is_malformed(fields: dict[str, Any]) -> None:
    assert code(with_fields(**fields)) == "message-malformed"


def test_a_newer_envelope_is_told_from_a_broken_one_whatever_else_it_holds() -> None:
    assert code(with_fields(v=2, at="in words", t=[])) == "message-newer"


def test_what_is_too_large_is_refused_before_it_is_looked_at() -> None:
    assert code(b"x" * (WIRE_LIMIT + 1)) == "message-oversized"
    with pytest.raises(EnvelopeInvalid) as invalid:
        to_wire(Envelope(type="x", at=1, body={"text": "ab" * WIRE_LIMIT}), compress=False)
    assert invalid.value.code == "message-oversized"


def test_a_message_that_only_compression_makes_small_enough_is_sent_unless_its_reader_could_not_hold_it() -> (
    None
):
    large = Envelope(type="x", at=1, body={"text": "ab" * WIRE_LIMIT})
    assert from_wire(to_wire(large))[1] == large
    with pytest.raises(EnvelopeInvalid) as invalid:
        to_wire(Envelope(type="x", at=1, body={"text": "a" * FRAME_LIMIT}))
    assert invalid.value.code == "message-oversized"


def test_a_decompression_bomb_is_refused_without_being_unpacked() -> None:
    bomb = zlib.compress(bytes(64 << 20), 9)
    assert len(bomb) < WIRE_LIMIT
    assert code(bomb) == "message-oversized"


def test_a_compressed_message_cut_anywhere_is_refused() -> None:
    whole = to_wire(Envelope(type="note", at=1, body={"text": "something to say " * 20}))
    assert whole[0] == 0x78
    refusals = {code(whole[:length]) for length in range(len(whole))}
    assert refusals <= {"message-malformed", "message-foreign"}
    assert code(whole + b"x") == "message-malformed"


def test_a_message_compressed_with_words_we_do_not_have_is_malformed() -> None:
    packer = zlib.compressobj(zdict=b"words of somebody else " * 4)
    data = packer.compress(to_wire(MINIMAL, compress=False)) + packer.flush()
    assert code(data) == "message-malformed"


@hypothesis.given(st.binary(max_size=600))
@hypothesis.example(b"\x78")
@hypothesis.example(b"\x78\xf9\0\0\0\0\0")
@hypothesis.example(b"A1 unsigned -\n")
def test_noise_is_refused_with_one_of_the_four_codes_and_nothing_else(noise: bytes) -> None:
    refuses(noise)


@pytest.mark.prove
@hypothesis.settings(max_examples=5_000)
@hypothesis.given(st.binary(max_size=2000))
def test_a_great_deal_of_noise_is_refused_as_well(noise: bytes) -> None:
    refuses(noise)


def refuses(noise: bytes) -> None:
    for data in (
        noise,
        b"\x78" + noise,
        frame_of(noise),
        zlib.compress(noise),
        compression.smaller(frame_of(noise)),
    ):
        assert code(data) in CODES


@hypothesis.given(json_values, st.sampled_from(["v", "t", "e", "n", "at", "c", "up", "k", "r", "b"]))
def test_any_value_in_any_field_is_taken_or_refused_and_never_breaks(value: Any, name: str) -> None:
    data = with_fields(**{name: value})
    try:
        _, read = from_wire(data)
    except EnvelopeInvalid as invalid:
        assert invalid.code in CODES
    else:
        assert from_wire(to_wire(read))[1] == read


@hypothesis.given(envelopes, st.integers(0, 400), st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused_and_never_breaks(
    envelope: Envelope, place: int, byte: int
) -> None:
    survives(envelope, place, byte)


@pytest.mark.prove
@hypothesis.settings(max_examples=5_000)
@hypothesis.given(envelopes, st.integers(0, 2000), st.integers(0, 255))
def test_a_great_many_changed_bytes_break_nothing_either(envelope: Envelope, place: int, byte: int) -> None:
    survives(envelope, place, byte)


def survives(envelope: Envelope, place: int, byte: int) -> None:
    data = bytearray(to_wire(envelope))
    data[place % len(data)] = byte
    try:
        envelope_from(from_wire(bytes(data))[0].payload)
    except EnvelopeInvalid as invalid:
        assert invalid.code in CODES
