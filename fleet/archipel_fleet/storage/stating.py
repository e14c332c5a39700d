"""What nodes say they are: full states and deltas, checked by hash, stored as the JSON the hash is of. Part of a batch."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from archipel_contract.link.delta import HASH_LENGTH, PatchInvalid, patched
from archipel_contract.link.messages import Ask, DeltaState, FullState, Wanted
from archipel_fleet.domain.summary import Summary, summarised
from archipel_fleet.storage import bulk, schema
from archipel_fleet.storage.rows import Node

_STATES = bulk.upsert(schema.node_states, ("node_id", "customer", "state"), ("node_id",))


class States:
    """The states of a batch's nodes: read once, patched in memory, written once."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._stored: dict[str, bytes] = {}
        self._states: dict[str, dict[str, Any]] = {}
        self._changed: dict[str, tuple[Node, bytes, str]] = {}

    def load(self, node_ids: Iterable[str]) -> None:
        """Read the stored states of these nodes."""
        rows = bulk.select(self._connection, schema.node_states, ("node_id", "state"), "node_id", node_ids)
        self._stored = {node_id: bytes(state) for node_id, state in rows}

    def apply(self, node: Node, said: FullState | DeltaState) -> Summary | Ask:
        """Return the summary of the node's new state, or what to ask for where the message does not lead to one."""
        if isinstance(said, FullState):
            state = said.state
        else:
            if said.base != node.state_hash:
                return Ask(
                    wanted=Wanted.FULL,
                    why=f"a delta on {said.base or 'nothing'}, held is {node.state_hash or 'none'}",
                )
            try:
                state = patched(self._held(node), said.patch)
            except (PatchInvalid, RecursionError) as error:
                return Ask(wanted=Wanted.FULL, why=f"the patch cannot be applied: {error}"[:200])
        try:
            body, digest = _canonical(state)
        except RecursionError:
            return Ask(wanted=Wanted.FULL, why="the state is nested too deeply")
        if digest != said.hash and isinstance(said, DeltaState):
            return Ask(wanted=Wanted.FULL, why=f"the patched state has hash {digest}, not {said.hash}"[:200])
        self._states[node.node_id] = state
        self._changed[node.node_id] = (node, body, digest)
        node.state_hash = digest
        return summarised(state)

    def _held(self, node: Node) -> dict[str, Any]:
        if node.node_id not in self._states:
            self._states[node.node_id] = json.loads(self._stored.get(node.node_id, b"{}"))
        return self._states[node.node_id]

    def summarise(self, node: Node, one: Summary, at: int, received: int) -> bool:
        """Write the summary into the node's row; return whether its health is another one now."""
        node.name, node.role = one.name or node.name, str(one.role)
        node.k3s_version, node.agent_version = one.k3s_version, one.agent_version or node.agent_version
        node.os_name, node.model, node.architecture = one.os_name, one.model, one.architecture
        node.clock, node.rehearsed = one.clock or node.clock, one.rehearsed
        node.problems, node.warnings, node.worst, node.codes = (
            one.problems,
            one.warnings,
            one.worst,
            one.codes,
        )
        node.cluster_term, node.nodes_ready, node.pods, node.pods_ready = (
            one.term,
            one.nodes_ready,
            one.pods,
            one.pods_ready,
        )
        node.cluster_heard = received if one.term >= 0 else node.cluster_heard
        changed = node.health != one.health or node.health_heard is None
        if changed:
            told = node.change_to == one.health and node.change_at is not None
            node.health, node.health_since = str(one.health), node.change_at if told else at
        node.health_heard = received
        return changed

    def flush(self) -> None:
        """Write the changed states, but none that its node had to leave with another customer."""
        rows = [
            (node.node_id, node.customer, body)
            for node, body, digest in self._changed.values()
            if node.state_hash == digest
        ]
        bulk.write(self._connection, _STATES, rows)


def _canonical(state: dict[str, Any]) -> tuple[bytes, str]:
    """Return the JSON that `delta.state_hash` is the hash of, and that hash, with the work done once."""
    text = json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    body = text.encode(errors="replace")
    return body, hashlib.sha256(body).hexdigest()[:HASH_LENGTH]
