"""The daemon's side: a file is found, the agent begins again with its settings, the API and the doctor say how it stands."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archipel_agent import daemon
from archipel_agent.answering import answers_of
from archipel_agent.host.media import SystemMedia
from archipel_agent.paths import Paths
from archipel_agent.service import Refused
from archipel_agent.settings import Settings
from archipel_contract.answers import FILE, RESULT_TEXT, AnswersState, AnswersWish
from archipel_contract.client import AgentAway, AgentClient
from archipel_contract.jobs import JobState
from tests.agent.answers.agents import Agent

TEXT = 'format = 1\n[site]\nname = "Hall 3"\n[remote]\nallowed = false\n'


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """One on a bare machine."""
    return Agent(tmp_path)


def test_a_file_leads_to_the_job_a_person_would_start_and_the_report_is_clean(agent: Agent) -> None:
    agent.lay(TEXT)
    agent.live()
    assert agent.core.answers().state is AnswersState.DONE
    [job] = agent.core.jobs().jobs
    assert (job.state, job.asked_by, job.options) == (JobState.SUCCEEDED, "answers", {"name": "Hall 3"})
    assert (agent.again, agent.settings.remote) == (1, "off")
    report = agent.core.turn(close=True)
    assert [one for one in report.findings if one.code.startswith("answers")] == []
    actions = [entry.action for entry in agent.core.audit(100, False).entries]
    assert {"answers:answers", "answers:settings", "job:up"} <= set(actions)


def test_a_mistake_is_a_finding_of_the_doctor_at_once(agent: Agent) -> None:
    agent.core.turn()
    agent.lay("format = 1\n[site]\nnam = 'x'\n")
    agent.live(2)
    assert not agent.core.rests
    [finding] = [one for one in agent.core.turn().findings if one.code.startswith("answers")]
    assert (finding.code, finding.params["line"]) == ("answers-key-unknown", "3")


def test_a_file_that_is_done_with_is_not_read_again_by_the_next_agent(agent: Agent) -> None:
    agent.lay(TEXT)
    agent.live()
    agent.begin()
    agent.answering.look()
    assert agent.answering._keeper is None
    assert agent.core.answers().state is AnswersState.DONE
    asked = len(agent.media.asked)
    agent.answering.look()
    assert len(agent.media.asked) - asked == 4  # one stat for each place


def test_a_file_named_by_hand_is_applied_through_the_api(agent: Agent) -> None:
    place = agent.lay(TEXT, "home/anna")
    assert agent.core.apply_answers(AnswersWish(path=str(place)), "anna").state is AnswersState.WORKING
    agent.begin()
    agent.live()
    assert agent.core.answers().file == str(place)
    assert (place.parent / RESULT_TEXT).exists()
    with pytest.raises(Refused, match="whole path"):
        agent.core.apply_answers(AnswersWish(path=FILE), "anna")
    missing = agent.core.apply_answers(AnswersWish(path="/nowhere/archipel.toml"), "anna")
    assert [one.code for one in missing.findings] == ["answers-unreadable"]


def test_the_time_a_turn_takes_to_look_at_rest_is_next_to_nothing(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    one = answers_of(agent.core, Settings(), SystemMedia(agent.paths), lambda: None)
    one.look()
    asked: list[str] = []
    store = agent.core.store
    assert store is not None
    real = store.value

    def counted(name: str) -> str | None:
        asked.append(name)
        return real(name)

    store.value = counted  # type: ignore[method-assign]  # counts what is asked of the disk
    for _ in range(20):
        one.look()
    assert asked == []


def told(systemd: socket.socket) -> list[bytes]:
    """What the service manager has been told since it was last asked."""
    found = []
    while True:
        try:
            found.append(systemd.recv(4096))
        except BlockingIOError:
            return found


@pytest.mark.real_process
def test_a_real_daemon_with_a_file_becomes_a_site_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = Paths(tmp_path)
    place = paths.at("boot/firmware") / FILE
    place.parent.mkdir(parents=True)
    place.write_text(TEXT)
    monkeypatch.setenv("ARCHIPEL_INTERVAL", "1")
    program = (
        "import sys; from pathlib import Path; from archipel_agent import daemon; from archipel_agent.paths import Paths;"
        "from archipel_agent.rehearsal.compose import simulated_ports;"
        "from archipel_agent.rehearsal.scenario import Scenario;"
        "paths = Paths(Path(sys.argv[1]));"
        "sys.exit(daemon.main(paths, simulated_ports(paths, Scenario(pace=0.01))))"
    )

    systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    systemd.bind(str(tmp_path / "notify"))
    systemd.setblocking(False)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    running = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stderr=subprocess.PIPE)
    try:
        client = AgentClient(paths.socket, 5.0)
        end = time.monotonic() + 15
        state = None
        while state is not AnswersState.DONE and time.monotonic() < end:
            time.sleep(0.2)
            try:
                state = client.call("answers").state
            except AgentAway:
                continue
        assert state is AnswersState.DONE
        assert client.call("site").name == "Hall 3"
        assert "It has been applied." in (place.parent / RESULT_TEXT).read_text()
        assert b"STOPPING=1" not in told(systemd)  # it has begun again, but for systemd it went on
    finally:
        running.terminate()
        _, said = running.communicate(timeout=15)
        at_the_end = told(systemd)
        systemd.close()
    assert b"STOPPING=1" in at_the_end
    assert b"begins again" in said
    assert daemon is not None
