"""Records that are locked, damaged, newer, or on a disk that cannot be written; settings with a mistake; a wrong clock; a
second agent; somebody else's k3s. Each is named, refused where it must be, and what can go on goes on. A fresh light host
for each.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from tests.e2e.person import Answer, Person, from_checkout, until
from tests.hosts.lab import Lab
from tests.hosts.places import interpreter
from tests.hosts.plain import PlainHost

pytestmark = [pytest.mark.real_k3s, pytest.mark.real_process, pytest.mark.own_network]

DATABASE = "/var/lib/archipel/state.db"
LOCK = f"""
import sqlite3, time
held = sqlite3.connect({DATABASE!r})
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(600)
"""
NEWER = f"import sqlite3; c=sqlite3.connect('{DATABASE}'); c.execute('PRAGMA user_version=99'); c.commit()"
WRONG_CLOCK = Path(__file__).with_name("wrong_clock.py")


@pytest.fixture
def person(lab: Lab, real: None) -> Iterator[Person]:
    """Somebody at a fresh machine with a stock k3s."""
    with PlainHost("light", lab) as host:
        host.offer_k3s()
        host.allow()
        yield Person(host, from_checkout())


@pytest.fixture(scope="module")
def real() -> None:
    """A k3s is there."""
    from tests.hosts import requirements
    from tests.hosts.fixtures import skip_without

    skip_without(requirements.missing_for_k3s())


def nothing_of_k3s(person: Person) -> bool:
    """Whether nothing was laid down for k3s."""
    files = person.host.run(["find", "/etc/rancher/k3s", "/etc/sysctl.d", "/var/lib/rancher", "-type", "f"])
    return all("50-host" in path for path in files.stdout.split()) and not person.processes("k3s server")


def refused_for_records(person: Person, code: str) -> Answer:
    """`up` is refused with this finding, and looking goes on: status answers and doctor names the same."""
    refused = person.up()
    assert refused.code == Exit.REFUSED, refused
    assert refused.finding["code"] == code, refused
    assert refused.finding["next_step"]
    assert nothing_of_k3s(person)
    assert code in person.findings()
    assert person.asks("doctor").code == Exit.NOT_OK
    assert person.status()["node"]["facts"]["hostname"] == "light"
    return refused


def test_records_on_a_disk_that_cannot_be_written_are_named(person: Person) -> None:
    person.host.run(["mount", "-o", "remount,bind,ro", "/var/lib/archipel"]).ok()
    refused_for_records(person, "state-read-only")


def test_records_that_another_program_holds_are_named_and_can_be_used_once_it_is_gone(person: Person) -> None:
    holder = person.host.spawn([interpreter(), "-c", LOCK])
    until(lambda: "held" in holder.output(), holder.output, 10)
    refused_for_records(person, "state-locked")
    person.host.run(["pkill", "-f", "BEGIN EXCLUSIVE"]).ok()
    holder.wait(10)
    plan = person.asks("up", "--plan")
    assert plan.code in (Exit.OK, Exit.REFUSED)


def test_damaged_records_are_named_and_left_as_they_are(person: Person) -> None:
    damaged = b"SQLite format 3\0" + b"\xff" * 8000
    person.host.put(damaged, DATABASE)
    refused_for_records(person, "state-damaged")
    assert person.host.get(DATABASE) == damaged


def test_records_of_a_newer_program_are_named_and_left_as_they_are(person: Person) -> None:
    person.host.run(["mkdir", "-p", "/var/lib/archipel"]).ok()
    person.host.run([interpreter(), "-c", NEWER]).ok()
    before = person.host.get(DATABASE)
    refused_for_records(person, "state-newer")
    assert person.host.get(DATABASE) == before


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"intervall = 10\n", "intervall"),
        (b'interval = "soon"\n', "interval"),
        (b"interval = \n", "line 1"),
        (b"\xff\xfe", "UTF-8"),
    ],
    ids=["unknown key", "wrong type", "not TOML", "not text"],
)
def test_settings_with_a_mistake_are_named_with_their_place_and_the_agent_goes_on(
    person: Person, text: bytes, place: str
) -> None:
    person.host.put(text, "/etc/archipel/agent.toml")
    refused = person.up()
    assert refused.code == Exit.REFUSED, refused
    assert refused.finding["code"] == "settings-invalid"
    assert "/etc/archipel/agent.toml" in refused.finding["params"]["problem"]
    assert place in refused.finding["params"]["problem"]
    assert "settings-invalid" in person.findings()
    assert nothing_of_k3s(person)


@pytest.mark.parametrize(
    ("now", "code", "year"),
    [
        ("1970-01-01T00:10:00+00:00", "clock-behind", "1970"),
        ("2036-12-01T00:00:00+00:00", "clock-ahead", "2036"),
    ],
)
def test_a_clock_in_the_wrong_years_is_refused_before_certificates_are_made(
    person: Person, now: str, code: str, year: str
) -> None:
    agent = person.host.spawn([*_python(), str(WRONG_CLOCK), now])
    until(lambda: person.asks("agent", "status").code == Exit.OK, agent.output, 10)
    refused = person.up()
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, code), refused
    assert refused.finding["params"]["now"].startswith(year)
    assert nothing_of_k3s(person)
    report = person.status()
    assert report["node"]["clock"] == "wrong"
    assert report["at"].startswith(year)


def _python() -> list[str]:
    return [str(Path(from_checkout()[0]).with_name("python"))]


def test_a_second_agent_is_refused_and_the_first_goes_on(person: Person) -> None:
    first = person.host.spawn([*from_checkout(), "agent", "run"])
    until(lambda: person.asks("agent", "status").code == Exit.OK, first.output, 10)
    pid = person.asks("agent", "status").document["pid"]
    second = person.types("agent", "run", timeout=20)
    assert second.rc == Exit.REFUSED, second
    assert "another agent runs" in second.stderr
    assert person.asks("agent", "status").document["pid"] == pid


def test_somebody_elses_running_k3s_is_refused_and_not_touched(person: Person) -> None:
    theirs = f"node-ip: {person.host.ip}\ndisable: [traefik, servicelb]\n".encode()
    person.host.put(theirs, "/etc/rancher/k3s/config.yaml")
    foreign = person.host.spawn(["/usr/local/bin/k3s", "server"])
    until(lambda: any(one.port == 6443 for one in person.host.listeners()), foreign.output)
    refused = person.up()
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, "foreign-k3s"), refused
    assert person.asks("doctor").code == Exit.NOT_OK
    assert foreign.rc is None
    ours = {
        path
        for path in person.host.snapshot_files()
        if path.startswith(("/etc/sysctl.d/", "/etc/rancher/k3s/a"))
    }
    assert ours == set()
    assert person.host.get("/etc/rancher/k3s/config.yaml") == theirs
