"""Every MQTT topic, built and parsed here and nowhere else.

    archipel/1/<shard>/<node>/up/<channel>     from a node: presence, hello, state, event, metric, result
    archipel/1/<shard>/<node>/down/<channel>   to a node: welcome, ack, ask, trust, document, command
    archipel/1/controller/presence             the controller's own presence

The shard is two lower-case hexadecimal digits, 00 to 3f: SHA-256 of the site id (of the node id until the node belongs to a
site), its first byte modulo 64. Controllers can so divide the fleet by shard on any broker; a site always has one owner.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from archipel_contract.names import NODE_ID

ROOT = "archipel/1"
SHARDS = 64
CONTROLLER_PRESENCE = f"{ROOT}/controller/presence"
ALL_UP = f"{ROOT}/+/+/up/#"


class Up(StrEnum):
    """Channels from a node."""

    PRESENCE = "presence"
    HELLO = "hello"
    STATE = "state"
    EVENT = "event"
    METRIC = "metric"
    RESULT = "result"


class Down(StrEnum):
    """Channels to a node."""

    WELCOME = "welcome"
    ACK = "ack"
    ASK = "ask"
    TRUST = "trust"
    DOCUMENT = "document"
    COMMAND = "command"


class TopicInvalid(ValueError):
    """A topic is none of ours; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a topic leads: the node, its shard, and the channel."""

    shard: int
    node_id: str
    channel: Up | Down


def shard_of(site_id: str, node_id: str) -> int:
    """Return the shard of a node: of its site, or of itself while `site_id` is empty."""
    return hashlib.sha256((site_id or node_id).encode()).digest()[0] % SHARDS


def up(shard: int, node_id: str, channel: Up) -> str:
    """Return the topic on which a node speaks."""
    return f"{ROOT}/{shard:02x}/{node_id}/up/{channel}"


def down(shard: int, node_id: str, channel: Down) -> str:
    """Return the topic on which a node is spoken to."""
    return f"{ROOT}/{shard:02x}/{node_id}/down/{channel}"


def down_filter(shard: int, node_id: str) -> str:
    """Return the subscription of a node for everything said to it."""
    return f"{ROOT}/{shard:02x}/{node_id}/down/#"


def up_filter(shard: int) -> str:
    """Return the subscription of a controller for one shard."""
    return f"{ROOT}/{shard:02x}/+/up/#"


_TOPIC = re.compile(rf"{ROOT}/([0-3][0-9a-f])/({NODE_ID.pattern})/(up|down)/([a-z]+)")


def parse(topic: str) -> Address:
    """Return where `topic` leads; raise TopicInvalid."""
    found = _TOPIC.fullmatch(topic)
    if found is None:
        raise TopicInvalid(f"{topic[:120]!r} is not archipel/1/<shard>/<node>/up|down/<channel>")
    channels: type[Up] | type[Down] = Up if found[3] == "up" else Down
    try:
        channel = channels(found[4])
    except ValueError:
        known = ", ".join(channels)
        raise TopicInvalid(f"{topic!r} has no channel of ours; {found[3]} has {known}") from None
    return Address(int(found[1], 16), found[2], channel)
