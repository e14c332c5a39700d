"""Power goes at every instant of the first start and of a change: the next start finds one whole state or the other."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archipel_contract.link.envelope import Frame
from archipel_contract.trust.keys import PrivateKey, SoftwareSigner, new_fleet_key
from archipel_fleet.trust import authoring
from archipel_fleet.trust.keyring import FleetKeys
from tests.fakes.power import PowerCut
from tests.fleet.trust.changing import next_version
from tests.fleet.trust.conftest import StandingClock


class Cutting:
    """Cuts the power at the n-th instant: before or after a change of a directory, or while data is on its way to the disk.

    What was not yet flushed is torn. Once the power is gone nothing works any more, so that nobody tidies up.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left = -1
        self._gone = False
        for name in ("replace", "mkdir", "unlink", "rmdir"):
            monkeypatch.setattr(Path, name, self._guarded(getattr(Path, name)))
        flush = os.fsync

        def torn(descriptor: int) -> None:
            if self._instant() and not os.path.isdir(f"/proc/self/fd/{descriptor}"):
                os.ftruncate(descriptor, os.fstat(descriptor).st_size // 3)
            self._check()
            flush(descriptor)

        monkeypatch.setattr(os, "fsync", torn)

    def during(self, work: Callable[[], object], instant: int) -> bool:
        """Do something until the power goes; False when it was done before the instant came."""
        self._left, self._gone = instant, False
        try:
            work()
            return False
        except PowerCut:
            return True
        finally:
            self._left, self._gone = -1, False

    def _guarded(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def one(*words: Any, **more: Any) -> Any:
            self._instant()
            self._check()
            done = real(*words, **more)
            self._instant()
            self._check()
            return done

        return one

    def _instant(self) -> bool:
        if self._left == 0:
            self._gone = True
        self._left -= 1
        return self._gone

    def _check(self) -> None:
        if self._gone:
            raise PowerCut


def signs(keys: FleetKeys) -> bool:
    """Whether everything fits together: key, document, CA."""
    message = keys.signer.sign(b"x")
    document = keys.trust.document
    known = {one.public for one in document.keys}
    keys.signer.public.verify(b"x", message)
    return str(keys.signer.public) in known and keys.authority.pem.decode() in document.authorities


def test_a_first_start_that_was_cut_off_anywhere_is_finished_or_begun_anew_by_the_next(
    tmp_path: Path, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cutting = Cutting(monkeypatch)
    instant = 0
    while True:
        place = tmp_path / str(instant) / "keys"

        def start(place: Path = place) -> None:
            FleetKeys.first(place, "plant", clock, secrets.token_bytes)

        if not cutting.during(start, instant):
            break
        finished = place.is_dir()
        kept = {path.name: path.read_bytes() for path in place.iterdir()} if finished else {}
        again = FleetKeys.first(place, "plant", clock, secrets.token_bytes)
        assert signs(again)
        assert len(again.trust.document.keys) == 1
        names = sorted(path.name for path in place.iterdir())
        assert len(names) == 4, names  # root, controller, CA, document; nothing of an attempt before
        if finished:
            assert kept == {path.name: path.read_bytes() for path in place.iterdir()}
        assert not place.with_name("keys.new").exists()
        instant += 1
    assert instant > 15


def test_a_change_that_was_cut_off_anywhere_has_happened_wholly_or_not_at_all(
    tmp_path: Path, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cutting = Cutting(monkeypatch)
    seen = set()
    instant = 0
    while True:
        keys = FleetKeys.first(tmp_path / str(instant), "plant", clock, secrets.token_bytes)
        old, key = keys.signer.key_id, new_fleet_key()
        changed = authoring.delegated(
            authoring.without_key(keys.trust.document, old), authoring.controller(SoftwareSigner(key).public)
        )
        version = next_version(keys, changed)

        def accept(keys: FleetKeys = keys, version: Frame = version, key: PrivateKey = key) -> None:
            keys.accept(version, [key])

        if not cutting.during(accept, instant):
            break
        again = FleetKeys(keys.directory, clock)
        assert signs(again)
        assert again.signer.key_id == (
            old if again.trust.document.version == 1 else SoftwareSigner(key).key_id
        )
        seen.add(again.trust.document.version)
        again.accept(next_version(again))  # and the way is free for the next change
        instant += 1
    assert seen == {1, 2}
    assert instant > 6
