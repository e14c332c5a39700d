"""The rule with one of its checks left out, for the test of the kit itself: each kind of attempt must get through somewhere.

A mutant is made of the source of the modules that decide: a piece of text replaced, the rest as it stands. A check that was
reworded is found missing here, so that this table always speaks of the rule in force.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from archipel_contract.link import envelope
from archipel_contract.trust import orders, store
from tests.chaos.hostile.gate import Rule

MODULES = {"envelope": envelope, "store": store, "orders": orders}


@dataclass(frozen=True)
class Mutant:
    """What is left out, as (module, text, text in its place), and the kinds that get through then."""

    leaves_out: str
    edits: tuple[tuple[str, str, str], ...]
    lets_in: tuple[str, ...]


def _never(module: str, condition: str) -> tuple[str, str, str]:
    return module, f"if {condition}:", f"if {condition} and False:"


_VERIFIED = "_verify(self._publics[key_id], payload, signature)"
_VERIFIED_ROOT = "_verify(known[signature.key_id], frame.payload, signature.value)"
_UNKNOWN_KEY = (
    'raise NotTrusted("message-untrusted", f"the key {key_id} is none of this fleet\'s")',
    "return self._keys[next(iter(self._keys))]",
)

MUTANTS = (
    Mutant(
        "that something is signed at all",
        (
            ("store", 'raise NotTrusted("message-unsigned", "it is not signed")', "return Signed(())"),
            _never("store", "holders < needed"),
        ),
        ("unsigned", "an acknowledgement nobody signed"),
    ),
    Mutant(
        "that the signing key is one of the fleet",
        (("store", *_UNKNOWN_KEY),),
        (
            "signed by a stranger",
            "signed by the key of a device",
            "of another fleet",
            "an acknowledgement of a stranger",
        ),
    ),
    Mutant(
        "that a signature belongs to the bytes",
        (("store", _VERIFIED, "pass"),),
        (
            "signed by a stranger under the name of a right key",
            "a signature over other bytes",
            "one bit of the payload changed",
            "one bit of the signature changed",
        ),
    ),
    Mutant(
        "that a root's signature belongs to the bytes",
        (("store", _VERIFIED_ROOT, "pass"),),
        ("signed by a stranger under the name of a right key", "a signature over other bytes"),
    ),
    Mutant(
        "what a key may do", (_never("store", "not key.permits(purpose)"),), ("a key that may not do this",)
    ),
    Mutant(
        "what a second key may do",
        (_never("store", "not key.permits(purpose)"),),
        ("a second signature of a key that may not",),
    ),
    Mutant(
        "for which sites a key is",
        (_never("store", "key.sites and site_id not in key.sites"),),
        ("a key for other sites",),
    ),
    Mutant(
        "that a key was revoked",
        (_never("store", "key_id in self.document.revoked"),),
        ("a revoked key", "a revoked key beside a good one"),
    ),
    Mutant(
        "when a key ends",
        (_never("store", "key.expires != FOREVER and key.expires <= (floor if now is None else now)"),),
        ("an expired key", "a key that surely ended though the clock is unsure"),
    ),
    Mutant(
        "when a key begins",
        (_never("store", "now is not None and now < key.not_before"),),
        ("a key that is not valid yet",),
    ),
    Mutant(
        "how many signatures are needed",
        (_never("store", "holders < needed"),),
        ("one signature where two are needed", "one key twice where two are needed"),
    ),
    Mutant(
        "that one holder counts once",
        (
            ("store", "tuple(dict.fromkeys(found))", "tuple(found)"),
            ("store", "len({one.holder for one in signed.keys})", "len(signed.keys)"),
        ),
        ("one key twice where two are needed", "two keys of one holder where two are needed"),
    ),
    Mutant(
        "what was done already",
        (
            _never("orders", "read.id in standing.known"),
            _never("orders", "read.counter <= standing.counter"),
        ),
        ("replayed",),
    ),
    Mutant(
        "the counter",
        (_never("orders", "read.counter <= standing.counter"),),
        ("held back until a later one was done",),
    ),
    Mutant(
        "how far a counter may leap",
        (_never("orders", "read.counter - standing.counter > COUNTER_STEP"),),
        ("a counter near the end of all numbers",),
    ),
    Mutant("the audience", (_never("orders", "read.node != standing.node_id"),), ("for another device",)),
    Mutant("the site", (_never("orders", "read.site_id != standing.site_id"),), ("for another site",)),
    Mutant("the expiry", (_never("orders", "now >= read.expires"),), ("expired",)),
    Mutant("the time of issue", (_never("orders", "now < read.issued - SKEW"),), ("from the future",)),
    Mutant(
        "freshness without a clock",
        (("orders", "if now is None and read.nonce:", "if now is None:"),),
        ("without the nonce where the clock is unsure",),
    ),
    Mutant(
        "whose nonce it is",
        (_never("orders", "read.nonce and read.nonce != standing.nonce"),),
        ("with the nonce of another connection",),
    ),
    Mutant(
        "the generation",
        (
            ("orders", "if read.generation == standing.generation:", "if False:"),
            ("orders", "is_return = read.generation < standing.generation", "is_return = False"),
        ),
        ("a document of an older generation",),
    ),
    Mutant(
        "that a forced return is no older one",
        (
            _never("orders", "is_return and read.issued <= max(standing.forced, standing.issued)"),
            _never("orders", "read.issued < standing.forced"),
        ),
        ("a forced return replayed",),
    ),
    Mutant(
        "what was before a forced return",
        (_never("orders", "read.issued < standing.forced"),),
        ("a document of before a forced return",),
    ),
    Mutant(
        "the type of a message",
        (_never("orders", 'envelope.type != "command"'), _never("orders", 'envelope.type != "document"')),
        ("genuine on the wrong channel",),
    ),
    Mutant(
        "the version of the trust document",
        (
            (
                "store",
                "if document.version < self.document.version or (\n"
                "            document.version == self.document.version and document != self.document\n"
                "        ):",
                "if False:",
            ),
        ),
        ("trust rolled back", "trust forked"),
    ),
    Mutant(
        "that the roots before signed the trust document",
        (("store", "_require(frame, self.document.roots, self.document.threshold)", "pass"),),
        ("trust signed by itself",),
    ),
    Mutant(
        "whose trust document it is",
        (
            _never("store", "document.fleet_id != self.document.fleet_id"),
            ("store", "_require(frame, self.document.roots, self.document.threshold)", "pass"),
        ),
        ("trust of another fleet",),
    ),
    Mutant(
        "the threshold",
        (_never("store", "len(good) < threshold"),),
        (
            "trust below the threshold",
            "trust with a lower threshold of its own",
            "trust signed by the controller",
            "trust whose new roots did not sign",
        ),
    ),
    Mutant(
        "that the new roots signed too",
        (
            (
                "store",
                "_require(frame, document.roots, document.threshold)\n        return self if",
                "return self if",
            ),
        ),
        ("trust whose new roots did not sign",),
    ),
    Mutant(
        "whom an acknowledgement is for",
        (_never("orders", "ack.node != standing.node_id"),),
        ("an acknowledgement for another node",),
    ),
    Mutant(
        "the size of a frame", (("envelope", "FRAME_LIMIT = 1 << 20", "FRAME_LIMIT = 1 << 24"),), ("a bomb",)
    ),
    Mutant(
        "that a payload may be no JSON",
        (("envelope", "except (ValueError, RecursionError) as error:", "except KeyError as error:"),),
        ("rubbish",),
    ),
)


class CheckMoved(Exception):
    """The rule does not have this check in these words any more: the table of mutants has to follow."""


def rule(mutant: Mutant) -> Rule:
    """Return the weakened rule; raise CheckMoved."""
    made: dict[str, ModuleType] = {}
    for name in dict.fromkeys(module for module, _, _ in mutant.edits):
        source = Path(str(MODULES[name].__file__)).read_text()
        for module, text, instead in mutant.edits:
            if module == name and text not in source:
                raise CheckMoved(f"{MODULES[name].__file__} has no {text!r} for {mutant.leaves_out}")
            source = source.replace(text, instead) if module == name else source
        made[name] = _module(name, source)
    return Rule(**made)


def _module(name: str, source: str) -> ModuleType:
    """Run a weakened source as a module of its own; what it imports is the real thing."""
    module = ModuleType(f"weakened_{name}")
    sys.modules[module.__name__] = module  # dataclasses look their module up while they are made
    try:
        exec(compile(source, module.__name__, "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]
    return module
