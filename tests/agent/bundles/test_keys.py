"""Whose bundles are taken: keys in files, and keys the fleet's root names for bundles and for nothing else."""

from dataclasses import replace

import pytest

from archipel_agent.bundles.keys import keyring
from archipel_agent.paths import Paths, identity_of
from archipel_contract.bundle.format import BundleRefused
from archipel_contract.link.envelope import framed
from archipel_contract.trust_document import BUNDLE, DOCUMENT, Delegation, KeyRole
from tests.fakes.bundles import MAKER, MAKERS_KEY, FakeBundle
from tests.fakes.disk import TreacherousDisk
from tests.fakes.trust import FakeFleet

PATHS = Paths()
HOUR = 3_600_000
SIGNED = FakeBundle()
MAKERS = Delegation(public=str(MAKER.public.key), name="release desk", role=KeyRole.OPERATOR, may=(BUNDLE,))


def enrolled(*keys: Delegation, revoked: tuple[str, ...] = ()) -> TreacherousDisk:
    """The disk of a device whose fleet names these keys."""
    fleet, disk = FakeFleet(), TreacherousDisk()
    frame = fleet.next_document(keys=(*fleet.document.keys, *keys), revoked=revoked)
    disk.write(identity_of(PATHS).trust, framed(frame))
    return disk


def signer(disk: TreacherousDisk, floor: int = 0) -> str:
    """Who signed the bundle, as far as this device is concerned."""
    return keyring(disk, PATHS, floor).verify(SIGNED.body, SIGNED.signature)


def refusal(disk: TreacherousDisk, floor: int = 0) -> str:
    """Why the bundle is refused."""
    with pytest.raises(BundleRefused) as raised:
        signer(disk, floor)
    return raised.value.code


def test_a_key_in_a_file_counts_by_the_name_of_the_file() -> None:
    disk = TreacherousDisk()
    assert refusal(disk) == "bundle-untrusted"
    disk.write(PATHS.settings / "bundle-keys/acme.pub", MAKERS_KEY)
    assert signer(disk) == "acme"


def test_a_key_that_the_fleet_names_for_bundles_counts() -> None:
    assert signer(enrolled(MAKERS)) == "release desk"


@pytest.mark.parametrize(
    "key",
    [
        replace(MAKERS, may=(DOCUMENT, "command:*")),
        replace(MAKERS, sites=("s-0000000000000000",)),
        replace(MAKERS, expires=5 * HOUR),
    ],
)
def test_a_key_for_something_else_or_that_has_surely_expired_does_not(key: Delegation) -> None:
    assert refusal(enrolled(key), floor=6 * HOUR) == "bundle-untrusted"


def test_of_a_key_whose_time_is_over_it_is_said_whose_it_was() -> None:
    with pytest.raises(BundleRefused, match="release desk") as raised:
        signer(enrolled(replace(MAKERS, expires=5 * HOUR)), floor=6 * HOUR)
    assert raised.value.code == "bundle-untrusted"


def test_a_key_whose_end_may_still_be_to_come_counts_with_a_clock_that_is_not_sure() -> None:
    assert signer(enrolled(replace(MAKERS, expires=5 * HOUR)), floor=4 * HOUR) == "release desk"


def test_a_revoked_key_does_not_count() -> None:
    assert refusal(enrolled(MAKERS, revoked=(MAKER.public.key.key_id,))) == "bundle-untrusted"


def test_after_leaving_the_fleet_its_keys_do_not_count() -> None:
    disk = enrolled(MAKERS)
    disk.write(identity_of(PATHS).left, b"")
    assert refusal(disk) == "bundle-untrusted"


def test_a_damaged_trust_document_is_said_and_files_count_all_the_same() -> None:
    disk = enrolled(MAKERS)
    disk.write(identity_of(PATHS).trust, b"rubbish")
    with pytest.raises(BundleRefused, match="trust document cannot be used"):
        signer(disk)
    disk.write(PATHS.settings / "bundle-keys/acme.pub", MAKERS_KEY)
    assert signer(disk) == "acme"


def test_another_text_under_a_known_key_is_forged_and_not_merely_unknown() -> None:
    disk = TreacherousDisk()
    disk.write(PATHS.settings / "bundle-keys/acme.pub", MAKERS_KEY)
    with pytest.raises(BundleRefused) as raised:
        keyring(disk, PATHS).verify(SIGNED.body + b" ", SIGNED.signature)
    assert raised.value.code == "bundle-forged"
