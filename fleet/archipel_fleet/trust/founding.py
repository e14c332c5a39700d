"""How a fleet begins: its first keys, and version 1 of its trust document. Called by `keyring` and by `keys init`."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from archipel_contract.names import RandomBytes, new_fleet_id
from archipel_contract.trust.certificates import Authority
from archipel_contract.trust.keys import PrivateKey, SoftwareSigner, new_device_key, new_fleet_key
from archipel_contract.trust.store import TrustStore
from archipel_fleet.ports import Clock
from archipel_fleet.trust import authoring
from archipel_fleet.trust.refusal import KeysRefused
from archipel_fleet.trust.shelf import Shelf

BUILT = datetime(2026, 1, 1, tzinfo=UTC)  # no key of ours is older, whatever a clock says that was never set


def found(
    directory: Path,
    name: str,
    roots: Iterable[PrivateKey],
    threshold: int,
    clock: Clock,
    random: RandomBytes,
    *,
    keep_roots: bool,
) -> None:
    """Found a fleet: make the keys in `directory`, signed by `roots`, of which `threshold` sign from now on.

    Raises KeysRefused if there are keys already, or if they cannot be written.
    """
    check_none(directory)
    known = tuple(roots)
    controller, ca = new_fleet_key(), new_device_key()
    now = dated(clock)
    signers = [SoftwareSigner(key) for key in known]
    try:
        document = authoring.first(
            new_fleet_id(random),
            name,
            tuple(str(one.public) for one in signers),
            threshold,
            authoring.controller(SoftwareSigner(controller).public),
            authority_for(ca, name, now).pem.decode(),
        )
        frame = authoring.draft(document, clock.now())
        for signer in signers:
            frame = authoring.countersigned(frame, signer)
        TrustStore.first(frame)
        Shelf(directory).make([*(known if keep_roots else ()), controller, ca], frame)
    except (OSError, ValueError) as error:
        raise KeysRefused(
            "fleet-keys-damaged", f"they cannot be made: {error}", file=str(directory)
        ) from error


def check_none(directory: Path) -> None:
    """Raise KeysRefused if there are keys in `directory`: a fleet is founded once."""
    if Shelf(directory).is_made:
        raise KeysRefused("fleet-trust-refused", "this controller has keys already", file=str(directory))


def authority_for(key: EllipticCurvePrivateKey, fleet: str, now: datetime) -> Authority:
    """Return a new CA of the fleet; raise CertificateInvalid."""
    return Authority.new(key, f"Archipel {fleet}".strip(), now)


def dated(clock: Clock) -> datetime:
    """Return the time by which certificates are dated."""
    return max(utc(clock.now()), BUILT)


def utc(milliseconds: int) -> datetime:
    """Return a time of the contract as a datetime."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
