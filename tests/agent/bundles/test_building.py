"""Building: the same input gives the same bytes, the parts list is one by its schema, deltas leave out what was there."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from archipel_agent.bundles import building, keys, opening
from archipel_agent.bundles.building import PARTS_LIST, Recipe
from archipel_agent.host.disk import SystemDisk
from archipel_contract.bundle.format import BundleRefused, Install, Kind
from tests.fakes.bundles import MAKER, MAKERS_KEY

WHEEL = "archipel-0.3.0-cp311-cp311-manylinux_2_28_aarch64.whl"
WHEN = datetime(2026, 11, 22, 12, tzinfo=UTC)
DISK = SystemDisk()


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Files as an administrator has them."""
    for name, text in (
        ("k3s", "program"), ("images/core.tar.zst", "layers"), ("images/own.tar", "others"), ("images/readme", "no"),
        (f"wheels/{WHEEL}", "wheel"), ("objects/plant.yaml", "kind: Namespace"), ("notes.md", "new"),
    ):  # fmt: skip
        DISK.write(tmp_path / name, text.encode())
    return tmp_path


def recipe(shelf: Path, sequence: int = 7) -> Recipe:
    """Everything on the shelf."""
    given = (
        ("k3s", Kind.K3S), ("images", Kind.K3S_IMAGES), ("wheels", Kind.WHEELS), ("objects", Kind.MANIFESTS),
        ("notes.md", Kind.NOTES),
    )  # fmt: skip
    found = [one for name, kind in given for one in building.gathered(DISK, shelf / name, kind)]
    return Recipe(
        architecture="aarch64",
        created=WHEN,
        sequence=sequence,
        ingredients=building.with_version(tuple(found), "v1.36.3+k3s1"),
    )


def opened(path: Path) -> opening.Found:
    """Open with the maker's key."""
    DISK.write(path.with_name("maker.pub"), MAKERS_KEY)
    return opening.open_file(DISK, path, keys.of_files(DISK, (path.with_name("maker.pub"),)).verify)


def test_a_bundle_holds_each_file_with_what_becomes_of_it(shelf: Path) -> None:
    target = shelf / "a.archipel-bundle"
    building.build(DISK, target, recipe(shelf), MAKER)
    manifest = opened(target).manifest
    assert [(one.name, one.kind, one.install) for one in manifest.files] == [
        ("k3s", Kind.K3S, Install.K3S),
        ("core.tar.zst", Kind.K3S_IMAGES, Install.IMPORT),
        ("own.tar", Kind.K3S_IMAGES, Install.IMPORT),
        (WHEEL, Kind.WHEELS, Install.KEEP),
        ("plant.yaml", Kind.MANIFESTS, Install.APPLY),
        ("notes.md", Kind.NOTES, Install.KEEP),
        (PARTS_LIST, Kind.SBOM, Install.KEEP),
    ]
    wheel = manifest.of_kind(Kind.WHEELS)[0]
    assert (wheel.architecture, wheel.abi) == ("aarch64", "cp311")
    assert manifest.files[0].version == "v1.36.3+k3s1"


def test_the_same_files_give_the_same_bytes_whatever_their_order_and_dates(shelf: Path) -> None:
    first, second = shelf / "1.archipel-bundle", shelf / "2.archipel-bundle"
    made = recipe(shelf)
    building.build(DISK, first, made, MAKER)
    DISK.write(shelf / "k3s", b"program")  # with another date
    building.build(DISK, second, replace(made, ingredients=made.ingredients[::-1]), MAKER)
    assert first.read_bytes() == second.read_bytes()


def test_the_parts_list_is_cyclonedx_and_names_every_file_with_its_digest(shelf: Path) -> None:
    target = shelf / "a.archipel-bundle"
    building.build(DISK, target, recipe(shelf), MAKER)
    found = opened(target)
    one = found.manifest.of_kind(Kind.SBOM)[0]
    span = found.opened.blobs[one.sha256]
    text = DISK.part(target, span.offset, span.size).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    parts = json.loads(text)
    assert (parts["bomFormat"], parts["specVersion"]) == ("CycloneDX", "1.6")
    listed = {part["bom-ref"]: part["hashes"][0]["content"] for part in parts["components"]}
    assert listed == {file.name: file.sha256 for file in found.manifest.files if file.kind is not Kind.SBOM}
    assert {part["name"] for part in parts["components"] if part["type"] == "library"} == {"archipel"}


def test_a_delta_lists_all_and_holds_what_is_new(shelf: Path) -> None:
    old, new = shelf / "old.archipel-bundle", shelf / "new.archipel-bundle"
    before = building.build(DISK, old, recipe(shelf), MAKER)
    DISK.write(shelf / "notes.md", b"newer")
    building.build(DISK, new, replace(recipe(shelf, 8), since=before), MAKER)
    found = opened(new)
    assert len(found.manifest.files) == len(before.files)
    assert found.manifest.since == before.id
    held = {file.name for file in found.manifest.files if file.sha256 in found.opened.blobs}
    assert held == {"notes.md", PARTS_LIST}
    assert building.numbered(before, datetime(1970, 1, 1, tzinfo=UTC)) == before.sequence + 1


@pytest.mark.parametrize(
    ("name", "kind"), [("absent", Kind.K3S), ("notes.md", Kind.IMAGES), ("objects", Kind.WHEELS)]
)
def test_what_is_not_of_its_kind_is_named(shelf: Path, name: str, kind: Kind) -> None:
    with pytest.raises(BundleRefused, match=name):
        building.gathered(DISK, shelf / name, kind)


def test_a_name_that_no_machine_would_take_is_refused_before_anything_is_written(shelf: Path) -> None:
    DISK.write(shelf / "odd/my objects.yaml", b"x")
    odd = building.gathered(DISK, shelf / "odd", Kind.MANIFESTS)
    with pytest.raises(BundleRefused, match="rename the file"):
        building.build(DISK, shelf / "a.archipel-bundle", replace(recipe(shelf), ingredients=odd), MAKER)
    assert not (shelf / "a.archipel-bundle").exists()


def test_what_upstream_published_beside_the_k3s_is_written_down(shelf: Path) -> None:
    digest = DISK.sha256(shelf / "k3s")
    DISK.write(shelf / "sha256sum-arm64.txt", f"{digest}  k3s-arm64\n".encode())
    manifest = building.build(DISK, shelf / "a.archipel-bundle", recipe(shelf), MAKER)
    assert manifest.provenance.sources == {"sha256sum-arm64.txt: k3s": digest}
