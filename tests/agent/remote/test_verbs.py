"""What each order does on a whole rehearsed node, and what comes back."""

import gzip
import json
from typing import Any

import pytest

from archipel_agent.core import Core
from archipel_agent.k3s.identity import ACCOUNT
from archipel_agent.paths import Paths
from archipel_agent.remote import verbs
from archipel_agent.remote.veto import OFFERED, vetoed
from archipel_agent.settings import REMOTE_VERBS, Settings
from archipel_agent.state.database import Database
from archipel_agent.state.store import Store
from archipel_agent.steps.identity import identity_file
from archipel_contract.commands import Action, Result
from archipel_contract.facts import ClockQuality
from archipel_contract.jobs import Job, JobRequest, JobState, Verb
from tests.agent.remote.hands import Hands
from tests.chaos.node import STICK, Node

ORDER = "c-0000000000000001"


class PatientCore(Core):
    """Waits for a job in real time, since the clock of the orders is a virtual one."""

    def job(self, job_id: str) -> Job:
        """See AgentService."""
        assert self.manager is not None and self.manager.wait_idle(15)
        return super().job(job_id)


class Site:
    """A rehearsed node that is a site, with its real core behind the desk."""

    def __init__(self, tmp_path: Any) -> None:
        self.node = Node()
        self.database = Database(tmp_path / "state.db")
        store = Store(self.database)
        self.core = PatientCore(self.node.ports, self.node.paths, Settings(), "n-0000000000000000", store)
        self.run(JobRequest(verb=Verb.UP, options={"k3s": str(STICK)}))
        self.hands = Hands()
        self.hands.fields.update(
            agent=self.core, ports=self.node.ports, paths=self.node.paths, journal=self.core.journal
        )
        self.hands.start()

    def run(self, request: JobRequest) -> None:
        """Take a job to its end."""
        job = self.core.start_job(request, "anna")
        assert self.core.manager is not None and self.core.manager.wait_idle(15)
        assert self.core.job(job.id).state is JobState.SUCCEEDED

    def order(self, action: Action, **arguments: Any) -> Result:
        """Order something and return the first piece of what came of it."""
        hands = self.hands
        hands.hear(hands.command(action, arguments=arguments))
        hands.work()
        return next(one for one in reversed(hands.link.said) if isinstance(one, Result))


@pytest.fixture
def site(tmp_path: Any) -> Any:
    made = Site(tmp_path)
    yield made
    made.database.close()


def test_logs_come_as_they_are_shown_on_site(site: Site) -> None:
    said = site.order(Action.LOGS, source="k3s", lines=5)
    assert (said.outcome, said.media) == ("done", "text/plain")
    assert site.hands.link.data(ORDER).decode().splitlines() == list(site.core.logs("k3s", 5).lines)


def test_the_doctor_answers_with_every_check(site: Site) -> None:
    said = site.order(Action.DOCTOR)
    checks = json.loads(site.hands.link.data(ORDER))
    assert said.media == "application/json"
    assert {one["slug"] for one in checks["results"]} >= {"clock", "node", "orders"}


def test_a_support_bundle_comes_whole_and_leaves_nothing_behind(site: Site) -> None:
    said = site.order(Action.SUPPORT)
    assert (said.outcome, said.media, said.cut) == ("done", "application/gzip", False)
    assert said.name.startswith("archipel-support-")
    assert gzip.decompress(site.hands.link.data(ORDER))
    assert site.node.disk.names(Paths().state / "support") == ()


def test_a_support_bundle_that_is_too_large_is_cut_and_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verbs, "FILE_LIMIT", 1000)
    said = site.order(Action.SUPPORT)
    assert said.cut and said.size == 1000 and "cut" in said.text


def test_a_restart_starts_k3s_again_and_workloads_go_on(site: Site) -> None:
    before = site.node.ports.k3s.status()
    said = site.order(Action.RESTART)
    after = site.node.ports.k3s.status()
    assert said.outcome == "done"
    assert after.pid != before.pid
    job = site.core.jobs().jobs[0]
    assert (job.verb, job.asked_by) == (Verb.RESTART, "fleet:alice")


def test_a_restart_of_a_site_that_is_stopped_on_purpose_is_refused(site: Site) -> None:
    site.run(JobRequest(verb=Verb.DOWN))
    said = site.order(Action.RESTART)
    assert (said.outcome, said.code) == ("failed", "not-set-up")


def test_a_rehearsed_kubectl_shows_the_rehearsed_cluster(site: Site) -> None:
    site.order(Action.KUBECTL, arguments=["get", "pods", "-A"])
    table = site.hands.link.data(ORDER).decode()
    assert table.startswith("NAMESPACE") and "coredns-" in table
    said = site.order(Action.KUBECTL, arguments=["describe", "pod", "x"])
    assert (said.outcome, said.code) == ("failed", "order-failed") and "rehearsed" in said.text
    site.order(Action.KUBECTL, arguments=["get", "nodes", "-o", "yaml"])
    nodes = json.loads(site.hands.link.data("c-0000000000000003"))
    assert nodes["items"][0]["status"]["conditions"]


OLD_RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
ROLE = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{ACCOUNT}"


def set_up_earlier(site: Site) -> None:
    """Leave what an earlier version has made: fewer rights in the cluster, and an identity that says nothing of them."""
    datastore, disk, path = site.node.world.datastore, site.node.disk, identity_file(site.node.paths)
    assert datastore is not None
    datastore.objects[ROLE]["rules"] = OLD_RULES
    kept = json.loads(disk.read(path))
    del kept["edition"]
    disk.write(path, json.dumps(kept).encode(), 0o600)


def rules(site: Site) -> object:
    """The rights the agent's account has in the cluster."""
    assert site.node.world.datastore is not None
    return site.node.world.datastore.objects[ROLE]["rules"]


@pytest.mark.parametrize("way", ["kubectl", "up"])
def test_the_rights_of_a_site_set_up_by_an_earlier_version_are_brought_up_to_date(
    site: Site, way: str
) -> None:
    wanted, token = rules(site), json.loads(site.node.disk.read(identity_file(site.node.paths)))["token"]
    set_up_earlier(site)
    if way == "up":
        site.run(JobRequest(verb=Verb.UP))
    else:
        site.order(Action.KUBECTL, arguments=["get", "pods", "-A"])
    assert rules(site) == wanted != OLD_RULES
    kept = json.loads(site.node.disk.read(identity_file(site.node.paths)))
    assert kept["token"] == token  # the account is the same, and so is what it shows
    assert site.node.ports.kube.request("GET", "/version").status == 200


def test_rights_that_are_up_to_date_are_not_asked_for_again(site: Site) -> None:
    site.order(Action.KUBECTL, arguments=["get", "pods", "-A"])
    assert site.node.world.datastore is not None
    site.node.world.datastore.objects[ROLE]["rules"] = (
        OLD_RULES  # nobody looks: that would be a request each time
    )
    site.order(Action.KUBECTL, arguments=["get", "pods", "-A"])
    assert rules(site) == OLD_RULES


def test_where_the_cluster_refuses_new_rights_the_old_identity_stays(site: Site) -> None:
    set_up_earlier(site)
    before = site.node.disk.read(identity_file(site.node.paths))
    site.node.world.life.stop()
    site.order(Action.KUBECTL, arguments=["get", "pods", "-A"])
    assert site.node.disk.read(identity_file(site.node.paths)) == before


def test_local_jobs_and_remote_orders_stand_in_one_journal(site: Site) -> None:
    site.order(Action.RESTART)
    assert site.core.journal is not None
    entries = site.core.journal.after(0, 100)
    told = [(one.actor, one.action, one.outcome) for one in entries]
    assert told == [
        ("local:anna", "job:up", "started"),
        ("fleet:alice", "order:restart", "accepted"),
        ("fleet:alice", "job:restart", "started"),
        ("fleet:alice", "order:restart", "done"),
    ]
    assert site.core.audit(100, verify=True).verified


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        (Action.LOGS, {"source": "/etc/shadow"}),
        (Action.LOGS, {"lines": 0}),
        (Action.LOGS, {"lines": 10**9}),
        (Action.LOGS, {"lines": True}),
        (Action.LOGS, {"source": ["k3s"]}),
        (Action.DOCTOR, {"fix": "k3s-stopped"}),
        (Action.SUPPORT, {"directory": "/tmp"}),
        (Action.RESTART, {"force": True}),
        (Action.KUBECTL, {}),
        (Action.KUBECTL, {"arguments": "get pods"}),
        (Action.KUBECTL, {"arguments": [1]}),
    ],
)
def test_an_order_with_arguments_that_do_not_fit_is_refused(
    action: Action, arguments: dict[str, Any]
) -> None:
    hands = Hands()
    hands.hear(hands.command(action, arguments=arguments))
    hands.work()
    assert hands.link.outcomes() == [(ORDER, "refused", "order-unfit")]


@pytest.mark.parametrize("action", [Action.RESET, Action.RESTORE])
def test_an_order_that_has_not_been_built_is_refused(action: Action) -> None:
    hands = Hands()
    hands.hear(hands.command(action, signers=[hands.fleet.alice, hands.fleet.bob], arguments={}))
    hands.work()
    assert hands.link.outcomes() == [(ORDER, "refused", "order-unknown")]


def test_a_defect_of_an_order_is_its_result_and_the_next_one_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands()
    good = hands.agent.logs
    monkeypatch.setattr(hands.agent, "logs", None)  # not even callable
    hands.hear(hands.command())
    hands.work()
    monkeypatch.setattr(hands.agent, "logs", good)
    hands.hear(hands.command())
    hands.work()
    assert [outcome for _, outcome, _ in hands.link.outcomes()] == ["failed", "done"]


def test_every_order_can_be_vetoed_by_the_settings_and_nothing_else() -> None:
    assert vetoed(Settings()) == frozenset()
    assert vetoed(Settings(remote="off")) == frozenset(OFFERED)
    assert vetoed(Settings(remote_verbs="logs, doctor")) == frozenset(OFFERED) - {Action.LOGS, Action.DOCTOR}
    assert {one.value for one in OFFERED} == set(REMOTE_VERBS) == {one.value for one in verbs.VERBS}


def test_the_agents_start_is_in_the_journal_once_and_so_is_what_is_wrong_in_its_settings(
    tmp_path: Any,
) -> None:
    node = Node()
    database = Database(tmp_path / "state.db")
    problem = "agent.toml: remote must be one of on, off"
    core = Core(node.ports, node.paths, Settings(), "n-1", Store(database), settings_problem=problem)
    core.turn()
    core.turn()
    entries = core.audit(10, verify=True).entries
    assert [(one.actor, one.action, one.outcome) for one in entries] == [
        ("agent", "start", ""),
        ("agent", "settings", "refused"),
    ]
    assert entries[1].detail == problem
    assert entries[0].clock is not ClockQuality.UNKNOWN
    database.close()
