"""The story of a box that nobody sits at: an answer file lies on its boot partition when it is switched on, and it becomes a
site by itself; a changed file changes what may be changed. One host, read from top to bottom.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from archipel_contract.exits import Exit
from tests.e2e.person import Person, until
from tests.hosts.booted import BootedHost
from tests.hosts.offers import IMAGES

STORY = True
pytestmark = [
    pytest.mark.booted,
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.prove,
]

FILE, RESULT = "/boot/firmware/archipel.toml", "/boot/firmware/archipel-result"
# The agent's own list of jobs, asked for the way `curl --unix-socket` would.
JOBS = """
import http.client, socket
line = http.client.HTTPConnection("agent")
line.sock = socket.socket(socket.AF_UNIX)
line.sock.connect("/run/archipel/agent.sock")
line.request("GET", "/v1/jobs")
print(line.getresponse().read().decode())
"""
ANSWERS = f"""\
# Written at a desk, for a box in a cabinet.
format = 1

[site]
name = "Hall 3"
node_name = "edge-07"
components = ["coredns"]

[k3s]
images = ["{IMAGES}"]

[fleet]
proxy = "http://box:hunter2@proxy.example:3128"   # of the plant

[remote]
allowed = false
"""


@dataclass
class Site:
    """The machine, and how long it took."""

    host: BootedHost
    person: Person
    took: float

    def result(self) -> dict[str, Any]:
        """What lies beside the file."""
        said: dict[str, Any] = json.loads(self.host.get(f"{RESULT}.json"))
        return said

    def is_done(self) -> bool:
        """Whether the file has been applied, as far as what lies beside it says."""
        there = self.host.run(["test", "-e", f"{RESULT}.json"]).rc == 0
        return there and self.result()["state"] == "done"

    def said(self) -> str:
        """For the message of a failure."""
        log = self.host.run(["journalctl", "-u", "archipel-agent", "-o", "cat", "-n", "60"]).stdout
        jobs = self.host.run(["python3", "-c", JOBS]).stdout
        return f"{log}\n{jobs[:4000]}"


@pytest.fixture(scope="module")
def site(booted: BootedHost) -> Iterator[Site]:
    """A box with the program on it and a file on its boot partition, switched on."""
    booted.install_archipel().ok()
    booted.run(["systemctl", "enable", "archipel-agent.service"]).ok()
    booted.run(["systemctl", "stop", "archipel-agent.service"]).ok()
    booted.put(ANSWERS.encode(), FILE)
    booted.power_off()
    booted.boot()
    made = Site(booted, Person(booted), 0.0)
    begun = time.monotonic()
    until(made.is_done, made.said, 240)
    made.took = time.monotonic() - begun
    print(f"a site {made.took:.1f} s after systemd")
    yield made


@pytest.fixture(scope="module")
def after_power_cut(site: Site) -> tuple[Site, dict[str, Any]]:
    """The same box after its plug was pulled and put in again, and its result as it was before."""
    before = site.result()
    site.host.power_cut()
    site.host.boot()
    return site, before


def test_switched_on_it_becomes_a_ready_site_with_nobody_typing(site: Site) -> None:
    assert site.person.ready_nodes() == ["edge-07"]
    report = site.person.status()
    assert report["site"]["name"] == "Hall 3"
    assert {one["deed"] for one in site.result()["done"]} == {"settings", "up", "blanked"}


def test_the_result_lies_beside_the_file_in_plain_words(site: Site) -> None:
    text = site.host.get(f"{RESULT}.txt").decode()
    print(text)
    assert "It has been applied." in text and "site set up: Hall 3" in text


def test_what_was_secret_is_gone_from_the_file_and_the_rest_is_as_it_was(site: Site) -> None:
    left = site.host.get(FILE).decode()
    assert "hunter2" not in left
    assert left.splitlines()[:12] == ANSWERS.splitlines()[:12]
    assert left.endswith("   # of the plant\n\n[remote]\nallowed = false\n")
    settings = site.host.get("/etc/archipel/agent.toml").decode()
    assert 'remote = "off"' in settings and "hunter2" in settings
    assert site.host.run(["stat", "-c", "%a", "/etc/archipel/agent.toml"]).stdout.strip() == "600"


def test_the_command_shows_what_is_in_force(site: Site) -> None:
    shown = site.person.asks("answers", "show")
    assert shown.code == Exit.OK
    assert (shown.document["state"], shown.document["file"]) == ("done", FILE)
    assert "hunter2" not in json.dumps(shown.document)


def test_a_changed_file_gives_the_site_its_new_name_and_leaves_its_network(site: Site) -> None:
    changed = site.host.get(FILE).decode().replace('"Hall 3"', '"Hall 4"\npod_network = "10.52.0.0/16"')
    site.host.put(changed.encode(), FILE)  # as an editor on the machine would

    def is_renamed() -> bool:
        said = site.result()
        return bool(said["state"] == "done" and said["values"]["site.name"] == "Hall 4")

    until(is_renamed, site.said, 170)
    assert [one["code"] for one in site.result()["findings"]] == ["answers-site-settled"]
    assert site.person.status()["site"]["name"] == "Hall 4"
    assert site.person.findings()["answers-site-settled"]["params"]["kept"] == "10.42.0.0/16"


def test_nothing_is_applied_again_after_a_power_cut(after_power_cut: tuple[Site, dict[str, Any]]) -> None:
    site, before = after_power_cut
    until(lambda: site.person.ready_nodes() == ["edge-07"], site.said, 170)
    assert site.result() == before
    assert (
        len(json.loads(site.host.run(["python3", "-c", JOBS]).ok().stdout)["jobs"]) == 2
    )  # the first and the renaming
