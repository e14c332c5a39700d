"""Whether a message is signed by the device it claims to be from, judged by the registry of devices.

Called by `check` with a frame whose payload nobody has read yet. A registry that cannot be asked now (StoreFailed) is the
caller's affair: the message is neither taken nor refused.
"""

from collections.abc import Sequence
from typing import Protocol

from archipel_contract.link.envelope import Frame
from archipel_contract.trust.keys import KeyInvalid, PublicKey, SignatureInvalid
from archipel_fleet.device_records import DeviceRow, DeviceState, Spoken

UNSIGNED = "message-unsigned"
FORGED = "message-forged"
UNTRUSTED = "message-untrusted"
REVOKED = "message-revoked"
UNPROVEN = frozenset({UNSIGNED, FORGED, UNTRUSTED, REVOKED})
"""Why a message does not count as its node's: nobody knows who sent it."""


UNPROVEN_CODE = "fleet-sender-unproven"
"""The finding about it."""


class Registry(Protocol):
    """What is asked of the registry of devices; see device_ports.Devices."""

    def keys(self, node_id: str) -> tuple[PublicKey, ...]:
        """Return the keys with which an active device may sign; none for any other."""
        ...

    def device(self, node_id: str) -> DeviceRow | None:
        """Return a device by its node id."""
        ...

    def seen(self, spoken: Sequence[Spoken], now: int) -> None:
        """Note who spoke."""
        ...


class NotProven(Exception):
    """A message is not shown to be from its node; `code` says why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Senders:
    """Judges signatures of devices."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def signer_of(self, node_id: str, frame: Frame) -> str:
        """Return the id of the key that signed, one of this node's; raise NotProven, StoreFailed.

        A device signs alone: what is signed by more than one key is not from one.
        """
        if not frame.signatures:
            raise NotProven(UNSIGNED, "it is not signed")
        known = self._registry.keys(node_id)
        if not known:
            row = self._registry.device(node_id)
            if row is None:
                raise NotProven(UNTRUSTED, "no device of this name is enrolled")
            code = REVOKED if row.state is DeviceState.REVOKED else UNTRUSTED
            raise NotProven(code, f"this device is {row.state}")
        signature = frame.signatures[0]
        if len(frame.signatures) > 1:
            raise NotProven(UNTRUSTED, f"{len(frame.signatures)} keys signed it, a device has one")
        for key in known:
            if key.key_id == signature.key_id:
                try:
                    key.verify(frame.payload, signature.value)
                except (SignatureInvalid, KeyInvalid) as error:
                    raise NotProven(FORGED, str(error)) from error
                return key.key_id
        raise NotProven(UNTRUSTED, f"the key {signature.key_id[:40]} is not this device's")
