"""Commands that change one thing in the trust document: rotate, delegate, revoke.

Each says what the next version is to be; how that gets its signatures and comes into force is told in `keys_proposing`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

import typer

from archipel_contract.trust.keys import (
    PrivateKey,
    SoftwareSigner,
    new_device_key,
    new_fleet_key,
)
from archipel_contract.trust_document import FOREVER, Delegation, KeyRole, TrustDocument
from archipel_fleet.cli import complete
from archipel_fleet.cli.command import Session, add
from archipel_fleet.cli.keys_dialog import opened, refusals
from archipel_fleet.cli.keys_proposing import Changing, change
from archipel_fleet.host.clock import SystemClock
from archipel_fleet.trust import authoring, founding, keyfile
from archipel_fleet.trust.keyring import FleetKeys

ROTATE = """\
Exchange the controller's key, the CA, or roots.

controller: a new key takes the place of the old one; --compromised also revokes the old one for ever.
ca: a new CA issues from now on; the old one stays trusted until it is taken out with --remove PIN, once no device uses it.
roots: --add and --remove them; roots of before and roots of after must both sign.

For two of three roots on different machines: make two more (`archipel fleet keys new`), add both with --threshold 2 and
--out, have each sign the file, and accept it.

Examples:

  archipel fleet keys rotate controller --key root.pem

  archipel fleet keys rotate ca

  archipel fleet keys rotate roots --add ed25519:AAAA... --add ed25519:BBBB... --threshold 2 --out next.trust
"""
DELEGATE = """\
Let a key do something: talk (welcome devices), document (site documents), command:VERB, or command:* for all; or bundle.

The key is the line that `archipel fleet keys new` printed. The same key again replaces what it was allowed before. What
needs two signatures needs keys of two different names, or of a person and the controller.

A key for bundles is the public file (.pub) that `archipel bundle key new` or minisign wrote. Every device of the fleet then
takes bundles signed by it, until it is revoked or its time is over, and that holds for older bundles too.

Examples:

  archipel fleet keys delegate ed25519:AAAA... --name nora --may command:logs --may command:restart --days 365

  archipel fleet keys delegate ed25519:AAAA... --name otto --may 'command:*' --site s-7k2m9qxf04hvd1et

  archipel fleet keys delegate release.key.pub --name releases --may bundle --days 730
"""
REVOKE = """\
Revoke a key: devices heed it no more once they have heard of it, and it can never come back.

Examples:

  archipel fleet keys revoke k-7k2m9qxf04hvd1et --key root.pem
"""


class Part(StrEnum):
    """What can be exchanged."""

    CONTROLLER = "controller"
    CA = "ca"
    ROOTS = "roots"


@dataclass(frozen=True, kw_only=True)
class RotateOptions(Changing):
    """Options of `keys rotate`."""

    part: Annotated[Part, typer.Argument(help="What to exchange.")]
    add: Annotated[
        list[str] | None,
        typer.Option("--add", metavar="PUBLIC-KEY", help="roots: one more; may be repeated."),
    ] = None
    remove: Annotated[
        list[str] | None,
        typer.Option(
            "--remove", metavar="KEY-ID|PIN", help="roots: one that goes; ca: the pin of one that goes."
        ),
    ] = None
    threshold: Annotated[int, typer.Option("--threshold", help="roots: how many must sign from then on.")] = 0
    compromised: Annotated[
        bool, typer.Option("--compromised", help="controller: revoke the old key, as somebody may have it.")
    ] = False
    days: Annotated[
        int, typer.Option("--days", min=0, help="controller: how long it is good; 0: no end.")
    ] = 0


@dataclass(frozen=True, kw_only=True)
class DelegateOptions(Changing):
    """Options of `keys delegate`."""

    public: Annotated[
        str,
        typer.Argument(metavar="PUBLIC-KEY|FILE", help="As `keys new` prints it; for bundles a .pub file."),
    ]
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Whose key it is.")]
    may: Annotated[
        list[str],
        typer.Option("--may", metavar="WHAT", help="talk, document, bundle, command:VERB or command:*."),
    ]
    role: Annotated[KeyRole, typer.Option("--role", help="A person's or a controller's.")] = KeyRole.OPERATOR
    site: Annotated[
        list[str] | None,
        typer.Option("--site", metavar="SITE-ID", help="Only for this site; may be repeated."),
    ] = None
    days: Annotated[int, typer.Option("--days", min=0, help="How long it is good; 0: no end.")] = 365


@dataclass(frozen=True, kw_only=True)
class RevokeOptions(Changing):
    """Options of `keys revoke`."""

    key_id: Annotated[
        str,
        typer.Argument(
            metavar="KEY-ID", help="The key, as `keys show` names it.", autocompletion=complete.keys
        ),
    ]


def register(group: typer.Typer) -> None:
    """Add the commands to the group `keys`."""
    add(group, "rotate", RotateOptions, rotate, ROTATE)
    add(group, "delegate", DelegateOptions, delegate, DELEGATE)
    add(group, "revoke", RevokeOptions, revoke, REVOKE)


def rotate(session: Session[RotateOptions]) -> int:
    """Exchange the controller's key, the CA, or roots."""
    given = session.options
    with refusals(session):
        keys = opened(session)
        document, fresh = _rotated(given, keys)
        return change(session, keys, document, fresh)


def _rotated(given: RotateOptions, keys: FleetKeys) -> tuple[TrustDocument, list[PrivateKey]]:
    """Return the changed document, and the private keys this machine needs with it."""
    document = keys.trust.document
    if given.part is Part.ROOTS:
        return authoring.with_roots(document, given.add or (), given.remove or (), given.threshold), []
    if given.part is Part.CA:
        for one in given.remove or ():
            document = authoring.without_authority(document, one)
        if given.remove:
            return document, []
        ca = new_device_key()
        made = founding.authority_for(ca, document.name, founding.dated(SystemClock()))
        return authoring.with_authority(document, made.pem.decode()), [ca]
    old = keys.signer.key_id
    controller = new_fleet_key()
    changed = authoring.without_key(document, old)
    if given.compromised:
        changed = replace(changed, revoked=(*changed.revoked, old))
    made_key = authoring.controller(SoftwareSigner(controller).public, _until(given.days))
    return authoring.delegated(changed, made_key), [controller]


def delegate(session: Session[DelegateOptions]) -> int:
    """Let a key do something."""
    given = session.options
    with refusals(session):
        keys = opened(session)
        delegation = Delegation(
            public=keyfile.public(given.public),
            name=given.name,
            role=given.role,
            may=tuple(given.may),
            sites=tuple(given.site or ()),
            expires=_until(given.days),
        )
        return change(session, keys, authoring.delegated(keys.trust.document, delegation), [])


def revoke(session: Session[RevokeOptions]) -> int:
    """Revoke a key."""
    with refusals(session):
        keys = opened(session)
        wanted = session.options.key_id
        if wanted == keys.signer.key_id:
            raise authoring.ChangeRefused(
                "this is the controller's own key; exchange it: archipel fleet keys rotate controller --compromised"
            )
        return change(session, keys, authoring.revoked(keys.trust.document, wanted), [])


def _until(days: int) -> int:
    return SystemClock().now() + days * 86_400_000 if days else FOREVER
