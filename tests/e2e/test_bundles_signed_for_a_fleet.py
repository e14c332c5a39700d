"""A key for bundles from end to end: made at a desk, delegated at the fleet, heard of by a device, and heeded no more."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archipel_agent import clocks
from archipel_agent.host.clock import text
from archipel_agent.host.disk import SystemDisk
from archipel_agent.identity.files import IdentityFiles
from archipel_agent.paths import Paths, identity_of
from archipel_agent.state.database import Database
from archipel_agent.state.store import Store
from archipel_contract import launcher
from archipel_contract.exits import Exit
from archipel_contract.link.envelope import framed
from archipel_contract.trust import minisign
from archipel_contract.trust.store import TrustStore
from archipel_fleet.trust.keyring import FleetKeys
from tests.fakes.bundles import MAKERS_KEY, FakeBundle
from tests.fakes.fleet_context import CountedEntropy, FakeClock

Said = tuple[int, str, str]


@dataclass
class Scene:
    """A controller's machine, and a device of its fleet that carries a bundle of the release desk."""

    run: Callable[..., Said]
    device: Paths
    controller: Path
    known: TrustStore | None = None

    def keys(self, *words: str) -> Said:
        """Say something about keys, at the controller."""
        return self.run("fleet", "keys", *words, "--data", str(self.controller))

    def delegate(self, *words: str) -> Said:
        """Let the desk's key do something, named by the file it came in."""
        given = ("--name", "release desk", *words, "--yes")
        return self.keys("delegate", str(self.controller / "release.pub"), *given)

    def hear(self) -> None:
        """The device takes every trust document there is since the one it has, as it does at its next contact."""
        files = IdentityFiles(SystemDisk(), identity_of(self.device))
        at = self.known.document.version if self.known else 0
        for frame in FleetKeys(self.controller / "keys", FakeClock()).frames_after(at):
            self.known = self.known.after(frame) if self.known else TrustStore.first(frame)
            files.keep_trust(framed(frame), self.known)

    def verify(self) -> Said:
        """Check the bundle at the device."""
        return self.run("bundle", "verify", str(self.device.root / "a.archipel-bundle"))


@pytest.fixture
def scene(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A fleet with its first keys, and a device that has just been enrolled."""

    def run(*words: str) -> Said:
        capsys.readouterr()
        code = launcher.main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    monkeypatch.setenv("ARCHIPEL_ROOT", str(tmp_path / "device"))
    monkeypatch.setenv("LANG", "C.UTF-8")
    controller, device = tmp_path / "fleet", Paths(tmp_path / "device")
    FleetKeys.first(controller / "keys", "plant", FakeClock(), CountedEntropy())
    (controller / "release.pub").write_bytes(MAKERS_KEY)
    device.root.mkdir()
    (device.root / "a.archipel-bundle").write_bytes(FakeBundle().packed())
    made = Scene(run, device, controller)
    made.hear()
    return made


def test_a_bundle_counts_on_every_device_once_its_makers_key_was_delegated_and_until_it_is_revoked(
    scene: Scene,
) -> None:
    assert "which nobody trusts here" in scene.verify()[2]
    code, _, said = scene.delegate("--may", "bundle")
    assert (code, "release desk" in said) == (Exit.OK, True)
    assert scene.verify()[0] == Exit.NOT_OK, "the device has not heard of it yet"
    scene.hear()
    code, out, _ = scene.verify()
    assert (code, "signed by release desk" in out) == (Exit.OK, True)
    shown = json.loads(scene.keys("show", "--json")[1])
    (key_id,) = [one["id"] for one in shown["keys"] if one["may"] == ["bundle"]]
    assert scene.keys("revoke", key_id, "--yes")[0] == Exit.OK
    scene.hear()
    code, _, said = scene.verify()
    assert (code, "which nobody trusts here" in said) == (Exit.NOT_OK, True)
    assert scene.delegate("--may", "bundle")[0] == Exit.REFUSED


def test_a_bundle_counts_no_more_once_its_makers_time_is_surely_over(scene: Scene) -> None:
    assert scene.delegate("--may", "bundle", "--days", "30")[0] == Exit.OK
    scene.hear()
    assert scene.verify()[0] == Exit.OK
    scene.device.database.parent.mkdir(parents=True, exist_ok=True)
    database = Database(scene.device.database)
    store = Store(database)
    for days, code in ((29, Exit.OK), (31, Exit.NOT_OK)):
        store.keep(**{clocks.FLOOR: text(datetime.now(UTC) + timedelta(days=days))})
        assert scene.verify()[0] == code, days
    database.close()
    assert (
        "release desk"
        in scene.run("bundle", "verify", str(scene.device.root / "a.archipel-bundle"), "--json")[1]
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--may", "document"), "nobody trusts here"),
        (("--may", "bundle", "--site", "s-0000000000000000"), "single sites"),
    ],
)
def test_a_key_for_something_else_or_for_single_sites_signs_no_bundles(
    scene: Scene, words: tuple[str, ...], why: str
) -> None:
    code, _, refused = scene.delegate(*words)
    scene.hear()
    verdict, _, said = scene.verify()
    assert verdict == Exit.NOT_OK
    assert why in (said if code == Exit.OK else refused)


def test_what_is_no_public_key_is_refused_and_a_line_of_minisigns_is_as_good_as_its_file(
    scene: Scene,
) -> None:
    rest = ("--name", "release desk", "--may", "bundle", "--yes")
    code, _, said = scene.keys("delegate", str(scene.controller / "nothing.pub"), *rest)
    assert (code, "neither a public key nor a file" in said) == (Exit.REFUSED, True)
    assert scene.keys("delegate", MAKERS_KEY.decode().splitlines()[-1], *rest)[0] == Exit.OK
    scene.hear()
    assert scene.known is not None
    assert str(minisign.public_key(MAKERS_KEY).key) in {one.public for one in scene.known.document.keys}
