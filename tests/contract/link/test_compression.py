"""Compression: nothing is lost, nothing grows, and a dictionary once published stays as it is."""

import tracemalloc
import zlib

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.link.compression import NotReadable, TooLarge, dictionaries, restored, smaller

# Messages in outboxes and archives name their dictionary by this number. One that changed could not read them any more;
# a better one gets a file and a line of its own.
PUBLISHED = ["fef4e0ed"]

TYPICAL = (
    b'A1 unsigned -\n{"v":1,"t":"event","e":1048576,"n":7,"at":1760000000000,"c":"synchronised","up":360000,'
    b'"b":{"kind":"finding-appeared","subject":"disk-full","text":"the disk is full"}}'
)


def test_no_published_dictionary_ever_changes() -> None:
    assert [f"{name:08x}" for name in dictionaries()] == PUBLISHED
    for name, words in dictionaries().items():
        assert zlib.adler32(words) == name and len(words) <= 32 << 10


@hypothesis.given(st.binary(max_size=2000) | st.text(max_size=2000).map(str.encode))
def test_what_is_packed_is_never_larger_and_comes_out_as_it_was(data: bytes) -> None:
    framed = b"A" + data  # what is packed begins with the mark of a frame
    packed = smaller(framed)
    assert len(packed) <= len(framed)
    assert restored(packed, 1 << 20) == framed


def test_a_typical_message_shrinks_to_less_than_two_thirds_thanks_to_the_dictionary() -> None:
    packed = smaller(TYPICAL)
    assert len(packed) * 3 < len(TYPICAL) * 2
    assert len(packed) < len(zlib.compress(TYPICAL, 9))


def test_a_stream_without_a_dictionary_is_read_as_well() -> None:
    assert restored(zlib.compress(TYPICAL), 1 << 20) == TYPICAL


def test_the_limit_is_what_comes_out_and_to_the_byte() -> None:
    packed = zlib.compress(bytes(1000))
    assert restored(packed, 1000) == bytes(1000)
    with pytest.raises(TooLarge):
        restored(packed, 999)


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb = zlib.compress(bytes(100 << 20), 9)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            restored(bomb, 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@hypothesis.given(st.binary(max_size=200), st.integers(0, 200))
def test_a_broken_stream_is_not_readable_and_nothing_worse(tail: bytes, cut: int) -> None:
    for data in (b"\x78" + tail, zlib.compress(tail)[:cut], smaller(TYPICAL)[:cut] + tail):
        try:
            restored(data, 1000)
        except NotReadable as refusal:
            assert str(refusal)
