"""archipel bundle: keys, building, checking and showing need no agent; importing asks it for a job."""

import stat
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from archipel_contract.jobs import JobState, Verb
from tests.agent.cli.conftest import Archipel
from tests.fakes.bundles import MAKERS_KEY, FakeBundle
from tests.fakes.service import ScriptedService


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a k3s and images, where somebody types."""
    place = tmp_path / "desk"
    (place / "images").mkdir(parents=True)
    (place / "k3s").write_bytes(b"program")
    (place / "images/core.tar").write_bytes(b"layers" * 1000)
    monkeypatch.chdir(place)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    return place


def build(archipel: Archipel, *words: str) -> None:
    said = archipel("bundle", "build", "--k3s", "k3s", "--images", "images", "--key", "key", *words)
    assert said.code == Exit.OK, said


def test_a_new_key_is_for_its_owner_alone_and_never_replaced(archipel: Archipel, desk: Path) -> None:
    said = archipel("bundle", "key", "new", "key")
    assert said.code == Exit.OK
    assert "/etc/archipel/bundle-keys/key.pub" in said.out
    assert stat.S_IMODE((desk / "key").stat().st_mode) == 0o600
    before = (desk / "key").read_bytes()
    assert archipel("bundle", "key", "new", "key").code == Exit.REFUSED
    assert (desk / "key").read_bytes() == before


def test_what_was_built_is_whole_and_shows_what_it_holds(archipel: Archipel, desk: Path) -> None:
    archipel("bundle", "key", "new", "key")
    build(archipel, "-o", "a.archipel-bundle", "--k3s-version", "v1.36.3+k3s1")
    verified = archipel("bundle", "verify", "a.archipel-bundle", "--key", "key.pub")
    assert verified.code == Exit.OK
    assert "is whole, signed by key.pub" in verified.out
    shown = archipel("bundle", "show", "a.archipel-bundle")
    assert shown.code == Exit.OK
    assert "sequence 1800000000" in shown.out
    assert "k3s v1.36.3+k3s1" in shown.out
    assert "core.tar" in shown.out
    assert "its key is not known here" in shown.out
    data = archipel("bundle", "show", "a.archipel-bundle", "--key", "key.pub", "--json").data
    assert data["signer"] == "key.pub"
    assert {one["name"] for one in data["manifest"]["files"]} == {"k3s", "core.tar", "sbom.cdx.json"}


def test_a_delta_says_what_is_not_in_it(archipel: Archipel, desk: Path) -> None:
    archipel("bundle", "key", "new", "key")
    build(archipel, "-o", "a.archipel-bundle")
    (desk / "k3s").write_bytes(b"newer program")
    build(archipel, "-o", "b.archipel-bundle", "--since", "a.archipel-bundle")
    data = archipel("bundle", "show", "b.archipel-bundle", "--key", "key.pub", "--json").data
    assert data["absent"] == ["core.tar"]
    assert data["manifest"]["sequence"] == 1_800_000_001
    assert "not in it" in archipel("bundle", "verify", "b.archipel-bundle", "--key", "key.pub").out


def test_a_damaged_bundle_is_named_to_its_file(archipel: Archipel, desk: Path) -> None:
    archipel("bundle", "key", "new", "key")
    build(archipel, "-o", "a.archipel-bundle")
    data = (desk / "a.archipel-bundle").read_bytes()
    (desk / "a.archipel-bundle").write_bytes(data.replace(b"layerslayers", b"layersLayers", 1))
    said = archipel("bundle", "verify", "a.archipel-bundle", "--key", "key.pub")
    assert said.code == Exit.NOT_OK
    assert "core.tar in the bundle is damaged" in said.err


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["build", "--key", "key", "-o", "a.archipel-bundle"], "say what goes in"),
        (["build", "--k3s", "k3s", "--key", "key", "-o", "a.tar"], ".archipel-bundle"),
        (["build", "--k3s", "k3s", "--key", "k3s", "-o", "a.archipel-bundle"], "no private key"),
        (["build", "--k3s", "k3s", "--key", "absent", "-o", "a.archipel-bundle"], "absent"),
        (
            ["build", "--k3s", "k3s", "--key", "key", "-o", "a.archipel-bundle", "--sequence", "-1"],
            "no number",
        ),
        (["verify", "absent.archipel-bundle", "--key", "absent.pub"], "--key"),
        (["import", "absent"], "there is no"),
    ],
)
def test_words_that_are_off_are_named(archipel: Archipel, desk: Path, words: list[str], place: str) -> None:
    archipel("bundle", "key", "new", "key")
    said = archipel("bundle", *words)
    assert said.code == Exit.USAGE
    assert place in said.err


def test_the_bundles_of_this_machine_are_listed(archipel: Archipel, desk: Path) -> None:
    empty = archipel("bundle", "list")
    assert (empty.code, empty.out) == (Exit.OK, "")
    assert "holds no bundle" in empty.err
    assert archipel("bundle", "list", "--json").data == {"bundles": []}


def test_import_asks_for_a_job(agent: Archipel, service: ScriptedService, desk: Path) -> None:
    service.on_start = lambda: service.run_to(JobState.SUCCEEDED)
    (desk / "a.archipel-bundle").write_bytes(FakeBundle().packed())
    assert agent("bundle", "import", "a.archipel-bundle", "--allow-older").code == Exit.OK
    [(request, _)] = service.requests
    assert (request.verb, request.options) == (
        Verb.IMPORT,
        {"bundle": str(desk / "a.archipel-bundle"), "allow_older": True},
    )


def test_up_passes_the_bundle_on(agent: Archipel, service: ScriptedService, desk: Path) -> None:
    service.on_start = lambda: service.run_to(JobState.SUCCEEDED)
    assert agent("up", "--bundle", ".").code == Exit.OK
    [(request, _)] = service.requests
    assert request.options == {"bundle": str(desk)}


def test_keys_of_this_machine_are_used_when_none_is_named(archipel: Archipel, desk: Path) -> None:
    (desk / "a.archipel-bundle").write_bytes(FakeBundle().packed())
    assert archipel("bundle", "verify", "a.archipel-bundle").code == Exit.NOT_OK
    place = archipel.paths.settings / "bundle-keys"
    place.mkdir(parents=True)
    (place / "maker.pub").write_bytes(MAKERS_KEY)
    assert "signed by maker" in archipel("bundle", "verify", "a.archipel-bundle").out
