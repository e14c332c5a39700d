"""An answer file on a boot partition that is a real FAT, written by another machine: read, blanked, answered beside.

That old bytes are overwritten on the medium is not seen here: it takes the kernel's driver (see `host/disk.py`).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_contract.answers import FILE, RESULT_JSON, RESULT_TEXT, AnswersState
from tests.agent.answers.agents import Agent
from tests.agent.sticks.conftest import Maker
from tests.agent.sticks.stick import Stick

pytestmark = [pytest.mark.real_process, pytest.mark.own_network]

PASSWORD = b"hunter2-hunter2"
# As an editor of Windows leaves it.
TEXT = (
    b'format = 1\r\n[site]\r\nname = "Hall 3"\r\n[fleet]\r\nproxy = "http://anna:'
    + PASSWORD
    + b'@10.0.0.1:3128"\r\n'
)


@pytest.fixture
def boot(make: Maker, tmp_path: Path) -> Stick:
    """A boot partition that is not mounted yet."""
    return make(tmp_path / "root/boot/firmware")


@pytest.fixture
def agent(boot: Stick, tmp_path: Path) -> Iterator[Agent]:
    """An agent on a bare machine whose boot partition holds an answer file."""
    if boot.kind == "exfat":
        boot.plug()
        (boot.place / FILE.upper()).write_bytes(TEXT)  # this one does not tell capitals from small letters
    else:
        boot.lay(FILE, TEXT)
        boot.plug()
    made = Agent(tmp_path / "root")
    yield made
    if made.database is not None:
        made.database.close()


def test_it_is_read_and_blanked_and_the_result_lies_beside_it(boot: Stick, agent: Agent) -> None:
    assert PASSWORD in (boot.place / FILE).read_bytes()
    agent.live()
    status = agent.core.answers()
    assert (status.state, [one.code for one in status.findings]) == (AnswersState.DONE, [])
    names = {path.name.lower() for path in boot.place.iterdir()}
    assert names == {FILE, RESULT_TEXT, RESULT_JSON}
    blanked = (boot.place / FILE).read_bytes()
    assert b'name = "Hall 3"\r\n' in blanked
    assert b"used 20" in blanked
    assert PASSWORD not in blanked
    boot.eject()
    boot.check()
    assert boot.kind == "exfat" or b"Hall 3" in boot.at(RESULT_TEXT)


def test_a_medium_that_takes_nothing_is_a_finding_and_the_site_comes_up(boot: Stick, agent: Agent) -> None:
    boot.eject()
    boot.plug(read_only=True)
    agent.live()
    status = agent.core.answers()
    assert (status.state, [one.code for one in status.findings]) == (AnswersState.DONE, ["answers-read-only"])
    site = agent.core.store.site() if agent.core.store else None
    assert site is not None and site.name == "Hall 3"
    assert PASSWORD in (boot.place / FILE).read_bytes()
    boot.eject()
    boot.plug()
    agent.ports.clock.wait(600)
    agent.live()
    assert [one.code for one in agent.core.answers().findings] == []
    assert PASSWORD not in (boot.place / FILE).read_bytes()
