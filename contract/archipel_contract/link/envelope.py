"""The one frame for everything that travels, and the envelope inside it.

On the wire a message is a frame, compressed as a whole or not; its first byte tells which:

    A                 a frame: `A1 <key ids> <signatures>` and a line feed, then the payload to its last byte
    0x78              a zlib stream (RFC 1950) that holds a frame, perhaps with a preset dictionary of `compression`

A signature covers the exact payload bytes, so they are stored and passed on as they came; several keys are named with commas
between them, and their signatures in the same order. `unsigned` is a key id of its own. Which frames are heeded is the
reader's policy, which sees the frame before a byte of its payload is read. The payload is a JSON object, the envelope.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from archipel_contract.facts import ClockQuality
from archipel_contract.link import compression
from archipel_contract.wire import WireError, from_data, to_data

VERSION = 1
MARK = b"A1"
UNSIGNED = "unsigned"
NO_SIGNATURE = "-"
HEAD_LIMIT = (
    2048  # bytes of the first line: room for SIGNATURES_LIMIT keys; an Ed25519 signature in base64 has 88
)
SIGNATURES_LIMIT = 16
WIRE_LIMIT = (
    128 << 10
)  # bytes of a message as it travels: below what every broker of the contract suite lets through
FRAME_LIMIT = 1 << 20  # bytes of a frame after decompression: what a reader is ready to hold
SEQUENCE_LIMIT = 1 << 63  # sequences and epochs are 64-bit signed integers wherever they are stored
REPLACES_LIMIT = 64


class EnvelopeInvalid(ValueError):
    """A message is no envelope of ours, or not heeded; `code` is the finding: message-malformed, message-oversized,
    message-foreign, message-newer, message-unsigned; a policy adds its own."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Signature:
    """One key's signature over a payload."""

    key_id: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Exact payload bytes, and who signed them (nobody: unsigned)."""

    payload: bytes
    signatures: tuple[Signature, ...] = ()


class Signs(Protocol):
    """What `to_wire` needs of a signer; `trust.keys` has them."""

    @property
    def key_id(self) -> str:
        """The id of the key."""
        ...

    def sign(self, payload: bytes) -> bytes:
        """Return a signature over exactly these bytes."""
        ...


Policy = Callable[[Frame], None]
"""Returns for a frame that is heeded, raises EnvelopeInvalid for one that is not."""


def only_unsigned(frame: Frame) -> None:
    """The policy before there are keys: a signature nobody checks must not look like one that was."""
    if frame.signatures:
        signed_by = ", ".join(one.key_id for one in frame.signatures)
        raise EnvelopeInvalid("message-foreign", f"signed by {signed_by!r}, a key this program does not know")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What every message says of itself. `epoch` and `sequence` identify it together with the node it came from."""

    type: str
    """Which body this is: one of the table in `messages`."""

    epoch: int = 0
    """Raised durably at every start of the sender, one for each lane (see `epochs`); 0 where nothing is sequenced."""

    sequence: int = 0
    """1, 2, 3... within the epoch, in the order in which the messages were made; 0 for what is never acknowledged."""

    at: int
    """Milliseconds since 1970-01-01 UTC by the sender's clock when the message was made."""

    clock: ClockQuality = ClockQuality.UNKNOWN
    """How far that clock could be trusted."""

    up: int = 0
    """Milliseconds since the sender's machine started; orders what was said with a wrong clock."""

    key: str = ""
    """Coalescing key: of the messages of one key only the newest matters."""

    replaces: tuple[int, ...] = ()
    """Sequences of this epoch that were sent, never acknowledged, and are made needless by this message."""

    body: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION


# Wire names of the fields: short, because they are most of a small message.
SHORT = {
    "version": "v",
    "type": "t",
    "epoch": "e",
    "sequence": "n",
    "at": "at",
    "clock": "c",
    "up": "up",
    "key": "k",
    "replaces": "r",
    "body": "b",
}
_LONG = {short: name for name, short in SHORT.items()}
_LEFT_OUT = {"epoch": 0, "sequence": 0, "up": 0, "key": "", "replaces": [], "body": {}}


def payload(envelope: Envelope) -> bytes:
    """Return the envelope as compact JSON with the short names; what has its default is left out."""
    values = {name: to_data(getattr(envelope, name)) for name in SHORT}
    shown = {SHORT[name]: value for name, value in values.items() if _LEFT_OUT.get(name) != value}
    return json.dumps(shown, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON, though Python reads it")


# Made once: `json.loads` makes one for each call that has a wish of its own.
_DECODER = json.JSONDecoder(parse_constant=_no_number)


def envelope_from(data: bytes) -> Envelope:
    """Return the envelope in a frame's payload; raise EnvelopeInvalid. Unknown fields are skipped."""
    try:
        # Decoded here: of bytes, json would also take UTF-16, which other readers of the stored bytes need not know.
        raw = _DECODER.decode(data.decode())
    except (ValueError, RecursionError) as error:
        raise EnvelopeInvalid("message-malformed", f"the payload is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise EnvelopeInvalid("message-malformed", "the payload is not a JSON object")
    if isinstance(raw.get("v"), int) and raw["v"] > VERSION:
        raise EnvelopeInvalid("message-newer", f"envelope version {raw['v']}, this program knows {VERSION}")
    named = {_LONG[short]: value for short, value in raw.items() if short in _LONG}
    try:
        envelope = from_data(Envelope, named)
    except WireError as error:
        raise EnvelopeInvalid("message-malformed", str(error)) from error
    numbers = (envelope.epoch, envelope.sequence, envelope.up, *envelope.replaces)
    if not all(0 <= number < SEQUENCE_LIMIT for number in numbers):
        raise EnvelopeInvalid(
            "message-malformed", "epoch, sequence, up and replaces must be 64-bit and not negative"
        )
    if not -SEQUENCE_LIMIT < envelope.at < SEQUENCE_LIMIT:
        raise EnvelopeInvalid("message-malformed", "at must be a 64-bit number of milliseconds")
    if len(envelope.replaces) > REPLACES_LIMIT:
        raise EnvelopeInvalid("message-malformed", f"replaces has more than {REPLACES_LIMIT} sequences")
    return envelope


def framed(frame: Frame) -> bytes:
    """Return the frame's bytes, uncompressed."""
    names = ",".join(one.key_id for one in frame.signatures) or UNSIGNED
    values = ",".join(base64.b64encode(one.value).decode() for one in frame.signatures) or NO_SIGNATURE
    return b" ".join([MARK, names.encode(), values.encode()]) + b"\n" + frame.payload


_KEY_ID = re.compile(r"[a-z0-9-]{1,40}")


def frame_from(data: bytes) -> Frame:
    """Return the frame in uncompressed bytes; raise EnvelopeInvalid."""
    head, line_end, _ = data[: HEAD_LIMIT + 1].partition(b"\n")
    words = head.split(b" ")
    if not line_end or len(words) != 3 or words[0] != MARK or not head.isascii() or not all(words):
        raise EnvelopeInvalid("message-foreign", f"this does not begin like a frame of ours: {data[:24]!r}")
    payload = data[len(head) + 1 :]
    names, values = words[1].decode().split(","), words[2].decode().split(",")
    if (names, values) == ([UNSIGNED], [NO_SIGNATURE]):
        return Frame(payload=payload)
    if len(names) != len(values) or len(names) > SIGNATURES_LIMIT or UNSIGNED in names:
        raise EnvelopeInvalid("message-malformed", f"{len(names)} keys and {len(values)} signatures")
    if not all(map(_KEY_ID.fullmatch, names)):
        raise EnvelopeInvalid(
            "message-malformed", "a key id has at most 40 lower-case letters, digits and '-'"
        )
    try:
        signatures = tuple(
            Signature(name, base64.b64decode(value, validate=True))
            for name, value in zip(names, values, strict=True)
        )
    except binascii.Error as error:
        raise EnvelopeInvalid("message-malformed", f"a signature is not base64: {error}") from error
    if not all(one.value for one in signatures):
        raise EnvelopeInvalid("message-malformed", "a signature is empty")
    return Frame(payload=payload, signatures=signatures)


def signed(envelope: Envelope, signers: Sequence[Signs] = ()) -> Frame:
    """Return the frame of an envelope, signed by each of `signers`."""
    data = payload(envelope)
    return Frame(payload=data, signatures=tuple(Signature(one.key_id, one.sign(data)) for one in signers))


def to_wire(envelope: Envelope, compress: bool = True, signers: Sequence[Signs] = ()) -> bytes:
    """Return a message as it travels; raise EnvelopeInvalid when it is larger than WIRE_LIMIT."""
    return frame_to_wire(signed(envelope, signers), compress, envelope.type)


def frame_to_wire(frame: Frame, compress: bool = True, what: str = "a message") -> bytes:
    """Return a frame as it travels; raise EnvelopeInvalid when it is larger than WIRE_LIMIT."""
    data = framed(frame)
    wire = compression.smaller(data) if compress else data
    if len(wire) > WIRE_LIMIT or len(data) > FRAME_LIMIT:
        raise EnvelopeInvalid(
            "message-oversized", f"{what}: {len(wire)} bytes on the wire, the limit is {WIRE_LIMIT}"
        )
    return wire


def frame_in(data: bytes) -> Frame:
    """Return the frame of a message as it travelled, nothing verified; raise EnvelopeInvalid, never anything else."""
    if len(data) > WIRE_LIMIT:
        raise EnvelopeInvalid("message-oversized", f"{len(data)} bytes, the limit is {WIRE_LIMIT}")
    try:
        plain = compression.restored(data, FRAME_LIMIT)
    except compression.TooLarge as error:
        raise EnvelopeInvalid("message-oversized", str(error)) from error
    except compression.NotReadable as error:
        raise EnvelopeInvalid("message-malformed", str(error)) from error
    return frame_from(plain)


def from_wire(data: bytes, policy: Policy = only_unsigned) -> tuple[Frame, Envelope]:
    """Return frame and envelope of a message as it travelled; raise EnvelopeInvalid, never anything else.

    `policy` sees the frame before its payload is read.
    """
    frame = frame_in(data)
    policy(frame)
    return frame, envelope_from(frame.payload)
