"""The next version of a trust document, signed by the roots that lie in the directory; and keys for it."""

from archipel_contract.link.envelope import Frame
from archipel_contract.trust.keys import SoftwareSigner, new_fleet_key
from archipel_contract.trust_document import Delegation, KeyRole, TrustDocument
from archipel_fleet.trust import authoring
from archipel_fleet.trust.keyring import FleetKeys

AT = 1_790_000_000_000


def operator(name: str = "nora", public: str = "", may: tuple[str, ...] = ("command:logs",)) -> Delegation:
    """What a document could say of a person's key; a new one unless one is given."""
    key = public or str(SoftwareSigner(new_fleet_key()).public)
    return Delegation(public=key, name=name, role=KeyRole.OPERATOR, may=may)


def next_version(keys: FleetKeys, changed: TrustDocument | None = None) -> Frame:
    """The version after the one in force, signed; with one operator more unless another change is given."""
    before = keys.trust.document
    after = authoring.successor(before, changed or authoring.delegated(before, operator()))
    frame = authoring.draft(after, AT)
    for root in keys.roots:
        frame = authoring.countersigned(frame, root)
    return frame
