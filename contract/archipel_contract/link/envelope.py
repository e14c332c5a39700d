"""The one frame for everything that travels, and the envelope inside it.

On the wire a message is a frame, compressed as a whole or not; its first byte tells which:

    A                 a frame: `A1 <key id> <signature>` and a line feed, then the payload to its last byte
    0x78              a zlib stream (RFC 1950) that holds a frame, perhaps with a preset dictionary of `compression`

The signature covers the exact payload bytes, so they are stored and passed on as they came. `unsigned` is a key id like any
other: it is accepted only where the policy of the reader says so. The payload is a JSON object, the envelope.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from archipel_contract.facts import ClockQuality
from archipel_contract.link import compression
from archipel_contract.wire import WireError, from_data, to_data

VERSION = 1
MARK = b"A1"
UNSIGNED = "unsigned"
NO_SIGNATURE = "-"
HEAD_LIMIT = 256  # bytes of the first line; an Ed25519 signature in base64 has 88
WIRE_LIMIT = (
    128 << 10
)  # bytes of a message as it travels: below what every broker of the contract suite lets through
FRAME_LIMIT = 1 << 20  # bytes of a frame after decompression: what a reader is ready to hold
SEQUENCE_LIMIT = 1 << 63  # sequences and epochs are 64-bit signed integers wherever they are stored
REPLACES_LIMIT = 64


class EnvelopeInvalid(ValueError):
    """A message is no envelope of ours; `code` is the finding: message-malformed, message-oversized, message-foreign,
    message-newer."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Key id, exact payload bytes, signature (empty for unsigned)."""

    key_id: str
    payload: bytes
    signature: bytes = b""


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
    signature = base64.b64encode(frame.signature).decode() if frame.signature else NO_SIGNATURE
    return b" ".join([MARK, frame.key_id.encode(), signature.encode()]) + b"\n" + frame.payload


def frame_from(data: bytes) -> Frame:
    """Return the frame in uncompressed bytes; raise EnvelopeInvalid."""
    head, line_end, _ = data[: HEAD_LIMIT + 1].partition(b"\n")
    words = head.split(b" ")
    if not line_end or len(words) != 3 or words[0] != MARK or not words[1].isascii() or not all(words):
        raise EnvelopeInvalid("message-foreign", f"this does not begin like a frame of ours: {data[:24]!r}")
    try:
        signature = b"" if words[2] == NO_SIGNATURE.encode() else base64.b64decode(words[2], validate=True)
    except binascii.Error as error:
        raise EnvelopeInvalid("message-malformed", f"the signature is not base64: {error}") from error
    return Frame(key_id=words[1].decode(), payload=data[len(head) + 1 :], signature=signature)


def to_wire(envelope: Envelope, compress: bool = True) -> bytes:
    """Return an unsigned message as it travels; raise EnvelopeInvalid when it is larger than WIRE_LIMIT."""
    data = framed(Frame(key_id=UNSIGNED, payload=payload(envelope)))
    wire = compression.smaller(data) if compress else data
    if len(wire) > WIRE_LIMIT or len(data) > FRAME_LIMIT:
        raise EnvelopeInvalid(
            "message-oversized", f"{envelope.type}: {len(wire)} bytes on the wire, the limit is {WIRE_LIMIT}"
        )
    return wire


def from_wire(data: bytes) -> tuple[Frame, Envelope]:
    """Return frame and envelope of a message as it travelled; raise EnvelopeInvalid, never anything else.

    Only `unsigned` is accepted: there are no keys yet, and a signature nobody checks must not look like one that was.
    """
    if len(data) > WIRE_LIMIT:
        raise EnvelopeInvalid("message-oversized", f"{len(data)} bytes, the limit is {WIRE_LIMIT}")
    try:
        plain = compression.restored(data, FRAME_LIMIT)
    except compression.TooLarge as error:
        raise EnvelopeInvalid("message-oversized", str(error)) from error
    except compression.NotReadable as error:
        raise EnvelopeInvalid("message-malformed", str(error)) from error
    frame = frame_from(plain)
    if frame.key_id != UNSIGNED or frame.signature:
        raise EnvelopeInvalid(
            "message-foreign", f"signed by {frame.key_id!r}, a key this program does not know"
        )
    return frame, envelope_from(frame.payload)
