"""What the controller says to nodes: the answers to a committed batch, and its own presence. Pure.

Called by `ingest` after each commit. Answers travel at QoS 0: one that is lost is made up for when the node sends again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from archipel_contract.link import topics
from archipel_contract.link.carrier import Outgoing
from archipel_contract.link.compression import smaller
from archipel_contract.link.envelope import VERSION, Envelope, Frame, Signature, Signs, framed, to_wire
from archipel_contract.link.epochs import Lane, lane_of
from archipel_contract.link.messages import TYPE_OF, EpochAck, Presence
from archipel_contract.link.topics import Down
from archipel_contract.wire import to_data
from archipel_fleet.ports import Keys, Taken

_ACK = '{"v":%d,"t":"ack","at":%d,"c":"unknown","b":{"acks":[%s]%s}}'

_PRECIOUS = (Lane.RESULT, Lane.EVENT)


def answers(
    taken: Taken, shards: Mapping[str, int], now: int, keys: Keys | None = None
) -> Iterator[Outgoing]:
    """Yield the messages a batch leaves to say, welcomes before acknowledgements; `shards` are the nodes' by id.

    With keys, welcomes are signed, and so are acknowledgements that let go of results or events. Raises SigningFailed.
    """
    signer = keys.signer if keys is not None else None
    for node_id, welcome in taken.welcomes.items():
        if node_id in shards:
            if keys is not None:
                welcome = replace(welcome, trust=keys.trust.document.version)
            topic = topics.down(shards[node_id], node_id, Down.WELCOME)
            yield Outgoing(topic=topic, payload=wire(welcome, now, signer))
    for node_id, acks in taken.acks.items():
        if node_id in shards and acks:
            topic = topics.down(shards[node_id], node_id, Down.ACK)
            yield Outgoing(topic=topic, payload=ack_wire(acks, now, signer, node_id))
    for node_id, ask in taken.asks.items():
        if node_id in shards:
            yield Outgoing(topic=topics.down(shards[node_id], node_id, Down.ASK), payload=wire(ask, now))


def wire(body: object, now: int, signer: Signs | None = None) -> bytes:
    """Return a message of the controller as it travels."""
    signers = () if signer is None else (signer,)
    return to_wire(Envelope(type=TYPE_OF[type(body)], at=now, body=to_data(body)), signers=signers)


def ack_wire(acks: tuple[EpochAck, ...], now: int, signer: Signs | None = None, node_id: str = "") -> bytes:
    """Return what `wire` returns for an acknowledgement, put together by hand: one is made for nearly every message.

    It is signed only where a device demands that: what it lets go of cannot be had again. Then it says whom it is for.
    """
    shown = ",".join(
        f'{{"epoch":{one.epoch},"upto":{one.upto},"also":[{",".join(f"[{a},{b}]" for a, b in one.also)}]}}'
        for one in acks
    )
    if signer is None or not any(lane_of(one.epoch) in _PRECIOUS for one in acks):
        return smaller(framed(Frame(payload=(_ACK % (VERSION, now, shown, "")).encode())))
    payload = (_ACK % (VERSION, now, shown, f',"node":"{node_id}"')).encode()
    signature = Signature(signer.key_id, signer.sign(payload))
    return smaller(framed(Frame(payload=payload, signatures=(signature,))))


def presence(connected: bool, connection: int, incarnation: str, spread_seconds: float, now: int) -> Outgoing:
    """Return the controller's own presence, which the broker keeps for nodes that connect later."""
    said = Presence(
        connected=connected, connection=connection, incarnation=incarnation, spread_seconds=spread_seconds
    )
    return Outgoing(topic=topics.CONTROLLER_PRESENCE, payload=wire(said, now), qos=1, retained=True)
