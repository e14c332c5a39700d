"""The story of a site with a real k3s and its fleet: kubectl, the command line, the technician's screen, the fleet's command
and its web page show the same, soon after each change; and what happens while the link is cut comes in afterwards.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from archipel_contract.exits import Exit
from tests.demo.fleet import Fleet
from tests.e2e.person import Person, from_checkout, until
from tests.e2e.screen import screen
from tests.hosts import shell
from tests.hosts.line import Line
from tests.hosts.offers import IMAGES
from tests.hosts.plain import PlainHost

STORY = True
pytestmark = [
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.broker,
]

BUSYBOX = "rancher/mirrored-library-busybox:1.37.0"
SOON = 30.0  # seconds within which a change must be seen everywhere, on a machine that also runs k3s and this test


@dataclass
class Place:
    """One site and its fleet, with who sits at each."""

    host: PlainHost
    person: Person
    fleet: Fleet
    line: Line
    site_id: str = ""

    def seen(self) -> dict[str, Any]:
        """What `archipel fleet site` says of this site; empty before it is known."""
        said: dict[str, Any] = self.fleet.asks("site", self.site_id, "--events", "200") or {}
        return said

    def page(self) -> str:
        """The site's web page."""
        return self.fleet.page(f"/sites/{self.site_id}")

    def pods(self) -> dict[str, bool]:
        """Pods as the fleet shows them: name -> ready."""
        return {one["name"]: one["ready"] for one in self.seen().get("pods", [])}

    def codes(self) -> set[str]:
        """Codes of the findings the fleet shows."""
        return {one["finding"]["code"] for one in self.seen().get("findings", [])}


@pytest.fixture(scope="module")
def place(plain: PlainHost) -> Iterator[Place]:
    """A light host with a real k3s whose agent has a broker."""
    fleet = Fleet()
    line = Line(plain.leader, fleet.broker_port, fleet.broker_port)
    counter = Line(plain.leader, fleet.enrol_port, fleet.enrol_port)
    try:
        command = from_checkout()
        plain.spawn([*command, "agent", "run", "--interval", "2", "--metrics-every", "5"])
        until(lambda: plain.run(["test", "-S", "/run/archipel/agent.sock"]).rc == 0, fleet.said, 20)
        plain.run([*command, "enrol", fleet.invitation()]).ok()
        yield Place(plain, Person(plain, command), fleet, line)
    finally:
        counter.close()
        line.close()
        fleet.close()


@pytest.fixture(scope="module")
def site(place: Place) -> Place:
    """The same once it is a site, and its fleet knows."""
    up = place.person.up("--images", IMAGES)
    assert up.code == Exit.OK, up
    place.site_id = place.person.status()["site"]["site_id"]
    until(lambda: place.seen().get("site", {}).get("health", {}).get("health") == "healthy", place.seen, SOON)
    return place


def test_a_site_that_comes_up_is_seen_by_its_fleet_with_the_same_node_and_pods(site: Place) -> None:
    place = site
    seen = place.seen()
    (node,) = seen["nodes"]
    (real,) = place.person.objects("nodes")
    assert node["name"] == real["metadata"]["name"]
    assert node["k3s_version"] == real["status"]["nodeInfo"]["kubeletVersion"]
    assert set(place.pods()) == {one["metadata"]["name"] for one in place.person.objects("pods")}
    assert seen["site"]["contact"]["state"] == "connected" and not seen["site"]["rehearsed"]
    page = place.page()
    assert node["name"] in page and node["k3s_version"] in page
    assert place.person.asks("status").document["link"]["state"] == "connected"


def test_pods_that_come_and_fail_are_seen_by_kubectl_screen_command_and_page_alike(site: Place) -> None:
    place = site
    run = ("run", "probe", f"--image={BUSYBOX}", "--image-pull-policy=Never", "--", "sleep", "3600")
    assert place.person.kubectl(*run).rc == 0
    until(lambda: "probe" in place.person.running_pods(), lambda: place.person.objects("pods"), 60)
    until(lambda: place.pods().get("probe") is True, place.pods, SOON)
    assert place.person.kubectl("run", "lost", "--image=nowhere/lost:1", "--image-pull-policy=Never").rc == 0
    until(lambda: place.pods().get("lost") is False, place.pods, SOON)
    until(lambda: place.seen()["site"]["health"]["health"] == "unhealthy", place.seen, SOON)
    assert "lost" in place.page()
    own = {one["name"]: one["ready"] for one in place.person.status()["cluster"]["pods"]}
    assert own == place.pods()
    with screen(place.host, *from_checkout(), "tui") as tui:
        text = tui.until(f"{sum(own.values())} of {len(own)} ready")
        assert "connected" in text.lower()
        tui.type("q")
        tui.end()
    assert place.person.kubectl("delete", "pod", "lost", "--force").rc == 0
    until(lambda: "lost" not in place.pods(), place.pods, SOON)
    until(lambda: place.seen()["site"]["health"]["health"] == "healthy", place.seen, SOON)


def test_what_doctor_finds_the_fleet_finds_with_the_same_words(site: Place) -> None:
    place = site
    place.host.cut_network()
    until(lambda: "cable-out" in place.codes(), place.codes, SOON)
    own = place.person.findings()["cable-out"]
    theirs = next(one["finding"] for one in place.seen()["findings"] if one["finding"]["code"] == "cable-out")
    assert theirs["summary"] == own["summary"] and theirs["next_step"] == own["next_step"]
    assert own["summary"] in place.page()
    place.host.heal_network()
    until(lambda: "cable-out" not in place.codes(), place.codes, SOON)


@pytest.mark.parametrize(
    "seconds", [20.0, pytest.param(600.0, marks=[pytest.mark.prove, pytest.mark.timeout(1500)])]
)
def test_what_happens_while_the_link_is_cut_comes_in_afterwards_at_its_time(
    site: Place, seconds: float
) -> None:
    place = site
    began = datetime.now(UTC)
    place.line.cut()
    until(lambda: place.person.asks("status").document["link"]["state"] == "away", place.person.status, 60)
    place.host.cut_network()
    until(lambda: "cable-out" in reported(place), place.person.status, 60)
    place.host.heal_network()
    until(lambda: "cable-out" not in reported(place), place.person.status, 60)
    left = seconds - (datetime.now(UTC) - began).total_seconds()
    assert place.person.running_pods(), "the site's pods must not mind"
    until(lambda: place.seen()["site"]["contact"]["state"] == "overdue", place.seen, 90)
    assert place.seen()["site"]["health"]["health"] == "healthy", (
        "silence is no failure: health stays as last heard"
    )
    if left > 0:
        until(lambda: (datetime.now(UTC) - began).total_seconds() > seconds, place.seen, left + 10)
    ended = datetime.now(UTC)
    place.line.heal()
    until(lambda: place.seen()["site"]["contact"]["state"] == "connected", place.seen, 120)
    until(lambda: len(cables(place, began, ended)) >= 2, place.seen, 60)
    assert {one["kind"] for one in cables(place, began, ended)} == {"finding-appeared", "finding-cleared"}
    until(lambda: place.person.asks("status").document["link"]["waiting"] == 0, place.person.status, 60)
    assert place.seen()["gaps"] == []
    assert "fleet-sequence-missing" not in place.codes()


def reported(place: Place) -> set[str]:
    """Codes of the findings in the agent's own report."""
    return {one["code"] for one in place.person.status()["findings"]}


def cables(place: Place, began: datetime, ended: datetime) -> list[dict[str, Any]]:
    """The fleet's events about the cable that happened between two times."""
    first, last = began.timestamp() * 1000, ended.timestamp() * 1000
    return [
        one
        for one in place.seen().get("timeline", [])
        if one["subject"] == "cable-out" and first <= one["at"] <= last and one["sure"]
    ]


def ordered(place: Place, *words: str) -> shell.Completed:
    """Run an order on the site's node and wait for what comes of it."""
    node = place.seen()["nodes"][0]["node_id"]
    return place.fleet.archipel("fleet", "run", node, *words, "--wait", timeout=120.0)


def containers(place: Place) -> set[str]:
    """Ids of every container that runs."""
    return {
        one["containerID"]
        for pod in place.person.objects("pods")
        for one in pod["status"].get("containerStatuses", [])
    }


def test_remote_hands_see_what_somebody_at_the_machine_sees(site: Place) -> None:
    place = site
    pods = ordered(place, "kubectl", "get", "pods", "-A")
    assert pods.rc == 0, pods
    assert all(name in pods.stdout for name in place.person.running_pods())
    logs = ordered(place, "logs", "--lines", "50")
    assert logs.rc == 0 and len(logs.stdout.splitlines()) == 51  # the order itself in the first
    doctor = ordered(place, "doctor", "--json")
    assert doctor.rc == 0 and "results" in doctor.stdout, doctor


def test_what_no_order_may_show_is_refused_on_the_node(site: Place) -> None:
    place = site
    before = place.person.running_pods()
    for words in (("get", "secrets", "-A"), ("delete", "pods", "-A", "--all"), ("exec", "probe", "--", "id")):
        refused = ordered(place, "kubectl", *words)
        assert refused.rc != 0, refused
    assert before and place.person.running_pods() == before


def test_a_restart_from_afar_leaves_every_container_running(site: Place) -> None:
    place = site
    before = containers(place)
    done = ordered(place, "restart")
    assert done.rc == 0, done
    until(lambda: place.person.kubectl("get", "--raw", "/readyz").rc == 0, place.person.status, 60)
    until(lambda: containers(place) >= before, lambda: containers(place), 30)


def told(place: Place) -> set[str]:
    """Every action in the fleet's copy of the site's journal."""
    said = place.fleet.archipel("fleet", "audit", place.site_id, "--limit", "200").ok().stdout
    return set(re.findall(r"(?:order|job):[a-z]+", said))


def test_who_did_what_is_told_alike_at_the_machine_and_by_the_fleet(site: Place) -> None:
    place = site
    own = place.person.asks("audit").document
    actions = [one["action"] for one in own["entries"]]
    assert "order:restart" in actions and "job:up" in actions and "enrol" in actions
    until(lambda: {"order:restart", "job:up"} <= told(place), lambda: told(place), SOON)
    verified = place.fleet.archipel("fleet", "audit", "--verify")
    assert verified.rc == 0, verified


def test_a_revoked_device_is_cut_off_and_its_cluster_does_not_mind(site: Place) -> None:
    place = site
    node = place.seen()["nodes"][0]["node_id"]
    before = containers(place)
    assert place.fleet.archipel("fleet", "revoke", node).rc == 0
    until(lambda: place.person.asks("status").document["link"]["state"] == "away", place.person.status, SOON)
    # The next attempt, which is refused, comes when the spread of returning nodes lets it.
    until(lambda: "link-broker-refused" in place.person.findings(), place.person.status, 120)
    assert containers(place) == before
