"""A k3s that is wrong, cut short, altered or badly fetched is never put in place; a good one from a mirror is.

One light host without a k3s on its PATH, read from top to bottom; the mirror has the layout of the release page.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from tests.e2e.person import Person, from_checkout, until
from tests.hosts import requirements
from tests.hosts.host import Host
from tests.hosts.offers import IMAGES, K3S
from tests.hosts.places import interpreter
from tests.hosts.plain import PlainHost

STORY = True
pytestmark = [pytest.mark.real_k3s, pytest.mark.real_process, pytest.mark.own_network]

MIRROR = Path(__file__).with_name("mirror.py")
PORT = 8099
STICK = "/media/stick"
PUBLISHED = "/srv/releases"
BREAKS_AFTER = 20_000_000
LAID_DOWN = ("/usr/local/bin", "/etc/rancher", "/etc/sysctl.d", "/var/lib/rancher", "/opt")
AARCH64 = 183


@pytest.fixture(scope="module")
def person(plain: PlainHost) -> Person:
    """Somebody at a machine without a k3s, with a stick and a mirror on loopback."""
    plain.run(["rm", K3S]).ok()
    plain.put(f'release_url = "http://127.0.0.1:{PORT}/"\n'.encode(), "/etc/archipel/agent.toml")
    return Person(plain, from_checkout())


@pytest.fixture(scope="module")
def k3s() -> bytes:
    """The real one."""
    path = requirements.k3s_binary()
    assert path is not None
    return path.read_bytes()


@pytest.fixture(scope="module")
def version() -> str:
    """What the real one calls itself."""
    from tests.hosts import shell

    said = shell.run([str(requirements.k3s_binary()), "--version"]).ok().stdout
    found = re.search(r"v\d+\.\d+\.\d+\+k3s\d+", said)
    assert found, said
    return found[0]


def placed(host: Host) -> set[str]:
    """Every file in the places where an `up` writes, but what was there before."""
    found = set()
    for path, seen in host.snapshot_files().items():
        if path.startswith(LAID_DOWN) and seen.kind in ("file", "link") and "50-host" not in path:
            found.add(path)
    return found


def staged(host: Host) -> list[str]:
    """What lies in the staging directory."""
    return host.run(["find", "/var/lib/archipel/staging", "-type", "f"]).stdout.split()


def test_without_any_k3s_it_is_said_what_to_bring(person: Person) -> None:
    before = placed(person.host)
    refused = person.up()
    assert refused.code in (Exit.REFUSED, Exit.FAILED), refused
    assert refused.finding["code"] == "k3s-not-found"
    assert "--k3s FILE" in refused.finding["next_step"]
    assert placed(person.host) == before


def half(k3s: bytes) -> bytes:
    """A copy that broke off."""
    return k3s[: len(k3s) // 2]


def start_of(k3s: bytes) -> bytes:
    """A copy that broke off at once."""
    return k3s[:1000]


def for_another_processor(k3s: bytes) -> bytes:
    """The head of a program for 64-bit ARM (e_machine of the ELF header)."""
    other = AARCH64 if k3s[18] != AARCH64 else 62
    return k3s[:18] + bytes((other, 0)) + k3s[20:]


def a_script(_: bytes) -> bytes:
    """A page that says no, saved under the name of the program."""
    return b"<html>404</html>"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (half, "k3s-truncated"),
        (start_of, "k3s-truncated"),
        (for_another_processor, "k3s-wrong-architecture"),
        (a_script, "k3s-broken"),
    ],
)
def test_a_file_that_is_no_whole_k3s_for_this_machine_is_refused(
    person: Person, k3s: bytes, spoil: type, code: str
) -> None:
    person.host.put(spoil(k3s), f"{STICK}/k3s", 0o755)
    before = placed(person.host)
    refused = person.up("--k3s", f"{STICK}/k3s")
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, code), refused
    assert "--k3s FILE" in refused.finding["next_step"]
    assert placed(person.host) == before


def test_a_file_that_is_not_what_the_list_beside_it_says_is_not_put_in_place(
    person: Person, k3s: bytes
) -> None:
    person.host.put(k3s, f"{STICK}/k3s", 0o755)
    other = hashlib.sha256(b"another").hexdigest()
    for name in ("sha256sum-amd64.txt", "sha256sum-arm64.txt"):
        person.host.put(f"{other}  k3s\n{other}  k3s-arm64\n".encode(), f"{STICK}/{name}")
    before = placed(person.host)
    failed = person.up("--k3s", f"{STICK}/k3s")
    assert failed.code == Exit.FAILED, failed
    assert failed.finding["code"] == "k3s-checksum"
    assert failed.finding["params"]["wanted"] == other
    assert failed.finding["params"]["got"] == hashlib.sha256(k3s).hexdigest()
    assert placed(person.host) == before


def test_a_release_page_out_of_reach_is_named_and_leaves_nothing(person: Person, version: str) -> None:
    before = placed(person.host)
    failed = person.up("--k3s", version)
    assert (failed.code, failed.finding["code"]) == (Exit.FAILED, "k3s-download"), failed
    assert placed(person.host) == before
    assert staged(person.host) == []


@pytest.fixture
def mirror(person: Person, k3s: bytes, version: str, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """The mirror runs, with a good or a bad list of digests; the lines are what it was asked, filled at the end."""
    digest = hashlib.sha256(k3s if "bad" not in request.param else b"bad").hexdigest()
    place = f"{PUBLISHED}/{version}"
    for name in ("k3s", "k3s-arm64"):
        person.host.put(k3s, f"{place}/{name}", 0o644)
    for short in ("amd64", "arm64"):
        sums = f"{digest}  k3s\n{digest}  k3s-arm64\n"
        person.host.put(sums.encode(), f"{place}/sha256sum-{short}.txt")
    limit = [str(BREAKS_AFTER)] if "breaks" in request.param else []
    server = person.host.spawn([interpreter(), str(MIRROR), str(PORT), PUBLISHED, *limit])
    until(lambda: any(one.port == PORT for one in person.host.listeners()), server.output, 10)
    asked: list[str] = []
    yield asked
    asked += server.output().splitlines()
    print("\n".join(asked))
    person.host.run(
        ["sh", "-c", f"kill $(ss -Hlntp sport = :{PORT} | grep -o 'pid=[0-9]*' | cut -d= -f2)"]
    ).ok()
    server.wait(10)


@pytest.mark.parametrize("mirror", ["bad"], indirect=True)
def test_a_download_with_another_digest_than_published_is_thrown_away(
    person: Person, version: str, mirror: list[str]
) -> None:
    before = placed(person.host)
    failed = person.up("--k3s", version)
    assert (failed.code, failed.finding["code"]) == (Exit.FAILED, "k3s-checksum"), failed
    assert placed(person.host) == before
    assert staged(person.host) == []


@pytest.mark.parametrize("mirror", ["good, breaks off"], indirect=True)
def test_a_download_that_breaks_off_is_named_and_goes_on_from_there_into_a_site(
    person: Person, version: str, mirror: list[str]
) -> None:
    before = placed(person.host)
    failed = person.up("--k3s", version)
    assert (failed.code, failed.finding["code"]) == (Exit.FAILED, "k3s-download"), failed
    assert placed(person.host) == before
    (part,) = staged(person.host)
    assert int(person.host.run(["stat", "-c", "%s", part]).stdout) == BREAKS_AFTER
    up = person.up("--k3s", version, "--images", IMAGES)
    assert up.code == Exit.OK, up
    said = {step["slug"]: step["said"] for step in up.document["steps"]}
    assert said["get-k3s"] == f"{version} in {K3S}"
    assert staged(person.host) == []
    assert person.ready_nodes() == ["light"]
    assert person.status()["site"]["k3s"]["installed_by_us"]


def test_the_second_try_had_asked_for_the_rest_only(person: Person) -> None:
    logs = sorted(person.host.ground.directory.glob("spawned-*.log"), key=lambda one: one.stat().st_mtime)
    asked = [line for one in logs for line in one.read_text().splitlines() if line.startswith("GET")]
    assert any(line.endswith(f"bytes={BREAKS_AFTER}-") for line in asked), asked


def test_removing_everything_takes_the_k3s_that_came_with_us(person: Person) -> None:
    removed = person.asks("remove", "--everything", "--yes")
    assert removed.code == Exit.OK, removed
    until(lambda: person.processes("launcher") == [], lambda: "", 20)
    assert person.host.run(["test", "-e", K3S]).rc != 0
    assert person.host.links() == {"lo": "loopback", "eth0": "veth"}
