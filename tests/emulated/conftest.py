"""Emulated machines for stories: a fresh one for each module, or the reason why there can be none."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.emulated import requirements
from tests.emulated.cabinet import Cabinet
from tests.hosts.fixtures import skip_without
from tests.stories import pytest_runtest_makereport, pytest_runtest_setup

__all__ = ["pytest_runtest_makereport", "pytest_runtest_setup"]


@pytest.fixture(scope="module")
def cabinet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Cabinet]]:
    """Makes a box and the stick for it with these answers; the box is off, and the stick is not in it."""
    skip_without(requirements.missing())
    made: list[tuple[Cabinet, Path]] = []

    def make(answers: str) -> Cabinet:
        # Short: the path of a socket may have 107 characters.
        place = tmp_path_factory.mktemp("vm")
        made.append((Cabinet.at(place, answers), place))
        return made[-1][0]

    yield make
    for box, place in made:
        box.machine.close()
        shutil.rmtree(place)  # some gigabytes
