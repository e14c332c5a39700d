"""What the files of a device's identity say, and precisely what is wrong with one that cannot be used; for `device`."""

from dataclasses import dataclass
from pathlib import Path

from archipel_agent.paths import IdentityPaths
from archipel_agent.ports import Disk
from archipel_contract.link.envelope import EnvelopeInvalid, frame_from
from archipel_contract.trust import reading
from archipel_contract.trust.keys import KeyInvalid, SoftwareSigner, device_key_from_pem
from archipel_contract.trust.reading import Certificate, CertificateInvalid
from archipel_contract.trust.store import TrustStore
from archipel_contract.wire import WireError, from_json

DAMAGED, KEY_MISSING, MISMATCHED = "identity-damaged", "identity-key-missing", "identity-mismatched"


class IdentityUnusable(Exception):
    """The files cannot be used; `code` is the finding, `file` which of them, the message what is wrong with it."""

    def __init__(self, code: str, file: Path, detail: str) -> None:
        super().__init__(f"{file}: {detail}")
        self.code, self.file, self.detail = code, file, detail


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFacts:
    """Which fleet it is, as the fleet last said."""

    address: str = ""  # where to renew: https://host:port
    brokers: tuple[str, ...] = ()  # in the order in which to try them
    fleet_name: str = ""
    display_name: str = ""  # of this device, given by the fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A key with its certificate, and where both lie."""

    signer: SoftwareSigner
    certificate: Certificate
    key_path: Path
    certificate_path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """All that the files say. Without a `pair` the device is not enrolled, and the rest says nothing."""

    pair: Pair | None = None
    renewed: Pair | None = None
    trust: TrustStore | None = None
    authorities: tuple[str, ...] = ()
    fleet: FleetFacts = FleetFacts()


class KeptFiles:
    """The files of one device, as they are read."""

    def __init__(self, disk: Disk, paths: IdentityPaths) -> None:
        self.disk = disk
        self.paths = paths

    def load(self) -> Kept:
        """Return what is there; raise IdentityUnusable, OSError. Nothing is changed (see `settle`)."""
        paths = self.paths
        has_pair = self.disk.exists(paths.certificate) or self.disk.exists(paths.key)
        if not has_pair or self.disk.exists(paths.left):
            return Kept()
        pair = self._pair(paths.key, paths.certificate)
        trust = self._trust()
        authorities = trust.document.authorities or (self._text(paths.authorities),)
        has_renewed = self.disk.exists(paths.next_certificate)
        renewed = self._pair(paths.next_key, paths.next_certificate) if has_renewed else None
        return Kept(
            pair=pair, renewed=renewed, trust=trust, authorities=authorities, fleet=self._fleet_facts()
        )

    def invitation(self) -> str:
        """Return the link by which to enrol, empty for none; raise OSError."""
        return self._text(self.paths.invitation).strip("\0 \n")  # zeros: being erased when the power went

    def has_left(self) -> bool:
        """Whether the fleet was forgotten on purpose."""
        return self.disk.exists(self.paths.left)

    def _pair(self, key_path: Path, certificate_path: Path) -> Pair:
        try:
            certificate = reading.read(self.disk.read(certificate_path))
        except FileNotFoundError as error:
            raise IdentityUnusable(
                DAMAGED, certificate_path, "there is a key, but not its certificate"
            ) from error
        except CertificateInvalid as error:
            raise IdentityUnusable(DAMAGED, certificate_path, str(error)) from error
        if not self.disk.exists(key_path):
            raise IdentityUnusable(KEY_MISSING, key_path, "there is a certificate, but not its key")
        try:
            signer = SoftwareSigner(device_key_from_pem(self.disk.read(key_path)))
        except KeyInvalid as error:
            raise IdentityUnusable(DAMAGED, key_path, str(error)) from error
        if signer.public != certificate.public:
            raise IdentityUnusable(MISMATCHED, certificate_path, f"it is not for the key in {key_path}")
        return Pair(
            signer=signer, certificate=certificate, key_path=key_path, certificate_path=certificate_path
        )

    def _trust(self) -> TrustStore:
        path = self.paths.trust
        try:
            # Its own roots' signatures are looked at again, so that a bit that fell over on the card is noticed.
            return TrustStore.first(frame_from(self.disk.read(path)))
        except FileNotFoundError as error:
            raise IdentityUnusable(DAMAGED, path, "the fleet's trust document is not there") from error
        except EnvelopeInvalid as error:
            raise IdentityUnusable(DAMAGED, path, str(error)) from error

    def _fleet_facts(self) -> FleetFacts:
        path = self.paths.fleet
        try:
            return from_json(FleetFacts, self.disk.read(path))
        except FileNotFoundError as error:
            raise IdentityUnusable(DAMAGED, path, "it is not there") from error
        except WireError as error:
            raise IdentityUnusable(DAMAGED, path, str(error)) from error

    def _text(self, path: Path) -> str:
        return self.disk.read(path).decode(errors="replace") if self.disk.exists(path) else ""
