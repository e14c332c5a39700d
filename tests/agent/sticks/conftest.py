"""Sticks that are plugged in, of each file system they come with."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agent.sticks.stick import Stick, missing

Maker = Callable[[Path], Stick]


@pytest.fixture(params=["fat32", "exfat", pytest.param("fat16", marks=pytest.mark.prove)])
def kind(request: pytest.FixtureRequest) -> str:
    """A file system; the test is skipped where nobody can serve it."""
    name = str(request.param)
    if (reason := missing(name)) is not None:
        pytest.skip(reason)
    return name


@pytest.fixture
def make(kind: str, tmp_path: Path) -> Iterator[Maker]:
    """Makes sticks; they are out again after the test, whatever became of it."""
    made: list[Stick] = []

    def one(place: Path) -> Stick:
        made.append(Stick(kind, tmp_path / f"stick-{len(made)}.img", place))
        return made[-1]

    yield one
    for stick in made:
        stick.eject()


@pytest.fixture
def stick(make: Maker, tmp_path: Path) -> Stick:
    """One that is plugged in."""
    made = make(tmp_path / "usb")
    made.plug()
    return made
