"""Orders and site documents as signed frames, and back. Pure but for the signer's key."""

from dataclasses import replace

from archipel_contract.commands import Command, SignedDocument
from archipel_contract.facts import ClockQuality
from archipel_contract.link import envelope
from archipel_contract.link.envelope import Envelope, Frame, Signature, Signs
from archipel_contract.link.messages import TYPE_OF
from archipel_contract.wire import from_data, to_data
from archipel_fleet.order_records import OrderRow


def command_of(order: OrderRow, nonce: str = "") -> Command:
    """Return an order as it travels."""
    return Command(
        id=order.id,
        node=order.node_id,
        counter=order.counter,
        issued=order.issued,
        expires=order.expires,
        action=order.action,
        arguments=order.arguments,
        nonce=nonce,
        asked_by=order.asked_by,
    )


def signed(body: Command | SignedDocument, at: int, signer: Signs) -> bytes:
    """Return a frame of one command or document, signed; `at` is milliseconds since 1970."""
    said = Envelope(type=TYPE_OF[type(body)], at=at, clock=ClockQuality.UNKNOWN, body=to_data(body))
    return envelope.framed(envelope.signed(said, [signer]))


def command_in(frame: bytes) -> Command:
    """Return the command in a frame of ours."""
    return from_data(Command, envelope.envelope_from(envelope.frame_from(frame).payload).body)


def with_nonce(frame: bytes, nonce: str, at: int, signer: Signs) -> bytes:
    """Return a command once more, as an answer to one hello. Only for what one signature is enough for."""
    return signed(replace(command_in(frame), nonce=nonce), at, signer)


def with_counter(frame: bytes, counter: int, at: int, signer: Signs) -> bytes:
    """Return a command with another counter."""
    return signed(replace(command_in(frame), counter=counter), at, signer)


def countersigned(frame: bytes, signature: Signature) -> Frame:
    """Return a frame with one more signature."""
    read = envelope.frame_from(frame)
    return replace(read, signatures=(*read.signatures, signature))


def to_wire(frame: bytes) -> bytes:
    """Return a frame as it travels."""
    return envelope.frame_to_wire(envelope.frame_from(frame))
