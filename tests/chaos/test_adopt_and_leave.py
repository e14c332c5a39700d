"""A k3s that is not ours is adopted and given back: it is the same process, and its files are the same to the byte.

The machine is one on which another installer set k3s up: what Archipel had made there is gone but for k3s itself, its
settings are another's, and its unit has other words.
"""

import json
from pathlib import Path

import pytest

from archipel_agent.checks import registry
from archipel_agent.checks.base import Phase
from archipel_agent.jobs.planning import plan_of
from archipel_agent.observe import World, gather
from archipel_agent.settings import Settings
from archipel_agent.steps.base import Context
from archipel_agent.steps.options import Options
from archipel_agent.steps.story import story
from archipel_contract.adoption import Later
from archipel_contract.jobs import Job, JobState, Plan, Verb
from tests.chaos.crashes import CUT, KILLED, UP, Story, crash, prepared, request, undisturbed
from tests.chaos.node import STICK, Image, Node

GONE = request(Verb.REMOVE, "the-agent-goes", what="agent-only")
ADOPT = request(Verb.ADOPT, "adopt", name="Halle 3")
LEAVE = request(Verb.LEAVE, "leave")
OTHERS_UNIT = b"[Unit]\nDescription=Lightweight Kubernetes\n[Service]\nExecStart=/usr/local/bin/k3s server\n"
OTHERS_CONFIG = """\
# Of another installer.
node-ip: "192.168.4.27"
token: {token}
disable:
  - "servicelb"
tls-san:
  - "box.example"
"""
# What is k3s', its owner's and the machine's, and not the agent's.
NOT_OURS = (
    "/etc/rancher",
    "/usr/local/bin",
    "/etc/systemd",
    "/etc/sysctl.d",
    "/var/lib/rancher/k3s/server/manifests",
)

_FOREIGN: list[Image] = []


class Box(Node):
    """A machine with another's k3s on it."""

    def __init__(self, image: Image | None = None) -> None:
        super().__init__(image or foreign())

    def job(self, verb: Verb, **options: str | bool | list[str]) -> Job:
        """Do a job under a key of its own."""
        return self.do(request(verb, f"{verb}-{len(self.store.jobs())}", **options))

    def pid(self) -> int | None:
        """The process of k3s."""
        return self.ports.k3s.status().pid

    def others(self) -> dict[str, object]:
        """Every file that is not the agent's, to the byte and with its mode."""
        return {
            name: (node.mode, node.target, node.data)
            for name, node in self.disk.all().items()
            if name.startswith(NOT_OURS)
        }

    def plan(self, verb: Verb) -> Plan:
        """What a job would do."""
        context = Context(
            verb=verb,
            options=Options(),
            ports=self.ports,
            paths=self.paths,
            settings=Settings(),
            store=self.store,
            node_id=self.store.value("node_id") or "",
        )
        world = World(paths=self.paths, store=self.store)
        return plan_of(story(verb, Options()), context, gather(self.ports, world))

    def findings(self, phase: Phase = Phase.RUNTIME) -> dict[str, tuple[str, ...]]:
        """What the doctor finds, with its evidence."""
        world = World(paths=self.paths, store=self.store)
        results = registry.look_all(gather(self.ports, world), phase)
        return {one.code: one.evidence for one in registry.findings(results)}


def foreign() -> Image:
    """The disk of a machine whose k3s was set up by somebody else."""
    if not _FOREIGN:
        node = Node(prepared((UP,)))
        assert node.do(GONE).state is JobState.SUCCEEDED
        node.agent_goes()
        node.disk.write(node.paths.k3s_unit, OTHERS_UNIT)
        token = json.dumps(node.world.config()["token"])
        node.disk.write(node.paths.k3s_config, OTHERS_CONFIG.format(token=token).encode(), 0o640)
        node.disk.remove(node.paths.sysctl)
        node.disk.remove(node.paths.k3s_data / "server/manifests/archipel-accounts.yaml")
        _FOREIGN.append(node.image())
    return _FOREIGN[0]


@pytest.fixture
def box() -> Box:
    made = Box()
    if made.pid() is None:  # it was switched off to be copied
        made.ports.k3s.start()
        made.clock.advance(600.0)
        made.world.settle()
    return made


def test_up_refuses_a_k3s_of_somebody_else_and_names_adopt(box: Box) -> None:
    refused = box.job(Verb.UP)
    assert refused.finding is not None
    assert (refused.finding.code, refused.changed_nothing) == ("foreign-k3s", True)
    assert "archipel adopt" in refused.finding.next_step


def test_adopting_restarts_nothing_and_writes_nothing_of_k3s(box: Box) -> None:
    before, pid = box.others(), box.pid()
    assert box.do(ADOPT).state is JobState.SUCCEEDED
    site = box.store.site()
    assert site is not None
    assert (site.adopted, site.generation, site.origin, site.name) == (True, 0, "local", "Halle 3")
    assert (site.k3s.installed_by_us, site.network.node_ip) == (False, "192.168.4.27")
    assert (box.others(), box.pid()) == (before, pid)
    assert box.disk.exists(box.paths.state / "kube/identity.json")


def test_the_plan_lists_how_it_differs_and_hides_its_secrets(box: Box) -> None:
    plan = box.plan(Verb.ADOPT)
    assert plan.findings == ()
    found = {one.name: one for one in plan.drift}
    assert found["secrets-encryption"].later is Later.RESTART
    assert found["disable"].present == "traefik run"
    assert found["tls-san"].present == "box.example"
    assert found["vm.overcommit_memory"].later is Later.NOW
    assert str(box.paths.k3s_unit) in found
    assert str(box.world.config()["token"]) not in repr(plan)


def test_the_doctor_tells_the_drift_as_a_hint_with_every_line(box: Box) -> None:
    box.do(ADOPT)
    lines = box.findings()["site-adopted-drift"]
    assert any("secrets-encryption" in line for line in lines)
    assert not {"kernel-setting-wrong", "hardening-exception", "foreign-k3s"} & set(box.findings())


def test_up_on_an_adopted_site_overwrites_nothing(box: Box) -> None:
    box.do(ADOPT)
    before, pid = box.others(), box.pid()
    done = box.job(Verb.UP)
    assert done.state is JobState.SUCCEEDED, done.sentence
    assert (box.others(), box.pid(), box.store.value("token")) == (before, pid, None)


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        (Verb.UP, {"k3s": str(STICK)}),
        (Verb.UP, {"components": ["coredns"]}),
        (Verb.REMOVE, {"what": "everything"}),
        (Verb.REMOVE, {"what": "keep-data"}),
        (Verb.FIX, {"code": "address-gone", "node_ip": "192.168.4.99"}),
    ],
)
def test_what_would_change_an_adopted_k3s_is_refused(
    box: Box, verb: Verb, options: dict[str, str | list[str]]
) -> None:
    box.do(ADOPT)
    before, pid = box.others(), box.pid()
    refused = box.job(verb, **options)
    assert refused.state is JobState.FAILED
    assert refused.finding is not None
    assert refused.finding.code in ("adopted-not-ours", "site-settled"), refused.sentence
    assert refused.changed_nothing
    assert (box.others(), box.pid()) == (before, pid)


def test_down_stops_it_also_at_the_next_boot_and_up_brings_it_back_as_it_was(box: Box) -> None:
    box.do(ADOPT)
    before = box.others()
    assert box.job(Verb.DOWN).state is JobState.SUCCEEDED
    assert box.pid() is None
    assert set(before) - set(box.others()) == {"/etc/systemd/system/multi-user.target.wants/k3s.service"}
    assert box.job(Verb.UP).state is JobState.SUCCEEDED
    assert (box.others(), box.pid() is not None) == (before, True)


def test_a_restart_that_is_asked_for_is_done_with_its_own_unit(box: Box) -> None:
    box.do(ADOPT)
    before, pid = box.others(), box.pid()
    assert box.job(Verb.RESTART).state is JobState.SUCCEEDED
    assert box.others() == before
    assert box.pid() not in (None, pid)


def test_removing_only_the_agent_leaves_an_adopted_k3s_as_it_was(box: Box) -> None:
    before, pid = box.others(), box.pid()
    box.do(ADOPT)
    assert box.do(GONE).state is JobState.SUCCEEDED
    box.agent_goes()
    assert (box.others(), box.pid()) == (before, pid)


def test_leaving_gives_it_back_to_the_byte_with_the_same_process(box: Box) -> None:
    before, pid, objects = box.others(), box.pid(), box.picture()["world"]
    box.do(ADOPT)
    assert box.do(LEAVE).state is JobState.SUCCEEDED
    assert (box.others(), box.pid()) == (before, pid)
    after = box.picture()
    assert isinstance(objects, dict) and isinstance(after["world"], dict)
    assert after["world"]["objects"] == objects["objects"]
    assert box.store.site() is None
    assert not box.disk.exists(box.paths.state / "kube/identity.json")


def test_it_can_be_adopted_again_at_once_while_what_leaving_took_away_is_still_going(box: Box) -> None:
    for verb in (Verb.ADOPT, Verb.LEAVE, Verb.ADOPT):
        done = box.job(verb)
        assert done.state is JobState.SUCCEEDED, (verb, done.finding and done.finding.params)


def test_leaving_a_stopped_one_lets_it_start_at_boot_again(box: Box) -> None:
    before = box.others()
    box.do(ADOPT)
    box.job(Verb.DOWN)
    assert box.do(LEAVE).state is JobState.SUCCEEDED
    assert box.others() == before


def test_a_site_of_our_own_is_not_left_but_told_how() -> None:
    node = Node(prepared((UP,)))
    refused = node.do(LEAVE)
    assert refused.finding is not None
    assert (refused.finding.code, refused.changed_nothing) == ("leave-own-site", True)
    assert "remove --agent-only" in refused.finding.next_step


def test_a_machine_without_k3s_has_nothing_to_adopt() -> None:
    refused = Node().do(ADOPT)
    assert refused.finding is not None
    assert (refused.finding.code, refused.changed_nothing) == ("adopt-refused", True)


def test_a_k3s_that_keeps_its_data_elsewhere_is_refused(box: Box) -> None:
    config = box.disk.read(box.paths.k3s_config)
    box.disk.write(box.paths.k3s_config, config + b'data-dir: "/srv/k3s"\n')
    refused = box.do(ADOPT)
    assert refused.finding is not None
    assert "/srv/k3s" in json.dumps(refused.finding.params)


class _Foreign(Story):
    """A story that begins on the machine of somebody else."""

    def begin(self) -> Node:
        made = Box()
        made.ports.k3s.start()
        made.clock.advance(600.0)
        made.world.settle()
        for one in self.before:
            assert made.do(one).state is JobState.SUCCEEDED
        return made


ADOPTING = _Foreign(name="adopt", request=ADOPT)
LEAVING = _Foreign(name="leave", request=LEAVE, before=(ADOPT,))


@pytest.mark.parametrize("kind", [CUT, KILLED])
@pytest.mark.parametrize("told", [ADOPTING, LEAVING], ids=lambda one: one.name)
def test_adopting_and_leaving_cut_off_at_any_instant_end_as_if_nothing_had_happened(
    told: _Foreign, kind: str
) -> None:
    others = told.begin()
    assert isinstance(others, Box)
    wanted = others.others()
    for instant in range(1, undisturbed(told).instants + 1):
        job, node, where = crash(told, kind, (instant,), insists=True)
        assert isinstance(node, Box)
        assert job.state is JobState.SUCCEEDED, (where, job.sentence)
        assert node.others() == wanted, where
        site = node.store.site()
        assert (site is not None and site.adopted) is (told is ADOPTING), where


def test_an_adopting_that_is_stopped_leaves_no_trace() -> None:
    told = _Foreign(name="adopt stopped", request=ADOPT, stop_at="identity")
    ended = undisturbed(told)
    before = told.begin()
    assert ended.state is JobState.CANCELLED
    left = {name for name in ended.picture if ended.picture[name] != before.picture().get(name)}
    assert left <= {"/var/lib/archipel/kube"}, left


def test_paths_of_others_are_really_looked_at(box: Box) -> None:
    assert {str(Path(name)) for name in box.others()} >= {str(box.paths.k3s_unit), str(box.paths.k3s_config)}
