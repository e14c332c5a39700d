"""Epochs: which numbers name one run of one lane of a node's outbox, so that (node, epoch, sequence) never repeats.

An epoch is `counter * 2^20 + lane * 2^18 + random`: the counter is durably raised at every start of the agent before the
first sequence is used; the random part keeps two copies of one memory card apart, which share node id and counter. All
of it stays below 2^53, which every JSON reader keeps exact.
"""

from collections.abc import Callable
from enum import IntEnum

RANDOM_BITS = 18
LANE_BITS = 2
COUNTER_LIMIT = 1 << 32


class Lane(IntEnum):
    """The lanes of an outbox; a smaller number goes first and is dropped last."""

    RESULT = 0  # results of commands, gaps, the audit journal: never dropped
    EVENT = 1  # what happened; on disk before it is believed
    STATE = 2  # what is: only the newest matters, so it is never stored
    METRIC = 3  # samples; the oldest are dropped first


def new_epoch(counter: int, lane: Lane, random: Callable[[int], bytes]) -> int:
    """Return the epoch of one lane for this start; raise ValueError when the counter is spent (after 2^32 starts)."""
    if not 0 < counter < COUNTER_LIMIT:
        raise ValueError(f"the epoch counter must be 1 to {COUNTER_LIMIT - 1}, not {counter}")
    noise = int.from_bytes(random(4), "big") % (1 << RANDOM_BITS)
    return (counter << RANDOM_BITS + LANE_BITS) | (lane << RANDOM_BITS) | noise


def counter_of(epoch: int) -> int:
    """Return how many starts the node had when it took this epoch."""
    return epoch >> RANDOM_BITS + LANE_BITS


def lane_of(epoch: int) -> Lane:
    """Return the lane of an epoch."""
    return Lane((epoch >> RANDOM_BITS) & ((1 << LANE_BITS) - 1))
