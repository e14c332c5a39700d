"""A result in pieces that every broker lets through. Pure; used by `worker`."""

import base64
import hashlib
from dataclasses import replace

from archipel_contract.commands import Result

PIECE_BYTES = 36 << 10  # 48 KiB of base64: with head and signature far below `envelope.WIRE_LIMIT`


def headed(result: Result, data: bytes) -> Result:
    """Return the result with size, digest and number of pieces of its data, which is not in it."""
    return replace(
        result,
        size=len(data),
        digest=hashlib.sha256(data).hexdigest() if data else "",
        pieces=max(1, -(-len(data) // PIECE_BYTES)),
        data="",
    )


def piece(head: Result, number: int, data: bytes) -> Result:
    """Return one piece; `data` are its bytes."""
    return replace(head, piece=number, data=base64.b64encode(data).decode())
