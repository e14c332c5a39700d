"""Whatever is put together from parts of documents and signatures, a store takes exactly what a plain model of the rule
takes.

The model knows for each signature by whom it really was made and over which bytes; the store has to find that out.
"""

from dataclasses import dataclass, replace

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from archipel_contract.link.envelope import Frame, Signature
from archipel_contract.trust.keys import SoftwareSigner
from archipel_contract.trust.store import NotTrusted, TrustStore
from archipel_contract.trust_document import TrustDocument
from tests.contract.trust.made import (
    CONTROLLER,
    FLEET,
    KEYS,
    NOW,
    READER,
    ROOTS,
    STRANGER,
    document,
    frame,
    trust,
)

EVERYBODY = [*ROOTS, CONTROLLER, STRANGER]
some_roots = st.lists(st.sampled_from(ROOTS), min_size=1, max_size=4, unique=True)


@dataclass(frozen=True)
class Made:
    """A signature, and what it really is worth."""

    by: SoftwareSigner
    over: bytes
    named: str

    def signature(self) -> Signature:
        return Signature(self.named, self.by.sign(self.over))


def permitted(before: TrustDocument, offered: TrustDocument, payload: bytes, made: list[Made]) -> bool:
    """The rule as one would say it aloud."""
    for roots, threshold in ((before.roots, before.threshold), (offered.roots, offered.threshold)):
        ids = {one.key_id for one in ROOTS if str(one.public) in roots}
        good: set[str] = set()
        for one in made:
            if one.named in ids - good:
                if one.by.key_id != one.named or one.over != payload:
                    return False
                good.add(one.named)
        if len(good) < threshold:
            return False
    consistent = 0 < offered.threshold <= len(offered.roots)
    newer = offered.version > before.version or offered == before
    return consistent and newer and offered.fleet_id == FLEET


class Chain(RuleBasedStateMachine):
    """A device is offered one frame after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.store = TrustStore.first(trust(document(), *ROOTS[:2]))
        self.model = document()
        self.seen: list[tuple[TrustDocument, bytes, list[Made]]] = []

    def offer(self, offered: TrustDocument, payload: bytes, made: list[Made]) -> None:
        self.seen.append((offered, payload, made))
        before = self.store
        try:
            self.store = before.after(
                Frame(payload=payload, signatures=tuple(one.signature() for one in made))
            )
            taken = True
        except NotTrusted:
            taken = False
        assert taken == permitted(self.model, offered, payload, made)
        if taken:
            self.model = offered
        else:
            assert self.store is before

    @rule(
        step=st.integers(-1, 2),
        roots=some_roots,
        threshold=st.integers(0, 4),
        keys=st.sets(st.sampled_from(KEYS)),
        by=st.lists(st.sampled_from(EVERYBODY), max_size=5),
        fleet=st.sampled_from([FLEET, FLEET, FLEET, "f-1111111111111111"]),
    )
    def somebody_signs_something(
        self,
        step: int,
        roots: list[SoftwareSigner],
        threshold: int,
        keys: set[object],
        by: list[SoftwareSigner],
        fleet: str,
    ) -> None:
        kept = tuple(one for one in KEYS if one in keys)
        said = document(max(1, self.model.version + step), roots, threshold, keys=kept, fleet_id=fleet)
        payload = trust(said).payload
        self.offer(said, payload, [Made(one, payload, one.key_id) for one in by])

    @rule(roots=some_roots, data=st.data())
    def the_roots_sign_the_next_version(self, roots: list[SoftwareSigner], data: st.DataObject) -> None:
        threshold = data.draw(st.integers(1, len(roots)))
        said = document(self.model.version + 1, roots, threshold, keys=KEYS)
        payload = trust(said).payload
        now = [one for one in ROOTS if str(one.public) in self.model.roots]
        signers = list({one.key_id: one for one in (*now, *roots)}.values())
        self.offer(said, payload, [Made(one, payload, one.key_id) for one in signers])
        assert self.store.document == said

    @rule(data=st.data())
    def signatures_are_moved_to_another_document(self, data: st.DataObject) -> None:
        if not self.seen:
            return
        said, payload, _ = data.draw(st.sampled_from(self.seen))
        pool = [one for _, _, made in self.seen for one in made]
        chosen = data.draw(st.lists(st.sampled_from(pool), max_size=4)) if pool else []
        self.offer(said, payload, chosen)

    @rule(data=st.data())
    def a_signature_is_given_another_name(self, data: st.DataObject) -> None:
        if not self.seen:
            return
        said, payload, made = data.draw(st.sampled_from(self.seen))
        names = st.sampled_from([one.key_id for one in ROOTS])
        self.offer(said, payload, [replace(one, named=data.draw(names)) for one in made])

    @invariant()
    def rights_are_exactly_those_of_the_last_document_the_roots_signed(self) -> None:
        assert self.store.document == self.model
        named = {one.public for one in self.model.keys}
        for whose, purpose in ((CONTROLLER, "talk"), (READER, "command:logs"), (STRANGER, "command:logs")):
            try:
                self.store.require(frame({}, "command", whose), purpose, NOW)
                heeded = True
            except NotTrusted:
                heeded = False
            assert heeded == (str(whose.public) in named)


TestChain = Chain.TestCase
TestChain.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)


class LongerChain(Chain):
    """The same, for as long as there is time."""


TestLongerChain = pytest.mark.timeout(600)(pytest.mark.prove(LongerChain.TestCase))
TestLongerChain.settings = settings(max_examples=1500, stateful_step_count=40, deadline=None)
