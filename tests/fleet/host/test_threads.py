"""A part of the controller that ends although nobody asked it to is noticed; one that was asked ends in silence."""

import threading

from archipel_fleet.host.threads import Watched


def run(part: "threading.Event | None", error: Exception | None = None) -> list[str]:
    said: list[str] = []

    def work() -> None:
        if error is not None:
            raise error

    watched = Watched("the ingest", work, lambda: part is not None and part.is_set(), said.append)
    watched.start()
    assert watched.join(5.0)
    return said


def test_a_part_that_breaks_says_which_and_why() -> None:
    assert run(None, ValueError("no such thing")) == ["the ingest: ValueError: no such thing"]


def test_a_part_that_ends_unasked_is_said_too() -> None:
    assert run(None) == ["the ingest ended although nobody asked it to"]


def test_a_part_that_was_asked_to_end_says_nothing() -> None:
    asked = threading.Event()
    asked.set()
    assert run(asked) == []


def test_a_part_that_was_never_started_counts_as_ended() -> None:
    assert Watched("the ingest", lambda: None, lambda: True, lambda why: None).join(1.0)
