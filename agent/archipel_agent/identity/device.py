"""One device's identity: who it is, whom it trusts, and how it connects. Used by the link, by remote orders and by `keeper`.

Kept in memory and read from the disk once; every change is on the disk before it counts here. Calls come from several
threads. While a renewed certificate has not connected yet it is tried first, and the present one after each refusal.
"""

import logging
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace

from archipel_agent.identity.files import IdentityFiles
from archipel_agent.identity.reading import DAMAGED, MISMATCHED, FleetFacts, IdentityUnusable, Kept, Pair
from archipel_agent.ports import Secured
from archipel_contract.link.envelope import Frame, framed
from archipel_contract.link.secure import client_context
from archipel_contract.trust.enrolment import Answer
from archipel_contract.trust.keys import Signer
from archipel_contract.trust.reading import Certificate
from archipel_contract.trust.store import TrustStore

LOG = logging.getLogger(__name__)
REFUSALS = 3  # of a renewed certificate by brokers that take the present one, until it is given up


class NotEnrolled(Exception):
    """There is no certificate: this device belongs to no fleet."""


def _nobody() -> None:
    """Nobody wants to know."""


class DeviceIdentity:
    """See the module."""

    def __init__(self, node_id: str, files: IdentityFiles) -> None:
        """Finish what a power cut left, and read (see `problem`)."""
        self.node_id = node_id
        self.files = files
        self.problem: IdentityUnusable | None = None
        """Why what is on the disk cannot be used; None while it can, and while there is nothing."""
        self.when_changed: Callable[[], None] = _nobody
        """Called after keys, certificate or fleet changed; from any thread."""
        self._lock = threading.RLock()
        self._refusals = 0
        self._kept = Kept()
        self._tried: Pair | None = None
        self.reload()

    def reload(self) -> None:
        """Read anew what is on the disk."""
        with self._lock:
            self._kept, self.problem = Kept(), None  # what cannot be read is not there
            self._tried, self._refusals = None, 0
            try:
                self.files.settle()
                self._kept = _own(self.files.load(), self.node_id)
            except IdentityUnusable as error:
                self.problem = error
            except OSError as error:
                base = self.files.paths.base
                self.problem = IdentityUnusable(DAMAGED, base, error.strerror or str(error))

    # --- what others ask ---------------------------------------------------------------------------------------------

    @property
    def has_certificate(self) -> bool:
        """Whether this device is enrolled."""
        return self._kept.pair is not None

    @property
    def certificate(self) -> Certificate:
        """The certificate with which this device last connected, or would; raise NotEnrolled."""
        return self._used().certificate

    @property
    def newest(self) -> Certificate:
        """The newest certificate, whether it has connected or not; raise NotEnrolled."""
        return (self._kept.renewed or self._used()).certificate

    @property
    def signer(self) -> Signer:
        """Signs with the key of `certificate`; raise NotEnrolled."""
        return self._used().signer

    @property
    def trust(self) -> TrustStore:
        """What is trusted now; raise NotEnrolled."""
        if self._kept.trust is None:
            raise NotEnrolled("this device has no trust document: it belongs to no fleet")
        return self._kept.trust

    @property
    def fleet(self) -> FleetFacts:
        """What the fleet last said of itself; empty while not enrolled."""
        return self._kept.fleet

    def context(self, check_time: bool) -> ssl.SSLContext:
        """Return a context for the next connection, with the certificate to try now; raise NotEnrolled, TlsUnusable."""
        with self._lock:
            pair, kept = self.will_try(), self._kept
        return client_context(kept.authorities, pair.certificate_path, pair.key_path, check_time=check_time)

    def will_try(self) -> Pair:
        """Settle on the pair for the next connection, which is also the one to sign with from now on; raise NotEnrolled."""
        with self._lock:
            self._tried = self._next_try()
            return self._tried

    def secured(self, check_time: bool) -> Secured:
        """Return how to secure a connection to renew over, with the newest certificate; raise NotEnrolled, OSError."""
        with self._lock:
            if self._kept.renewed is not None:
                # Half a life without a broker that saw it: it takes its place, so that there is room for the next one.
                self.files.promote()
                self.reload()
            pair = self._used()
            return Secured(
                authorities=self._kept.authorities,
                certificate=pair.certificate_path,
                key=pair.key_path,
                check_time=check_time,
            )

    # --- what happened -----------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """The connection of the last `context` was accepted: a renewed certificate takes its place for good."""
        with self._lock:
            renewed, tried = self._kept.renewed, self._tried
            if renewed is None or tried is None:
                return
            if tried.certificate == renewed.certificate:
                self.files.promote()
                self.reload()
                LOG.info("the renewed certificate has connected and replaces the one before")
            elif self._refusals >= REFUSALS:
                self.files.discard_renewed()
                self.reload()
                LOG.warning("the renewed certificate was refused %d times and is given up", REFUSALS)

    def refused(self) -> None:
        """The connection of the last `context` was refused for its certificate: the other one is tried next."""
        with self._lock:
            renewed = self._kept.renewed
            if renewed is not None and self._tried is not None:
                self._refusals += self._tried.certificate == renewed.certificate

    def take(self, frame: Frame) -> TrustStore:
        """Take the next trust document and return the store over it; kept before it counts. Raises NotTrusted, OSError."""
        with self._lock:
            after = self.trust.after(frame)
            if after is not self.trust:
                self.files.keep_trust(framed(frame), after)
                authorities = after.document.authorities or self._kept.authorities
                self._kept = replace(self._kept, trust=after, authorities=authorities)
            return after

    # --- getting and losing it ---------------------------------------------------------------------------------------

    def invite(self, link: str) -> None:
        """Keep the link by which to enrol; a membership there is stays in force until that has succeeded. Raises OSError."""
        with self._lock:
            self.files.invite(link)
            self._kept = replace(self._kept, renewed=None)
            self._tried = None

    def adopt(self, address: str, answer: Answer) -> None:
        """Take what an enrolment brought; raise AnswerInvalid, OSError."""
        with self._lock:
            self.files.adopt(address, answer, self.node_id)
            self.reload()
        self.when_changed()

    def renew(self, answer: Answer) -> None:
        """Take a renewed certificate and what the fleet says of itself with it; raise AnswerInvalid, OSError."""
        with self._lock:
            self.files.keep_renewed(answer, self.node_id)
            before = self._kept.fleet
            facts = replace(
                before,
                brokers=answer.brokers or before.brokers,
                fleet_name=answer.fleet_name or before.fleet_name,
                display_name=answer.display_name or before.display_name,
            )
            if facts != before:
                self.files.keep_fleet(facts)
            self.reload()
        self.when_changed()

    def wipe(self) -> None:
        """Leave the fleet: keys are overwritten and removed, the cluster is not touched. Raises OSError."""
        with self._lock:
            self.files.leave()
            self.reload()
        self.when_changed()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _used(self) -> Pair:
        pair = self._tried or self._kept.pair
        if pair is None:
            raise NotEnrolled("this device has no certificate: it belongs to no fleet")
        return pair

    def _next_try(self) -> Pair:
        pair, renewed = self._kept.pair, self._kept.renewed
        if pair is None:
            raise NotEnrolled("this device has no certificate: it belongs to no fleet")
        if renewed is None or self._refusals >= REFUSALS:
            return pair
        was_refused = self._tried is not None and self._tried.certificate == renewed.certificate
        return pair if was_refused and self._refusals else renewed


def _own(kept: Kept, node_id: str) -> Kept:
    """Return what was read, if it is this machine's; raise IdentityUnusable. A state begun anew has another node id."""
    if kept.pair is not None and kept.pair.certificate.name != node_id:
        detail = f"it is for {kept.pair.certificate.name}, but since its state was begun anew this machine is {node_id}"
        raise IdentityUnusable(MISMATCHED, kept.pair.certificate_path, detail)
    return kept
