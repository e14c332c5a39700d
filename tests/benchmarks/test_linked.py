"""What the figures of the link read out of the broker's log, and how they leave out what they do not mean."""

from benchmarks.link_bytes import without_points
from benchmarks.linked import CONNECTED, HUNG_UP, PUBLISHED, Seen

LOG = """\
1795346496: New client connected from 127.0.0.1:56752 as n-n3pprdg (p2, c1, k60).
1795346496: New client connected from 127.0.0.1:56753 as archipel-controller (p2, c1, k15).
1795346496: Received PUBLISH from n-n3pprdg (d0, q1, r0, m2, 'archipel/1/0e/n-n3pprdg/up/hello', ... (244 bytes))
1795346496: Sending PUBLISH to n-n3pprdg (d0, q0, r0, m0, 'archipel/1/0e/n-n3pprdg/down/welcome', ... (71 bytes))
1795346496: Received PUBLISH from n-n3pprdg (d0, q0, r0, m0, 'archipel/1/0e/n-n3pprdg/up/metric', ... (109 bytes))
1795346496: Sending PUBLISH to archipel-controller (d0, q0, r0, m0, 'archipel/1/0e/n-n3pprdg/up/metric', ... (109 bytes))
1795346496: Client n-n3pprdg closed its connection.
1795346499: Client archipel-controller closed its connection.
"""  # as mosquitto 2.0.11 wrote it


def seen(octets: int, metrics: int) -> Seen:
    """Counters with these two values."""
    return Seen(bytes=octets, packets=0, metrics=metrics, connects=0, calls=0)


def test_only_what_the_agent_says_is_counted() -> None:
    assert [match[2] for match in PUBLISHED.finditer(LOG)] == ["hello", "metric"]
    assert len(CONNECTED.findall(LOG)) == len(HUNG_UP.findall(LOG)) == 1


def test_points_that_were_sent_meanwhile_do_not_count_as_part_of_a_start() -> None:
    assert without_points(seen(1000, 2), seen(9000, 5), 400.0) == 6800.0
