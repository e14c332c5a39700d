"""The little MQTT that a crowd of devices speaks: packets whole, cut anywhere, and of every length."""

import hypothesis
import hypothesis.strategies as st

from benchmarks.crowd import packet, packets

SAID = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=6)


@hypothesis.given(said=SAID, size=st.integers(1, 50))
def test_packets_come_out_as_they_went_in_wherever_the_network_cuts_them(
    said: list[tuple[int, bytes]], size: int
) -> None:
    wire = b"".join(packet(first, body) for first, body in said)
    heard, came = bytearray(), []
    for at in range(0, len(wire), size):
        heard += wire[at : at + size]
        came += list(packets(heard))
    assert came == said and not heard


def test_lengths_are_written_as_mqtt_writes_them() -> None:
    assert packet(0x30, bytes(127))[:2] == b"\x30\x7f"
    assert packet(0x30, bytes(128))[:3] == b"\x30\x80\x01"
    assert packet(0x30, bytes(16_384))[:4] == b"\x30\x80\x80\x01"
