"""The protocol page, made around the types: enough for a stranger to write a client.

Called by `reference`, so by `docs/generate.py` and by the test that holds the written page to the source. The examples are
encoded by the very functions the programs use.
"""

import base64
import dataclasses
import textwrap
import zlib
from typing import Any

from archipel_contract.facts import ClockQuality
from archipel_contract.link import compression, envelope, messages, topics
from archipel_contract.link.delta import compact
from archipel_contract.link.envelope import Envelope
from archipel_contract.link.epochs import Lane, new_epoch
from archipel_contract.pagework import MADE, attribute_docs, link, table

NODE = "n-7k2m9qxf04hvd1et"
SITE = "s-3c9d2m7qk1xf0v4h"
MOMENT = 1_795_340_000_000


def page() -> str:
    """Return the text of protocol.md."""
    return "\n".join(
        [MADE, OPENING, _topics(), _frame(), _envelope(), _types(), CONVERSATION, _examples(), READING]
    )


OPENING = """\
# The protocol between a node and its fleet

Everything a node and its fleet say to each other are *messages* on an MQTT broker. The protocol needs MQTT 3.1.1 only: clean
sessions, QoS 0 and 1, retained messages for presence. Order, de-duplication, acknowledgement and size limits are in the
messages themselves, because brokers lose, repeat and reorder what they have acknowledged. No broker is trusted either: what
makes a node act is signed, and the node verifies it. Both ends refuse a broker without TLS that is not on loopback.

A reader skips fields it does not know, and takes a word it does not know (a new kind of event, say) for `unknown`: types
only ever grow, because a node may come back after a year.
"""


def _topics() -> str:
    shard = topics.shard_of(SITE, NODE)
    rows = [
        (f"`{topics.ROOT}/<shard>/<node>/up/{channel}`", ", ".join(_on(channel))) for channel in topics.Up
    ]
    rows += [
        (f"`{topics.ROOT}/<shard>/<node>/down/{channel}`", ", ".join(_on(channel))) for channel in topics.Down
    ]
    rows.append((f"`{topics.CONTROLLER_PRESENCE}`", "presence of the controller"))
    return "\n".join(
        [
            "## Topics\n",
            table(("topic", "carries"), rows),
            f"`<node>` is the node id, such as `{NODE}`. `<shard>` is two lower-case hexadecimal digits: the first byte of "
            f"the SHA-256 of the site id, modulo {topics.SHARDS}; of the node id while the node belongs to no site. The "
            f"site `{SITE}` has the shard `{shard:02x}`. A message whose shard is not its sender's is refused.\n",
            f"A controller subscribes to `{topics.ALL_UP}`, or to the shards it owns; a node to "
            f"`{topics.down_filter(shard, NODE)}` and to the controller's presence.\n",
        ]
    )


def _on(channel: topics.Up | topics.Down) -> list[str]:
    return [f"[{one.name}](#{one.name})" for one in messages.KINDS.values() if one.channel is channel]


def _frame() -> str:
    parts = ["## Frame and compression\n"]
    for number, words in compression.dictionaries().items():
        text = "\n".join(textwrap.wrap(base64.b64encode(words).decode(), 110))
        parts.append(
            f"Dictionary `{number:08x}` ({len(words)} bytes; its name is its Adler-32, as in the zlib header), "
            f"in base64:\n\n```\n{text}\n```\n"
        )
    return "\n".join(
        [
            parts[0],
            "A frame is one line of three words and a line feed, and then the payload to the last byte:\n",
            "```\nA1 <key ids> <signatures in base64>\n<payload>\n```\n",
            "A signature covers exactly the payload's bytes. Several keys are named with commas between them, and their "
            f"signatures in the same order, at most {envelope.SIGNATURES_LIMIT}. The key id `{envelope.UNSIGNED}` with the "
            f"signature `{envelope.NO_SIGNATURE}` says that nobody signed.\n",
            "Over a connection without TLS, which never leaves its machine, everything is unsigned and nothing from above "
            "makes a node act. Over TLS the kinds marked as signed below are heeded only with a good signature: from below "
            "by the key of the node's certificate (ECDSA over P-256 with SHA-256, DER), from above by a key that the "
            "fleet's trust document allows it (Ed25519). A key id is `k-` and the first 16 bytes of the SHA-256 of the "
            "key's text, each modulo 32 in the alphabet `0123456789abcdefghjkmnpqrstvwxyz`; the text is `ed25519:` or "
            "`p256:` and the raw (compressed) key in base64. An `ack` needs a signature where it names an epoch of the "
            "lanes result or event.\n",
            "On the wire a frame may be compressed as a whole. The first byte tells: `41` (the letter A) is a frame as it "
            "is; `78` is a zlib stream (RFC 1950). When bit 5 of the second byte is set, the next four bytes name the "
            "preset dictionary that is needed to read it.\n",
            f"Limits: {envelope.WIRE_LIMIT} bytes on the wire, {envelope.FRAME_LIMIT} bytes of frame after decompression. "
            "What is larger is refused, and a reader stops decompressing there.\n",
            *parts[1:],
        ]
    )


def _envelope() -> str:
    docs = attribute_docs(Envelope)
    docs |= {"body": "The message itself, as below.", "version": f"Of this envelope: {envelope.VERSION}."}
    rows = [
        (f"`{short}`", name, _kind(Envelope, name), docs.get(name, ""))
        for name, short in envelope.SHORT.items()
    ]
    return "\n".join(
        [
            "## Envelope\n",
            "The payload is a JSON object in UTF-8 with these fields. All but `v`, `t`, `at` and `c` may be absent and are "
            "then 0 or empty.\n",
            table(("field", "name", "type", "meaning"), rows),
            "An epoch is a number below 2^53: the count of the agent's starts times 2^20, plus the lane times 2^18, plus 18 "
            "random bits. Lanes: "
            + ", ".join(f"{lane.value} {lane.name.lower()}" for lane in Lane)
            + ". The count is stored before the epoch is first used; the random bits keep two copies of one memory card "
            "apart. (node, epoch, sequence) names a message for ever.\n",
        ]
    )


def _kind(owner: type[Any], name: str) -> str:
    hint = next(field.type for field in dataclasses.fields(owner) if field.name == name)
    text = hint if isinstance(hint, str) else getattr(hint, "__name__", str(hint))
    return text.removeprefix("typing.")


def _types() -> str:
    rows = [
        (
            f"[`{one.name}`](#{one.name})",
            f"{'up' if isinstance(one.channel, topics.Up) else 'down'}/{one.channel}",
            str(one.qos),
            "yes" if one.retained else "",
            "yes" if one.signed else "",
            "" if one.lane is None else one.lane.name.lower(),
            link(one.body),
        )
        for one in messages.KINDS.values()
    ]
    parts = [
        "## Messages\n",
        "A message with a lane is sequenced and acknowledged; one without is not. What has its default is left out of a "
        "body. Times are milliseconds since 1970 UTC unless the schema says RFC 3339.\n",
        table(("type", "channel", "QoS", "retained", "signed", "lane", "body"), rows),
    ]
    for one in messages.KINDS.values():
        parts.append(f"### {one.name}\n\n{_paragraphs(one.body)}\n\nBody: {link(one.body)}\n")
        if one.name == "full":
            parts.append(
                f"`state` is {link(messages.NodeState)}: {_paragraphs(messages.NodeState)}\n\nThe hash is the first 16 "
                "hexadecimal digits of the SHA-256 of the state as JSON with sorted keys, no spaces, in UTF-8.\n"
            )
        if one.name == "metrics":
            parts.append("The values of a point, in order: " + ", ".join(messages.METRIC_NAMES) + ".\n")
    return "\n".join(parts)


def _paragraphs(owner: type[Any]) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (owner.__doc__ or "").split("\n\n"))


CONVERSATION = """\
## A conversation

1. The node connects with a clean session, its node id as client id, and a will: the retained message `presence` with
   `connected` false and the number of this connection.
2. It subscribes to its `down/#` and to the controller's presence, and publishes `presence` with `connected` true. A node
   that dials in says by its `hello` that a line stands and by its will that it is gone; it publishes no `presence`, and
   hears the controller's only where it keeps its line between two calls.
3. It sends `hello`, and again with growing pauses until `welcome` names its connection. Until then it sends nothing else.
4. After the welcome it sends what is in its outbox: first the state (whole, or as a delta where the welcome's hash is the
   state it last had acknowledged), then results and gaps, events, and metrics; within a lane in the order of sequences.
5. The controller writes messages to its database and only then sends `ack`, for one or many at a time. What an ack names the
   node may delete. A node that hears no ack sends again; a controller that gets a message twice does nothing but
   acknowledge it again.
6. What a node must drop it declares with `gap`. A sequence is done when it arrived, was replaced, or is in a gap; `upto` of
   an acknowledgement grows over all three.
7. A delta whose `base` is not the hash the controller holds, or that does not lead to its own `hash`, is acknowledged and
   answered by `ask` with `full`.
8. `incarnation` in the welcome names the life of the controller's database. When it is another than before, the
   controller was restored from a copy: the node offers again what it still keeps, and declares what it does not.
9. A node that dials in on schedule waits for the acknowledgements. Then it either keeps the line in silence, with a
   keepalive longer than its period, and says what there is at the next call without another hello (or a hello where there is
   nothing); or it hangs up without a farewell, so that the broker sends its will. One that is always on sends `presence`
   with `connected` false before it leaves in order.

The will of an old connection may arrive after a new one stands; its `connection` is smaller and it is ignored. Contact is
judged by when messages arrive, never by the node's clock.
"""


def _examples() -> str:
    epoch = new_epoch(12, Lane.EVENT, lambda count: bytes(count))
    shown = [
        (
            topics.up(topics.shard_of(SITE, NODE), NODE, topics.Up.EVENT),
            _made("event", messages.Event(kind=messages.EventKind.NOTE, text="door opened"), epoch, 17),
        ),
        (
            topics.down(topics.shard_of(SITE, NODE), NODE, topics.Down.ACK),
            _made("ack", messages.Ack(acks=(messages.EpochAck(epoch=epoch, upto=17),))),
        ),
    ]
    parts = ["## Two messages, byte by byte\n"]
    for topic, one in shown:
        wire = envelope.to_wire(one)
        text = envelope.framed(envelope.Frame(payload=envelope.payload(one))).decode()
        parts.append(
            f"On `{topic}`, {len(text)} bytes:\n\n```\n{text}\n```\n\nand compressed, {len(wire)} bytes with dictionary "
            f"`{int.from_bytes(wire[2:6], 'big'):08x}`, in hexadecimal:\n\n```\n"
            + "\n".join(textwrap.wrap(wire.hex(), 100))
            + "\n```\n"
        )
        assert zlib.adler32(
            compression.dictionaries()[int.from_bytes(wire[2:6], "big")]
        )  # the page names a known one
    return "\n".join(parts)


def _made(name: str, body: Any, epoch: int = 0, sequence: int = 0) -> Envelope:
    return Envelope(
        type=name,
        epoch=epoch,
        sequence=sequence,
        at=MOMENT,
        clock=ClockQuality.SYNCHRONIZED,
        up=86_400_000,
        body=compact(body),
    )


READING = f"""\
## Reading along

A reader that only listens needs a subscription and the three steps above: decompress, cut the frame's first line, read JSON.
With the dictionary saved as `1.txt` (decode the base64 above):

```
mosquitto_sub -h 127.0.0.1 -p 1883 -t '{topics.ALL_UP}' -F '%t %x' | python3 -c '
import sys, zlib
words = open("1.txt", "rb").read()
for line in sys.stdin:
    topic, _, text = line.rstrip().partition(" ")
    data = bytes.fromhex(text)
    if data[:1] == b"x":
        data = zlib.decompressobj(zdict=words).decompress(data) if data[1] & 32 else zlib.decompress(data)
    if data:
        print(topic, data.partition(b"\\n")[2].decode(), flush=True)
'
```
"""
