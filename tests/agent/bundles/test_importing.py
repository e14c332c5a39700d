"""Importing: a good bundle is held and used without any network, a bad one is named and leaves the machine as it was."""

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.bundles.importing import PIECE, RESERVE
from archipel_agent.ports import FetchFailed
from archipel_agent.rehearsal.binary import stand_in
from archipel_contract.bundle import tar
from archipel_contract.bundle.format import Kind
from archipel_contract.jobs import JobState, Verb
from tests.agent.bundles.machine import (
    ARCHITECTURE,
    FILE,
    GOOD,
    GOOD_FILE,
    IMAGE,
    K3S,
    KEY,
    OBJECT,
    SMALL,
    STICK,
    VERSION,
    Box,
    box,
)
from tests.chaos.crashes import request
from tests.fakes.bundles import MAKER, STRANGER, FakeBundle, member

TOLD = request(Verb.IMPORT, "told", bundle=str(FILE))


class NoNetwork:
    """Nothing can be downloaded."""

    def fetch(self, url: str, limit: int) -> bytes:
        raise FetchFailed(f"{url}: there is no network")

    def download(self, url: str, target: Path, limit: int) -> None:
        raise FetchFailed(f"{url}: there is no network")


def finding_of(machine: Box, path: Path = FILE) -> str:
    """Import and return the finding of a job that was refused."""
    job = machine.ask(path=path)
    assert job.state is JobState.FAILED, job
    assert job.changed_nothing, job.sentence
    assert job.finding is not None
    return job.finding.code


def test_a_good_bundle_is_held_with_all_it_holds() -> None:
    machine = box(GOOD_FILE)
    job = machine.ask()
    assert job.state is JobState.SUCCEEDED, job
    assert f"bundle {GOOD.manifest.id}, sequence 5, signed by maker" in job.sentence
    assert machine.bundles.held() == (GOOD.manifest,)
    assert machine.bundles.is_whole(GOOD.manifest)
    for name, (_, data) in GOOD.files.items():
        one = next(file for file in GOOD.manifest.files if file.name == name)
        assert machine.disk.read(machine.bundles.blob(one.sha256)) == data


def test_up_with_a_bundle_needs_no_network_and_nothing_else() -> None:
    machine = box(GOOD_FILE)
    machine.ports = replace(machine.ports, fetcher=NoNetwork())
    job = machine.ask(Verb.UP)
    assert job.state is JobState.SUCCEEDED, job
    assert machine.disk.read(machine.paths.k3s_binary) == K3S
    assert machine.disk.read(machine.paths.k3s_images / "core.tar.zst") == IMAGE
    assert machine.disk.read(machine.paths.k3s_data / "server/manifests/plant.yaml") == OBJECT
    assert machine.disk.read(machine.paths.k3s_images / ".cache.json") == b""
    site = machine.store.site()
    assert site is not None
    assert (site.k3s.version, site.k3s.installed_by_us) == (VERSION, True)


def test_up_again_with_the_same_bundle_finds_everything_in_place() -> None:
    machine = box(GOOD_FILE)
    machine.ask(Verb.UP)
    before = machine.files()
    again = machine.ask(Verb.UP)
    states = {step.slug: step.state.value for step in again.steps}
    assert {states[slug] for slug in ("bundle-import", "get-k3s", "bundle-files")} == {"already"}
    assert machine.files() == before


def test_up_goes_on_after_a_cut_although_the_stick_is_gone_by_then() -> None:
    machine = box(GOOD_FILE)
    assert machine.ask().state is JobState.SUCCEEDED
    machine.disk.remove(FILE)
    job = machine.ask(Verb.UP)
    assert job.state is JobState.SUCCEEDED, job
    assert "is not there any more" in next(one.said for one in job.steps if one.slug == "bundle-import")


def test_up_with_a_newer_bundle_replaces_the_k3s() -> None:
    machine = box(GOOD_FILE)
    machine.ask(Verb.UP)
    newer = GOOD.but(sequence=6, files={"k3s": (Kind.K3S, stand_in(ARCHITECTURE, "v1.36.3+k3s1"))})
    machine.lay(newer.packed())
    job = machine.ask(Verb.UP)
    assert job.state is JobState.SUCCEEDED, job
    site = machine.store.site()
    assert site is not None
    assert site.k3s.version == "v1.36.3+k3s1"


def tampered(part: int) -> bytes:
    """A good bundle with one byte altered in the content of one member."""
    members = [bytearray(one) for one in SMALL.members()]
    members[part][512] ^= 1
    return b"".join(bytes(one) for one in members) + bytes(1024)


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "truncated": (lambda: SMALL.packed()[:-2000], "bundle-truncated"),
    "manifest tampered with": (lambda: tampered(0), "bundle-forged"),
    "signature tampered with": (lambda: tampered(1), "bundle-unsigned"),
    "first content tampered with": (lambda: tampered(2), "bundle-damaged"),
    "last content tampered with": (lambda: tampered(3), "bundle-damaged"),
    "another architecture": (lambda: SMALL.but(architecture="riscv64").packed(), "bundle-foreign"),
    "a manifest of 100 GB": (lambda: member("manifest.json", b"{}", size=10**11), "bundle-malformed"),
    "a link": (lambda: SMALL.with_member(member("a", kind=b"2", link="/etc")), "bundle-malformed"),
    "a way out": (lambda: SMALL.with_member(member("../../etc/cron.d/x", b"x")), "bundle-malformed"),
    "not signed": (lambda: SMALL.members()[0] + SMALL.members()[2] + bytes(1024), "bundle-unsigned"),
    "signed by a stranger": (lambda: SMALL.but(signer=STRANGER).packed(), "bundle-untrusted"),
    "of a later format": (lambda: SMALL.but(format=2).packed(), "bundle-newer"),
    "for a later Archipel": (lambda: SMALL.but(needs={"archipel": "99.1"}).packed(), "bundle-newer"),
    "a delta without its base": (lambda: SMALL.but(left_out=["b.tar"]).packed(), "bundle-incomplete"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("verb", [Verb.IMPORT, Verb.UP])
def test_a_bad_bundle_is_named_and_the_machine_is_as_before(name: str, verb: Verb) -> None:
    make, code = BAD[name]
    machine = box(make())
    before = machine.files()
    job = machine.ask(verb)
    assert job.finding is not None, job
    assert (job.state, job.finding.code) == (JobState.FAILED, code)
    assert job.changed_nothing
    assert machine.files() == before
    assert machine.store.value("bundles") is None


@pytest.mark.parametrize("place", [FILE, STICK, Path("/absent/x.archipel-bundle")])
def test_where_no_bundle_is_that_is_what_is_said(place: Path) -> None:
    machine = box()
    machine.disk.make_directory(STICK)
    assert finding_of(machine, place) == "bundle-not-found"


def test_a_stick_that_is_not_in_is_told_from_one_without_a_bundle() -> None:
    machine = box()
    machine.disk.make_directory(STICK)
    said = [str(machine.ask(path=one).finding) for one in (STICK, Path("/absent"))]
    assert "nothing in it ends with" in said[0] and "it is not there" in said[1]


def test_without_any_key_nothing_is_trusted() -> None:
    machine = box(GOOD_FILE)
    machine.disk.remove(KEY)
    assert finding_of(machine) == "bundle-untrusted"


def test_a_key_file_that_is_none_is_named_and_the_others_count() -> None:
    machine = box(GOOD_FILE)
    machine.disk.put(KEY.with_name("a.pub"), b"rubbish")
    assert machine.ask().state is JobState.SUCCEEDED
    machine.lay(SMALL.but(sequence=9, signer=STRANGER).packed())
    job = machine.ask()
    assert job.finding is not None
    assert "a.pub cannot be used" in job.finding.evidence[0]


def test_an_older_bundle_is_refused_and_taken_only_when_somebody_wants_it() -> None:
    machine = box(GOOD_FILE)
    machine.ask()
    machine.lay(SMALL.but(sequence=4).packed())
    assert finding_of(machine) == "bundle-older"
    assert machine.ask(allow_older=True).state is JobState.SUCCEEDED
    machine.lay(SMALL.but(sequence=3).packed())
    assert finding_of(machine) == "bundle-older"  # going back once does not lower what was seen


def test_another_bundle_with_the_same_number_is_refused() -> None:
    machine = box(GOOD_FILE)
    machine.ask()
    machine.lay(SMALL.but(sequence=5).packed())
    assert finding_of(machine) == "bundle-older"


def test_the_one_before_stays_as_the_way_back_and_older_ones_go() -> None:
    machine = box()
    for sequence in (1, 2, 3):
        machine.lay(SMALL.but(sequence=sequence, files={"a.tar": (Kind.IMAGES, bytes([sequence]))}).packed())
        assert machine.ask().state is JobState.SUCCEEDED
    assert [one.sequence for one in machine.bundles.held()] == [3, 2]
    assert len(machine.disk.names(machine.bundles.place / "blobs/sha256")) == 2


def test_a_delta_takes_the_rest_from_what_the_machine_has() -> None:
    machine = box(GOOD_FILE)
    machine.ask()
    files = {**GOOD.files, "notes.txt": (Kind.NOTES, b"newer still")}
    machine.lay(GOOD.but(sequence=6, files=files, left_out=["k3s", "core.tar.zst", "plant.yaml"]).packed())
    job = machine.ask()
    assert job.state is JobState.SUCCEEDED, job
    assert "1 MB taken" in job.sentence


def test_a_delta_takes_the_rest_also_from_files_a_site_was_made_of_by_hand() -> None:
    machine = box()
    machine.disk.put(machine.paths.k3s_binary, K3S, 0o755)
    machine.disk.put(machine.paths.k3s_images / "core.tar.zst", IMAGE)
    machine.lay(GOOD.but(left_out=["k3s", "core.tar.zst"]).packed())
    assert machine.ask().state is JobState.SUCCEEDED
    (held,) = machine.bundles.held()
    assert machine.bundles.is_whole(held)
    assert machine.disk.read(machine.bundles.blob(held.files[0].sha256)) == K3S


def test_a_delta_without_its_base_names_what_is_missing() -> None:
    machine = box(GOOD.but(left_out=["k3s"]).packed())
    job = machine.ask()
    assert job.finding is not None
    assert "missing: k3s" in job.finding.evidence[0]


def test_of_a_directory_the_newest_that_is_good_and_fits_is_taken() -> None:
    machine = box()
    machine.lay(SMALL.but(sequence=3).packed(), STICK / "three.archipel-bundle")
    machine.lay(SMALL.but(sequence=4).packed(), STICK / "four.archipel-bundle")
    machine.lay(SMALL.but(sequence=7, architecture="riscv64").packed(), STICK / "arm.archipel-bundle")
    machine.lay(SMALL.but(sequence=8).packed()[:-1500], STICK / "torn.archipel-bundle")
    machine.lay(SMALL.but(sequence=9, signer=STRANGER).packed(), STICK / "foreign.archipel-bundle")
    machine.lay(b"holiday", STICK / "photo.jpg")
    job = machine.ask(path=STICK)
    assert job.state is JobState.SUCCEEDED, job
    assert machine.bundles.held()[0].sequence == 4


def test_a_stick_pulled_in_the_middle_is_named_and_the_next_try_goes_on_from_there() -> None:
    machine = box(GOOD_FILE)
    machine.disk.pulled_after = (FILE, len(K3S) + PIECE)  # in the middle of the second content
    assert finding_of(machine) == "bundle-unreadable"
    assert machine.bundles.held() == ()
    blobs = machine.disk.names(machine.bundles.place / "blobs/sha256")
    assert blobs == (GOOD.manifest.files[0].sha256,)
    machine.disk.pulled_after = None
    job = machine.ask()
    assert job.state is JobState.SUCCEEDED, job
    assert f"{-(-len(K3S) // 1_000_000)} MB were here" in job.sentence


def test_a_content_that_rotted_on_the_disk_is_taken_again() -> None:
    machine = box(GOOD_FILE)
    machine.ask()
    blob = machine.bundles.blob(GOOD.manifest.files[1].sha256)
    machine.disk.put(blob, b"x" * len(IMAGE))
    machine.disk.remove(machine.bundles.place / "held" / GOOD.manifest.id / "manifest.json")
    assert machine.ask().state is JobState.SUCCEEDED
    assert machine.disk.read(blob) == IMAGE


def test_a_disk_without_room_is_named_before_the_first_byte() -> None:
    machine = box(GOOD_FILE)
    machine.disk.free_bytes = lambda: RESERVE + len(K3S)
    before = machine.files()
    assert finding_of(machine) == "bundle-no-room"
    assert machine.files() == before


def test_a_disk_that_fills_up_in_the_middle_is_named_and_nothing_stays() -> None:
    machine = box(GOOD_FILE)
    machine.disk.full_at = PIECE
    before = machine.files()
    job = machine.ask()
    assert job.finding is not None
    assert job.finding.code == "bundle-no-room"
    assert machine.files() == before


def test_a_disk_that_cannot_be_written_fails_the_job_and_nothing_stays() -> None:
    machine = box(SMALL.packed())
    before = machine.files()
    machine.disk.refuses = errno.EROFS
    job = machine.ask()
    machine.disk.refuses = None
    assert job.state is JobState.FAILED
    assert machine.files() == before


def test_progress_is_told_in_bytes() -> None:
    machine = box(GOOD_FILE)
    seen: list[str] = []
    machine.do(TOLD, lambda job, _: seen.extend(one.waiting_for for one in job.steps if one.waiting_for))
    assert any("bytes" in one for one in seen), seen


def test_an_import_that_is_stopped_leaves_nothing() -> None:
    machine = box(GOOD_FILE)
    before = machine.files()
    job = machine.do(TOLD, lambda job, clock: clock.cancel() if job.steps[0].waiting_for else None)
    assert job.state is JobState.CANCELLED
    assert machine.files() == before


def test_contents_of_a_later_kind_are_kept_and_said_to_be_passed_over() -> None:
    made = FakeBundle(architecture=ARCHITECTURE)
    said = json.loads(made.body)
    said["files"][0] |= {"kind": "hologram", "install": "beam"}
    body = json.dumps(said).encode()
    head = member("manifest.json", body) + member("manifest.json.minisig", MAKER.sign(body, "x"))
    machine = box(head + made.members()[2] + tar.END)
    assert machine.ask(Verb.UP).state is JobState.SUCCEEDED
    assert machine.bundles.held()[0].remarks() != ()
