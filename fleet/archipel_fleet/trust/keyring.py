"""The controller's keys as they lie on its disk: `FleetKeys`, which the rest of the controller knows as `ports.Keys`.

Opened at every start and made at the very first one. Changes come as versions of the trust document (see `authoring`), also
from another process: `reload` takes them in without a restart.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from archipel_contract import catalogue
from archipel_contract.findings import Finding
from archipel_contract.link.envelope import EnvelopeInvalid, Frame
from archipel_contract.names import RandomBytes
from archipel_contract.trust import certificates
from archipel_contract.trust.certificates import Authority
from archipel_contract.trust.keys import PrivateKey, Signer, SoftwareSigner, new_fleet_key
from archipel_contract.trust.store import TrustStore
from archipel_contract.trust_document import FOREVER
from archipel_fleet.host import files
from archipel_fleet.ports import Clock
from archipel_fleet.trust import founding, holding, server
from archipel_fleet.trust.refusal import KeysRefused
from archipel_fleet.trust.server import TlsFiles
from archipel_fleet.trust.shelf import Shelf

DIRECTORY = "keys"  # in the data directory
CONTROLLER = "controller"  # name of its key, and common name of its certificate towards brokers
KEY_ENDS_SOON = timedelta(days=30)
AUTHORITY_ENDS_SOON = timedelta(days=3 * 365)  # longer than a silent device keeps its certificate


class _Authorities:
    """The CAs among the keys of a fleet."""

    _held: holding.Held
    _clock: Clock

    @property
    def authority(self) -> Authority:
        """The CA that issues certificates of devices: the newest one."""
        return self._held.authorities[0]

    @property
    def shown_authority(self) -> Authority:
        """See ports.Keys."""
        return server.issuer_of_servers(self.authorities, founding.dated(self._clock))

    @property
    def authorities(self) -> tuple[Authority, ...]:
        """Every CA of the trust document whose key lies here, the newest first."""
        return tuple(self._held.authorities)


class FleetKeys(_Authorities):
    """See ports.Keys. May be used from any thread."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        """Open the keys in `directory`; raise KeysRefused."""
        self._shelf = Shelf(directory)
        self._clock = clock
        try:
            if not self._shelf.is_made:
                raise KeysRefused("fleet-keys-missing", f"there are none in {directory}", data=str(directory))
            self._exposed = self._shelf.close_to_others()
            self._stamp = self._shelf.stamp()
        except OSError as error:
            raise _unusable(directory, error) from error
        self._held = holding.read(self._shelf)

    @classmethod
    def first(cls, directory: Path, name: str, clock: Clock, random: RandomBytes) -> "FleetKeys":
        """Open the keys in `directory`, or make them at the very first start, with nobody asked; raise KeysRefused.

        One root, whose private key then lies here too and should be moved away (see `findings`), one key of a controller
        that may do everything, one CA, and version 1 of the trust document. `name` is the fleet's, for people.
        """
        if not Shelf(directory).is_made:
            root = new_fleet_key()
            founding.found(directory, name, [root], 1, clock, random, keep_roots=True)
        return cls(directory, clock)

    # --- ports.Keys --------------------------------------------------------------------------------------------------

    @property
    def trust(self) -> TrustStore:
        """What the roots say now."""
        return self._held.trust

    @property
    def trust_frame(self) -> Frame:
        """The newest trust document, as it was signed."""
        return self._held.frames[-1][1]

    @property
    def signer(self) -> Signer:
        """The controller's own key."""
        return self._held.signer

    # --- beyond ------------------------------------------------------------------------------------------------------

    @property
    def directory(self) -> Path:
        """Where the keys lie."""
        return self._shelf.directory

    @property
    def roots(self) -> tuple[Signer, ...]:
        """The roots whose private key lies here."""
        return tuple(SoftwareSigner(one) for one in self._held.roots)

    def frames_after(self, version: int) -> tuple[Frame, ...]:
        """Return the trust documents after `version`, oldest first, for a device that follows them one by one."""
        return tuple(frame for number, frame in self._held.frames if number > version)

    def reload(self) -> bool:
        """Take in what another command has changed on the disk; True if the trust document is another.

        Looks only at names and times of files while nothing has changed, so it can be called every few seconds. Raises
        KeysRefused, and goes on with what was read before.
        """
        try:
            stamp = self._shelf.stamp()
        except OSError as error:
            raise _unusable(self.directory, error) from error
        if stamp == self._stamp:
            return False
        before = self._held.trust.document
        self._held = holding.read(self._shelf)
        self._stamp = stamp
        return self._held.trust.document != before

    def accept(self, frame: Frame, keys: Iterable[PrivateKey] = ()) -> None:
        """Put the next version of the trust document in force, and before it the private keys it needs here.

        Private keys that only the version before named are removed then: a key that is out of use is better nowhere.

        Raises KeysRefused when the roots did not sign it so, or when this controller could not go on with it.
        """
        held = self._held
        new = {holding.id_of(key): key for key in keys}
        try:
            store = held.trust.after(frame)
        except EnvelopeInvalid as error:
            raise KeysRefused("fleet-trust-refused", str(error), file="the proposal") from error
        if store is held.trust:
            return
        # Raises before a byte is written.
        holding.hold(self._shelf, store, (*held.frames, (store.document.version, frame)), new)
        try:
            lock = files.DirectoryLock(self.directory)
        except files.Locked as error:
            raise KeysRefused(
                "fleet-trust-refused", "another command changes the keys now", file="the keys"
            ) from error
        try:
            if self._shelf.chain()[0].document != held.trust.document:
                detail = "the keys were changed by another command meanwhile; begin again"
                raise KeysRefused("fleet-trust-refused", detail, file="the proposal")
            for key in new.values():
                self._shelf.put_key(key)
            self._shelf.put_frame(store.document.version, frame)
            for key_id in holding.named(held.trust.document) - holding.named(store.document):
                self._shelf.forget_key(key_id)
        except OSError as error:
            raise _unusable(self.directory, error) from error
        finally:
            lock.release()
        self.reload()

    def put_key(self, key: PrivateKey) -> str:
        """Keep a private key that a proposal names, until the proposal is accepted; return its id. Raises KeysRefused."""
        try:
            return self._shelf.put_key(key)
        except OSError as error:
            raise _unusable(self.directory, error) from error

    def root_key(self, key_id: str) -> PrivateKey | None:
        """Return the private key of a root, to move it elsewhere; None if it does not lie here."""
        return next((one for one in self._held.roots if holding.id_of(one) == key_id), None)

    def forget_root(self, key_id: str) -> None:
        """Remove the private key of a root from here; what it signed stays good. Raises KeysRefused."""
        try:
            self._shelf.forget_key(key_id)
        except OSError as error:
            raise _unusable(self.directory, error) from error
        self.reload()

    def server_files(self, label: str, names: Iterable[str]) -> TlsFiles:
        """Return certificate and key of a server of ours for these host names and addresses, renewed when it is time.

        `label` names the files (such as `broker`). The oldest CA issues it as long as it is in the trust document, because
        every device knows that one. Call again now and then: a broker must be told when `changed`.
        """
        return server.server(self._shelf.directory, label, tuple(names), self._held.authorities, self._now())

    def client_files(self) -> TlsFiles:
        """Return certificate and key of the controller as a client of brokers, renewed when it is time."""
        return server.client(self._shelf.directory, CONTROLLER, self._held.authorities, self._now())

    def authorities_file(self) -> Path:
        """Return a file with every CA of the trust document, for brokers."""
        return server.authorities(self._shelf.directory, self._held.trust.document.authorities)

    def findings(self) -> tuple[Finding, ...]:
        """Return what should be done about the keys."""
        held, found = self._held, []
        if held.roots:
            path = str(self._shelf.path_of(holding.id_of(held.roots[0])))
            found.append(catalogue.finding("fleet-root-online", (), None, file=path))
        if self._exposed:
            found.append(catalogue.finding("fleet-keys-exposed", (), None, files=", ".join(self._exposed)))
        ends = held.delegation.expires
        if ends != FOREVER and self._now() + KEY_ENDS_SOON > founding.utc(ends):
            found.append(_ending("the controller's key", founding.utc(ends), "controller"))
        ca = certificates.read(held.authorities[0].pem)
        if self._now() + AUTHORITY_ENDS_SOON > ca.not_after:
            found.append(_ending("the CA's certificate", ca.not_after, "ca"))
        return tuple(found)

    def _now(self) -> datetime:
        return founding.dated(self._clock)


def _unusable(directory: Path, error: OSError) -> KeysRefused:
    path = str(error.filename or directory)
    return KeysRefused("fleet-keys-damaged", str(error.strerror or error), file=path)


def _ending(what: str, at: datetime, word: str) -> Finding:
    return catalogue.finding("fleet-keys-ending", (), None, what=what, date=f"{at:%Y-%m-%d}", word=word)
