"""Writing the files of a device's identity, so that the power may go at every instant. Called by `device`.

An enrolment brings five files that belong together, so its answer is first kept whole in one file (`next/answer.json`): from
that write on the device is enrolled, and `settle` puts what it brought into place as often as it takes. A renewed
certificate stands beside the present one, with its own key, until it has connected.
"""

import base64
import binascii
from dataclasses import dataclass

from archipel_agent.identity.reading import DAMAGED, FleetFacts, IdentityUnusable, KeptFiles
from archipel_contract.link.envelope import EnvelopeInvalid, frame_from
from archipel_contract.trust import reading
from archipel_contract.trust.enrolment import Answer
from archipel_contract.trust.keys import (
    KeyInvalid,
    SoftwareSigner,
    device_key_from_pem,
    new_device_key,
    to_pem,
)
from archipel_contract.trust.reading import CertificateInvalid
from archipel_contract.trust.store import TrustStore
from archipel_contract.wire import WireError, from_json, to_json

SECRET = 0o600


class AnswerInvalid(Exception):
    """What the fleet answered cannot be used; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Adopted:
    """What `next/answer.json` holds."""

    address: str
    answer: Answer


class IdentityFiles(KeptFiles):
    """The files of one device, as they are written."""

    def settle(self) -> None:
        """Finish what a power cut left half done; cheap when there is nothing. Raises IdentityUnusable, OSError."""
        paths = self.paths
        if self.disk.exists(paths.left):
            self._clear()
        elif self.disk.exists(paths.next_answer):
            self._install()
        elif self._is_half_promoted():
            if self.disk.exists(paths.next_certificate):
                self.promote()
            else:
                self.disk.remove(paths.next_key)

    def invite(self, link: str) -> None:
        """Keep the link by which to enrol; what was kept of another fleet stays until that has succeeded."""
        self._prepare()
        self.disk.remove(self.paths.next_certificate)
        self.disk.write(self.paths.invitation, link.encode(), SECRET)
        self.disk.remove(self.paths.left)

    def withdraw(self) -> None:
        """Forget the link by which to enrol."""
        self.disk.erase(self.paths.invitation)

    def asking_key(self) -> bytes:
        """Return the key (PEM) for which a certificate is to be asked: the one kept for it, or a new one. Raises OSError."""
        path = self.paths.next_key
        if self.disk.exists(path):
            kept = self.disk.read(path)
            try:
                device_key_from_pem(kept)
            except KeyInvalid:
                pass  # nothing was ever issued for it that we know of: a new one is as good
            else:
                return kept
        made = to_pem(new_device_key())
        self._prepare()
        self.disk.write(path, made, SECRET)
        return made

    def adopt(self, address: str, answer: Answer, node_id: str) -> None:
        """Take what an enrolment brought; enrolled once this has returned. Raises AnswerInvalid, OSError."""
        self._check_issued(answer, node_id)
        if not answer.authorities:
            raise AnswerInvalid("there is no CA of the fleet in it")
        trust_from(answer.trust)
        adopted = _Adopted(address=address, answer=answer)
        self.disk.write(self.paths.next_answer, to_json(adopted), SECRET)
        self._install()

    def keep_renewed(self, answer: Answer, node_id: str) -> None:
        """Keep a renewed certificate beside the present one. Raises AnswerInvalid, OSError."""
        self._check_issued(answer, node_id)
        self.disk.write(self.paths.next_certificate, answer.certificate.encode())

    def promote(self) -> None:
        """Put the renewed certificate and its key into the place of the present ones. Raises OSError."""
        paths = self.paths
        self.disk.write(paths.key, self.disk.read(paths.next_key), SECRET)
        self.disk.write(paths.certificate, self.disk.read(paths.next_certificate))
        self.disk.remove(paths.next_certificate)
        self.disk.remove(paths.next_key)

    def discard_renewed(self) -> None:
        """Give up a renewed certificate that nobody accepts."""
        self.disk.remove(self.paths.next_certificate)
        self.disk.erase(self.paths.next_key)

    def keep_trust(self, frame: bytes, store: TrustStore) -> None:
        """Keep the next trust document, which was verified; on disk when this returns."""
        self.disk.write(self.paths.trust, frame)
        if store.document.authorities:
            self.disk.write(self.paths.authorities, "\n".join(store.document.authorities).encode())

    def keep_fleet(self, facts: FleetFacts) -> None:
        """Keep what the fleet said of itself."""
        self.disk.write(self.paths.fleet, to_json(facts))

    def leave(self) -> None:
        """Forget the fleet: keys are overwritten, everything else goes. The first write decides."""
        self._prepare()
        self.disk.write(
            self.paths.left, b"This device has left its fleet. To enrol it again: archipel enrol\n"
        )
        self._clear()

    def _is_half_promoted(self) -> bool:
        next_key, key = self.paths.next_key, self.paths.key
        both = self.disk.exists(next_key) and self.disk.exists(key)
        return both and self.disk.read(next_key) == self.disk.read(key)

    def _prepare(self) -> None:
        if self.disk.mode(self.paths.base) != 0o700:
            self.disk.make_directory(self.paths.base, 0o700)

    def _clear(self) -> None:
        paths = self.paths
        for secret in (paths.key, paths.next_key, paths.invitation):
            self.disk.erase(secret)
        for path in self.disk.files(paths.base):
            if path != paths.left:
                self.disk.remove(path)

    def _install(self) -> None:
        paths = self.paths
        try:
            adopted = from_json(_Adopted, self.disk.read(paths.next_answer))
            trust = base64.b64decode(adopted.answer.trust)
        except (WireError, binascii.Error) as error:
            raise IdentityUnusable(DAMAGED, paths.next_answer, str(error)) from error
        answer = adopted.answer
        facts = FleetFacts(
            address=adopted.address,
            brokers=answer.brokers,
            fleet_name=answer.fleet_name,
            display_name=answer.display_name,
        )
        self.disk.write(paths.authorities, "\n".join(answer.authorities).encode())
        self.disk.write(paths.trust, trust)
        self.keep_fleet(facts)
        self.disk.write(paths.key, self.disk.read(paths.next_key), SECRET)
        self.disk.write(paths.certificate, answer.certificate.encode())
        self.withdraw()
        self.disk.remove(paths.next_answer)  # until here all of it is done again after a cut
        self.disk.remove(paths.next_key)

    def _check_issued(self, answer: Answer, node_id: str) -> None:
        try:
            certificate = reading.read(answer.certificate.encode())
            signer = SoftwareSigner(device_key_from_pem(self.disk.read(self.paths.next_key)))
        except (CertificateInvalid, KeyInvalid, OSError) as error:
            raise AnswerInvalid(str(error)) from error
        if certificate.public != signer.public:
            raise AnswerInvalid("the certificate is for another key than the one that asked")
        if certificate.name != node_id:
            raise AnswerInvalid(f"the certificate is for {certificate.name[:40]!r}, this device is {node_id}")


def trust_from(encoded: str) -> TrustStore:
    """Return the store over a trust document's frame in base64, as an answer carries it; raise AnswerInvalid."""
    try:
        return TrustStore.first(frame_from(base64.b64decode(encoded, validate=True)))
    except (binascii.Error, ValueError, EnvelopeInvalid) as error:
        raise AnswerInvalid(f"the fleet's trust document cannot be used: {error}") from error
