"""up, down, remove, support and doctor --fix: what they ask of the agent, what they show, and how they end."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from archipel_agent.service import Refused
from archipel_contract.exits import Exit
from archipel_contract.facts import Nic
from archipel_contract.jobs import JobRequest, JobState, Plan, PlannedStep, Verb
from tests.agent.cli.conftest import Archipel
from tests.fakes.service import JOB_ID, NOT_ROOT, ScriptedService
from tests.fakes.serving import connecting_as, serving


def ending(service: ScriptedService, state: JobState, **fields: object) -> None:
    """Let the job run to this end as soon as it is started."""
    service.on_start = lambda: service.run_to(state, **fields)


def asked(service: ScriptedService) -> dict[str, object]:
    """The options of the only job that was asked for."""
    [(request, _)] = service.requests
    return dict(request.options)


def test_up_shows_each_step_and_ends_well(agent: Archipel, service: ScriptedService) -> None:
    ending(service, JobState.SUCCEEDED, sentence="edge-07 is Ready.")
    said = agent("up")
    assert (said.code, said.err) == (Exit.OK, "")
    lines = said.out.splitlines()
    assert "+ Check this machine  0:00  4 checks passed" in lines
    assert "> Start k3s: waiting for the Kubernetes API" in lines
    assert "+ Start k3s  1:01" in lines
    assert lines[-1] == "+ edge-07 is Ready."
    assert service.requests[0][0].verb is Verb.UP
    assert asked(service) == {}


def test_every_option_of_up_reaches_the_job(
    agent: Archipel,
    service: ScriptedService,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = tmp_path_factory.mktemp("usb")
    for name in ("k3s", "a.tar", "b.tar"):
        (here / name).write_text("")
    monkeypatch.chdir(here)
    ending(service, JobState.SUCCEEDED)
    words = [
        "--name",
        "Halle 3",
        "--node-name",
        "edge-07",
        "--node-ip",
        "192.168.4.27",
        "--interface",
        "eth0",
    ]
    words += ["--cluster-cidr", "10.52.0.0/16", "--service-cidr", "10.53.0.0/16"]
    words += ["--k3s", "k3s", "--images", "a.tar", "--images", str(here / "b.tar")]
    words += ["--component", "traefik", "--no-component", "metrics-server", "--yes"]
    assert agent("up", *words).code == Exit.OK
    assert asked(service) == {
        "name": "Halle 3",
        "node_name": "edge-07",
        "node_ip": "192.168.4.27",
        "interface": "eth0",
        "cluster_cidr": "10.52.0.0/16",
        "service_cidr": "10.53.0.0/16",
        "k3s": str(here / "k3s"),
        "images": [str(here / "a.tar"), str(here / "b.tar")],
        "components": ["coredns", "local-storage", "traefik"],
    }


@pytest.mark.parametrize("version", ["v1.36.3+k3s1", "1.36.3+k3s1"])
def test_a_version_is_told_from_a_file(agent: Archipel, service: ScriptedService, version: str) -> None:
    ending(service, JobState.SUCCEEDED)
    assert agent("up", "--k3s", version).code == Exit.OK
    assert asked(service) == {"k3s": "v1.36.3+k3s1"}


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["--k3s", "./nothing"], "neither a file here nor a version"),
        (["--images", "/no/such"], "there is no /no/such"),
        (["--component", "minesweeper"], "minesweeper"),
        (["--timeout", "-1"], "no number of seconds"),
        (["--inter", "eth0"], "--inter"),
    ],
)
def test_words_that_are_off_are_named_and_nothing_is_asked(
    agent: Archipel, service: ScriptedService, words: list[str], place: str
) -> None:
    said = agent("up", *words)
    assert said.code == Exit.USAGE
    assert place in said.err
    assert service.requests == []


def test_json_is_the_finished_job_and_progress_goes_to_standard_error(
    agent: Archipel, service: ScriptedService
) -> None:
    ending(service, JobState.SUCCEEDED)
    said = agent("up", "--json")
    assert said.code == Exit.OK
    assert said.data["state"] == "succeeded"
    assert "Check this machine" in said.err


def test_a_refused_job_shows_the_finding_and_exits_3(agent: Archipel, service: ScriptedService) -> None:
    ending(service, JobState.FAILED, finding=NOT_ROOT, sentence="Nothing was changed. Rights are missing.")
    said = agent("up")
    assert said.code == Exit.REFUSED
    assert "Nothing was changed." in said.err
    assert "sudo archipel up" in said.err
    assert "(not-root)" in said.err


def test_a_failed_job_exits_4_and_speaks_german_when_asked(agent: Archipel, service: ScriptedService) -> None:
    ending(service, JobState.FAILED, finding=NOT_ROOT, sentence="It broke.")
    said = agent("up", "--lang", "de")
    assert said.code == Exit.FAILED
    assert "Das braucht Administratorrechte" in said.err


def test_a_cancelled_job_exits_8(agent: Archipel, service: ScriptedService) -> None:
    ending(service, JobState.CANCELLED)
    assert agent("down").code == Exit.CANCELLED


def test_busy_names_the_running_job_and_exits_7(agent: Archipel, service: ScriptedService) -> None:
    service.refusal = Refused(409, "busy", "The job up (j-1) is running.", "Wait for it.")
    said = agent("down")
    assert said.code == Exit.BUSY
    assert "j-1" in said.err
    assert "archipel agent watch" in said.err


def test_who_may_only_look_may_not_start_and_is_told_the_role(
    archipel: Archipel, service: ScriptedService
) -> None:
    with serving(service, archipel.paths.socket, callers=connecting_as(1001)):
        said = archipel("down", "--json")
    assert said.code == Exit.NOT_PERMITTED
    assert "technician" in said.err
    assert said.data["error"] == "not-permitted"
    assert service.requests == []


def test_no_wait_returns_with_the_job_under_way(agent: Archipel, service: ScriptedService) -> None:
    said = agent("up", "--no-wait")
    assert said.code == Exit.OK
    assert JOB_ID in said.out
    assert agent("up", "--no-wait", "--json").data["id"] == JOB_ID


def test_a_timeout_ends_the_watching_only(agent: Archipel, service: ScriptedService) -> None:
    stop = threading.Event()

    def keep_going() -> None:
        while not stop.wait(0.01):
            service.advance(replace(service.jobs_by_id[JOB_ID], state=JobState.RUNNING))

    ticking = threading.Thread(target=keep_going)
    service.on_start = ticking.start
    said = agent("up", "--timeout", "0.05")
    stop.set()
    ticking.join()
    assert said.code == Exit.FAILED
    assert "the job goes on" in said.err
    assert service.cancelled == []


def test_plan_changes_nothing_and_says_what_would_be_done(agent: Archipel, service: ScriptedService) -> None:
    said = agent("up", "--plan", "--node-name", "edge-07")
    assert said.code == Exit.OK
    assert "> Check this machine" in said.out
    assert "+ Install k3s  v1.34.2 is there" in said.out
    assert service.requests[0][1] == "plan"
    assert asked(service) == {"node_name": "edge-07"}
    assert service.jobs_by_id == {}


def test_a_plan_with_a_problem_exits_3(agent: Archipel, service: ScriptedService) -> None:
    service.planned = replace(service.planned, findings=(NOT_ROOT,))
    assert agent("up", "--plan").code == Exit.REFUSED
    assert agent("up", "--plan", "--json").data["findings"][0]["code"] == "not-root"


def test_what_stood_in_the_way_is_told_once_and_in_one_language(
    agent: Archipel, service: ScriptedService
) -> None:
    ending(service, JobState.FAILED, finding=NOT_ROOT, sentence=f"Nothing was changed. {NOT_ROOT.summary}")
    said = agent("up", "--lang", "de").err
    assert "Nothing was changed.\n" in said and NOT_ROOT.summary not in said
    assert agent("up").err.count(NOT_ROOT.summary) == 1


def test_support_names_the_bundle(
    agent: Archipel, service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(agent.paths.root)
    ending(service, JobState.SUCCEEDED, sentence="/x/bundle.tar.gz", result={"path": "/x/bundle.tar.gz"})
    said = agent("support", "-o", "out")
    assert said.out.splitlines()[-1] == "+ /x/bundle.tar.gz"
    assert asked(service) == {"directory": str(agent.paths.root / "out")}
    assert agent("support", "--json").data["result"] == {"path": "/x/bundle.tar.gz"}


def test_fix_asks_for_the_repair_of_one_finding(agent: Archipel, service: ScriptedService) -> None:
    ending(service, JobState.SUCCEEDED)
    said = agent("doctor", "--fix", "k3s-stopped")
    assert said.code == Exit.OK
    (planned, done) = service.requests
    assert planned == (JobRequest(verb=Verb.FIX, options={"code": "k3s-stopped"}), "plan")
    assert (done[0].verb, done[0].options) == (Verb.FIX, {"code": "k3s-stopped"})
    assert said.out.index("1. Write the configuration") < said.out.index("2. Start k3s")
    assert "undo      Stop it again with: archipel down" in said.out


def test_what_a_fix_will_do_can_be_seen_without_doing_it(agent: Archipel, service: ScriptedService) -> None:
    service.planned = Plan(
        verb=Verb.FIX,
        steps=(
            PlannedStep(slug="boot-line", title="Ask the kernel", needed=False, said="asked for already"),
        ),
    )
    said = agent("doctor", "--fix", "memory-cgroup-off-pi", "--plan", "--lang", "de")
    assert said.code == Exit.OK
    assert [how for _, how in service.requests] == ["plan"]
    assert "Nothing has been changed." in said.out
    assert "1. Die Datei cmdline.txt, wie sie ist, daneben" in said.out
    assert "+ Ask the kernel  asked for already" in said.out
    assert "undo      sudo archipel doctor --undo memory-cgroup-off-pi   Die Datei" in said.out
    assert agent("doctor", "--fix", "memory-cgroup-off-pi", "--plan", "--json").data["verb"] == "fix"


def test_a_fix_that_can_be_taken_back_says_how_and_undo_asks_for_it(
    agent: Archipel, service: ScriptedService
) -> None:
    ending(service, JobState.SUCCEEDED, sentence="added")
    said = agent("doctor", "--fix", "memory-cgroup-off-pi")
    assert said.out.splitlines()[-1] == "  undo      sudo archipel doctor --undo memory-cgroup-off-pi"
    assert agent("doctor", "--undo", "memory-cgroup-off-pi").code == Exit.OK
    assert service.requests[-1][0].options == {"code": "memory-cgroup-off-pi", "undo": True}


def test_a_finding_that_nobody_knows_or_nobody_can_fix_is_told_at_once(
    agent: Archipel, service: ScriptedService
) -> None:
    assert agent("doctor", "--fix", "of-tomorrow").code == Exit.USAGE
    assert agent("doctor", "--undo", "of-tomorrow").code == Exit.USAGE
    said = agent("doctor", "--fix", "under-voltage", "--plan")
    assert (said.code, service.requests) == (Exit.REFUSED, [])
    assert "archipel why under-voltage" in said.err


def test_bare_remove_shows_the_choices_and_does_nothing(agent: Archipel, service: ScriptedService) -> None:
    said = agent("remove")
    assert said.code == Exit.OK
    for choice in ("--agent-only", "--keep-data", "--everything"):
        assert choice in said.out
    assert set(agent("remove", "--json").data) == {"agent-only", "keep-data", "everything"}
    assert service.requests == []


@pytest.mark.parametrize("choice", ["agent-only", "keep-data", "everything"])
def test_remove_asks_for_what_was_chosen(agent: Archipel, service: ScriptedService, choice: str) -> None:
    ending(service, JobState.SUCCEEDED)
    assert agent("remove", f"--{choice}", "--yes").code == Exit.OK
    assert asked(service) == {"what": choice}


def test_remove_lists_what_stays(agent: Archipel, service: ScriptedService) -> None:
    ending(service, JobState.SUCCEEDED, sentence="gone", result={"left": "the journal\nthe group archipel"})
    said = agent("remove", "--everything", "--yes")
    assert said.out.endswith("+ gone\nWhat stays on this machine:\n  the journal\n  the group archipel\n")


def test_remove_takes_one_choice_only(agent: Archipel, service: ScriptedService) -> None:
    assert agent("remove", "--agent-only", "--everything").code == Exit.USAGE
    assert service.requests == []


def test_ctrl_c_ends_the_watching_and_says_how_to_go_on(
    agent: Archipel, service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archipel_agent.cli import progress

    def interrupted(self: object, event: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.PlainProgress, "show", interrupted)
    said = agent("up")
    assert said.code == Exit.INTERRUPTED
    assert "the job goes on" in said.err
    assert "archipel agent watch" in said.err
    assert "archipel agent cancel" in said.err
    assert service.cancelled == []


class TerminalAnswers:
    """What a person types, line by line."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)

    def __call__(self, prompt: str = "") -> str:
        if not self.lines:
            raise EOFError
        return self.lines.pop(0)


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have somebody sit there who answers questions."""
    from archipel_agent.cli.command import Session

    def sit(*lines: str) -> None:
        monkeypatch.setattr(Session, "interactive", property(lambda self: not self.screen.as_json))
        monkeypatch.setattr("builtins.input", TerminalAnswers(*lines))

    return sit


def two_interfaces(service: ScriptedService) -> None:
    nics = (
        Nic(name="eth0", up=True, addresses=("192.168.4.27/24",)),
        Nic(name="eth1", up=True, addresses=("10.7.0.3/16",)),
        Nic(name="docker0", up=True, addresses=("172.17.0.1/16",), virtual=True),
        Nic(name="eth2", up=True, addresses=("169.254.3.4/16",)),
    )
    service.known_facts = replace(service.known_facts, nics=nics)
    service.current = replace(service.current, site=None)
    ending(service, JobState.SUCCEEDED)


def test_up_asks_which_interface_where_there_are_several(
    agent: Archipel, service: ScriptedService, at_a_terminal: Callable[..., None]
) -> None:
    two_interfaces(service)
    at_a_terminal("7", "zwei", "2")
    said = agent("up")
    assert "1  eth0  192.168.4.27" in said.out
    assert "docker0" not in said.out
    assert asked(service) == {"interface": "eth1", "node_ip": "10.7.0.3"}


def test_up_does_nothing_when_the_question_is_not_answered(
    agent: Archipel, service: ScriptedService, at_a_terminal: Callable[..., None]
) -> None:
    two_interfaces(service)
    at_a_terminal()
    said = agent("up")
    assert said.code == Exit.REFUSED
    assert "--interface" in said.err
    assert service.requests == []


@pytest.mark.parametrize("words", [("--yes",), ("--interface", "eth0"), ("--json",)])
def test_up_does_not_ask_when_told_not_to_or_told_already(
    agent: Archipel, service: ScriptedService, at_a_terminal: Callable[..., None], words: tuple[str, ...]
) -> None:
    two_interfaces(service)
    at_a_terminal()
    assert agent("up", *words).code == Exit.OK


def test_up_does_not_ask_again_on_a_site_that_has_its_address(
    agent: Archipel, service: ScriptedService, at_a_terminal: Callable[..., None]
) -> None:
    site = service.current.site
    two_interfaces(service)
    service.current = replace(service.current, site=site)
    at_a_terminal()
    assert agent("up").code == Exit.OK


def test_remove_at_a_terminal_wants_a_yes(
    agent: Archipel, service: ScriptedService, at_a_terminal: Callable[..., None]
) -> None:
    ending(service, JobState.SUCCEEDED)
    at_a_terminal("no")
    assert agent("remove", "--everything").code == Exit.REFUSED
    assert service.requests == []
    at_a_terminal("yes")
    assert agent("remove", "--everything").code == Exit.OK


@pytest.mark.parametrize("words", [("remove", "--everything"), ("remove", "--agent-only", "--json")])
def test_where_nobody_can_be_asked_nothing_is_removed_without_a_yes(
    agent: Archipel, service: ScriptedService, words: tuple[str, ...]
) -> None:
    said = agent(*words)
    assert said.code == Exit.REFUSED and "--yes" in said.err
    assert service.requests == []


# --- the agent's own words ---


def test_watch_follows_the_running_job_to_its_end(agent: Archipel, service: ScriptedService) -> None:
    agent("up", "--no-wait")
    service.run_to(JobState.SUCCEEDED, sentence="All is well.")
    assert agent("agent", "watch").code == Exit.NOT_OK  # nothing runs any more
    said = agent("agent", "watch", JOB_ID)
    assert (said.code, said.out.splitlines()[-1]) == (Exit.OK, "+ All is well.")


def test_cancel_stops_the_running_job_and_is_content(agent: Archipel, service: ScriptedService) -> None:
    agent("up", "--no-wait")

    def end() -> None:
        until(service)
        service.run_to(JobState.CANCELLED)

    ends = threading.Thread(target=end)
    ends.start()
    said = agent("agent", "cancel")
    ends.join()
    assert said.code == Exit.OK
    assert service.cancelled == [JOB_ID]


def until(service: ScriptedService) -> None:
    """Wait until the job was asked to stop."""
    for _ in range(500):
        if service.cancelled:
            return
        threading.Event().wait(0.01)
    raise AssertionError("nobody cancelled the job")


def test_jobs_are_listed(agent: Archipel, service: ScriptedService) -> None:
    assert agent("agent", "jobs").out == "This machine remembers no job.\n"
    agent("up", "--no-wait")
    assert JOB_ID in agent("agent", "jobs").out
    assert agent("agent", "jobs", "--json").data["jobs"][0]["verb"] == "up"


def test_the_agent_says_who_it_is(agent: Archipel) -> None:
    said = agent("agent", "status")
    assert said.code == Exit.OK
    assert "owner" in said.out
    assert agent("agent", "status", "--json").data["api_version"] == 1


def test_an_agent_that_is_away_exits_5(archipel: Archipel) -> None:
    said = archipel("agent", "status")
    assert said.code == Exit.AGENT_AWAY
    assert "does not answer" in said.err
