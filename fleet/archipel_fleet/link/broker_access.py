"""Who may do what at a broker of ours, and how it shows itself: what its configuration is generated from.

`serve` and `archipel fleet broker` make one from the registry and the fleet's CA; `broker_nats` and `broker_mosquitto` write
it down in their program's own words. Rights follow the name in the certificate: a device speaks below `up` of its own node
and hears `down` of its own node and the controller's presence, whatever the shard; controllers the other way round. A
device comes in with a key that counts now: the one it has and, until it has used it, the next.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from archipel_contract.names import KEY_ID, NODE_ID
from archipel_contract.trust.certificates import Authority
from archipel_contract.trust.keys import new_device_key, to_pem

CONTROLLER = "controller"  # name in the controller's certificate; no device can be called so
CHECKER = "broker-check"  # a second one like it, so that a check never takes the controller's place
CHECK_NODES = (
    "n-0000000000000000",
    "n-1111111111111111",
)  # devices that exist during a check; no machine draws them
PACKET_LIMIT = 256 << 10  # bytes; twice what a message may have, so that what is refused is never ours
UNACKNOWLEDGED = (
    1000  # QoS 1 messages on their way to one client; below that a busy controller would be kept waiting
)
HANDSHAKE_SECONDS = 30  # as long as a node waits; nats' own 2 s fail under a fleet that returns (measured)

AUTHORITY_FILE = "fleet-ca.pem"
CERTIFICATE_FILE = "broker.pem"
KEY_FILE = "broker.key"
REVOKED_FILE = "revoked.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """How the broker shows itself, and whose certificates it takes; all PEM."""

    authority: bytes
    certificate: bytes
    key: bytes

    @classmethod
    def new(cls, authority: Authority, names: Iterable[str], now: datetime) -> "ServerTls":
        """Return a new key with a certificate for these host names and addresses."""
        key = new_device_key()
        made = authority.server(names, key.public_key(), now)
        return cls(authority=authority.pem, certificate=made.pem, key=to_pem(key))


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccess:
    """Who may come in, and where."""

    tls: ServerTls
    devices: Mapping[str, tuple[str, ...]]  # all active ones: ids of their keys by node id
    controllers: tuple[str, ...] = (CONTROLLER,)  # one for each controller that shares the work
    revoked: bytes | None = None  # list of revoked certificates (CRL, PEM), for brokers that read one
    host: str = "127.0.0.1"
    port: int = 8883
    websocket_port: int = 0  # 0: none

    def __post_init__(self) -> None:
        for node, keys in self.devices.items():
            if not NODE_ID.fullmatch(node):
                raise ValueError(f"{node!r} is no node id; it would be written into a broker's rules")
            for one in keys:
                if not KEY_ID.fullmatch(one):
                    raise ValueError(f"{one!r} is no id of a key; it would be written into a broker's rules")
        for one in self.controllers:
            if not one.replace("-", "").isalnum() or not one.isascii() or NODE_ID.fullmatch(one):
                raise ValueError(f"{one!r} is no name for a controller")

    @property
    def all_devices(self) -> tuple[str, ...]:
        """Devices and those of a check, sorted, each once."""
        return tuple(sorted({*self.devices, *CHECK_NODES}))

    @property
    def all_controllers(self) -> tuple[str, ...]:
        """Controllers and the one of a check, sorted, each once."""
        return tuple(sorted({*self.controllers, CHECKER}))

    def files(self) -> dict[str, bytes]:
        """Return the files that a broker reads, by name; the key among them is for its eyes only."""
        found = {
            AUTHORITY_FILE: self.tls.authority,
            CERTIFICATE_FILE: self.tls.certificate,
            KEY_FILE: self.tls.key,
        }
        return found if self.revoked is None else {**found, REVOKED_FILE: self.revoked}
