"""The protocol page is enough for a stranger: with what it prints, and nothing of ours, messages are read off a broker."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from archipel_contract.link import topics
from archipel_contract.link.carrier import Outgoing
from archipel_contract.link.envelope import from_wire
from tests.brokers.servers import MosquittoBroker, await_true
from tests.contract.record_messages import NODE, RECORDED, SITE

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/protocol.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    """Return the code blocks of the page."""
    return re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_messages_printed_byte_by_byte_are_the_ones_described() -> None:
    texts = [block for block in blocks() if block.startswith("A1 unsigned") and "payload" not in block]
    wires = [
        bytes.fromhex(block.replace("\n", "")) for block in blocks() if re.fullmatch(r"[0-9a-f\n]+", block)
    ]
    assert len(texts) == len(wires) == 2
    for text, wire in zip(texts, wires, strict=True):
        frame, _ = from_wire(wire)
        assert b"A1 unsigned -\n" + frame.payload == text.rstrip("\n").encode()


@pytest.mark.broker
@pytest.mark.real_process
@pytest.mark.skipif(shutil.which("mosquitto_sub") is None, reason="mosquitto_sub is not installed")
@pytest.mark.skipif(bool(MosquittoBroker.missing()), reason="mosquitto is not installed")
def test_a_stranger_reads_along_with_mosquitto_sub_and_the_page(tmp_path: Path) -> None:
    dictionary = next(block for block in blocks() if re.fullmatch(r"[A-Za-z0-9+/=\n]{500,}", block))
    command = next(block for block in blocks() if block.startswith("mosquitto_sub"))
    (tmp_path / "1.txt").write_bytes(base64.b64decode(dictionary))
    recorded = json.loads(max(RECORDED.glob("*.json")).read_text())
    up = {name: one for name, one in recorded.items() if "/up/" in one["topic"]}
    with MosquittoBroker(tmp_path, extra="log_type subscribe\n") as broker:
        counted = command.replace("-p 1883", f"-p {broker.port} -C {len(up)} -W 15")
        reader = subprocess.Popen(["sh", "-c", counted], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        carrier = broker.carrier("n-0000000000000000")
        carrier.open()
        await_true(
            lambda: topics.ALL_UP in broker.said(), 10.0, lambda: f"nobody subscribed: {broker.said()}"
        )
        for one in up.values():
            carrier.send(Outgoing(topic=one["topic"], payload=bytes.fromhex(one["wire"]), qos=1))
        while carrier.unsent():
            carrier.receive(1.0)
        said, _ = reader.communicate(timeout=18)
        carrier.close()
    read = {}
    for line in said.splitlines():
        topic, _, text = line.partition(" ")
        read[topic] = json.loads(text)
    assert {one["topic"] for one in up.values()} == set(read)
    shard = topics.shard_of(SITE, NODE)
    event = read[topics.up(shard, NODE, topics.Up.EVENT)]
    assert event["b"] == recorded["event"]["body"] and event["n"] == 17
