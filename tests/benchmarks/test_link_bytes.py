"""What the figures of the link read out of the controller, and how they leave out what they do not mean."""

from benchmarks.link_bytes import Seen, counters, without_points

SHOWN = """\
# HELP archipel_fleet_messages_total Messages committed, by type
# TYPE archipel_fleet_messages_total counter
archipel_fleet_messages_total{type="hello"} 2.0
archipel_fleet_messages_total{type="metrics"} 1.2e+02
archipel_fleet_messages_created{type="hello"} 1.795e+09
archipel_fleet_commit_seconds_count 31.0
"""  # as prometheus-client writes it


def test_messages_are_counted_by_their_kind_as_the_controller_took_them_in() -> None:
    assert counters(SHOWN) == {"hello": 2, "metrics": 120}


def test_points_that_were_sent_meanwhile_do_not_count_as_part_of_a_start() -> None:
    before, after = Seen(1000, 0, metrics=2, hellos=0), Seen(9000, 0, metrics=5, hellos=1)
    assert without_points(before, after, 400.0) == 6800.0
