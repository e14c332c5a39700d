"""`archipel enrol --request`, `--vouch` and `--leave`: a machine of a site that is in the fleet already, and the way out.

Called by `enrol`. Request and voucher travel as files, on a stick for example; neither of them is secret.
"""

import os
from collections.abc import Callable
from pathlib import Path

from archipel_agent.cli.command import Session, Stop, agreed
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.output import Mark
from archipel_contract.api import VoucherGiven, VoucherRequest, VoucherWish
from archipel_contract.exits import Exit
from archipel_contract.status import EnrolmentStatus
from archipel_contract.wire import WireError, from_json, to_json

REQUEST_LIMIT = 10_000  # bytes of a request's file


def _request(session: Session) -> Exit:
    """Write this machine's request."""
    ensure_agent(session, "enrol")
    made: VoucherRequest = session.client.call("voucher_request")
    _write(Path(session.options.request), to_json(made).decode())
    if session.screen.as_json:
        session.screen.data(made)
        return Exit.OK
    session.screen.line(f"{session.screen.mark(Mark.GOOD)} Written to {session.options.request}. Next:")
    name = os.path.basename(session.options.request)
    session.screen.line(f"    on a node of the site:  sudo archipel enrol --vouch {name} --out voucher")
    session.screen.line("    here again:             sudo archipel enrol --token-file voucher")
    return Exit.OK


def _vouch(session: Session) -> Exit:
    """Vouch for the machine whose request it is."""
    wish = VoucherWish(request=_read(session.options.vouch))
    given: VoucherGiven = session.client.call("vouch", wish)
    text = f"# Voucher for {given.node_id}, good for seven days: sudo archipel enrol --token-file FILE\n{given.link}"
    if session.options.out:
        _write(Path(session.options.out), text)
    if session.screen.as_json:
        session.screen.data(given)
    elif not session.options.out:
        session.screen.line(text)
    else:
        known = wish.request.hostname or given.node_id
        session.screen.line(
            f"{session.screen.mark(Mark.GOOD)} This machine vouches for {known}. Next, there:"
        )
        session.screen.line(f"    sudo archipel enrol --token-file {session.options.out}")
    return Exit.OK


def _leave(session: Session) -> Exit:
    """Leave the fleet, once somebody has said so."""
    screen = session.screen
    if not session.options.yes:
        if not session.interactive:
            raise Stop(Exit.USAGE, "to leave the fleet without being asked: archipel enrol --leave --yes")
        screen.line(
            "The fleet sees and reaches this machine no more; its keys here are wiped, k3s and its pods run on."
        )
        agreed()
    status: EnrolmentStatus = session.client.call("leave_fleet")
    if screen.as_json:
        screen.data(status)
    else:
        screen.line(
            f"{screen.mark(Mark.GOOD)} This machine belongs to no fleet any more; its cluster runs on."
        )
        screen.line("  At the fleet, so that it is not waited for: archipel fleet decommission NAME")
    return Exit.OK


WORK: dict[str, Callable[[Session], Exit]] = {"--request": _request, "--vouch": _vouch, "--leave": _leave}


def _read(name: str) -> VoucherRequest:
    try:
        with open(name, "rb") as file:
            return from_json(VoucherRequest, file.read(REQUEST_LIMIT))
    except OSError as error:
        raise Stop(Exit.USAGE, f"{name} cannot be read: {error.strerror or error}") from error
    except WireError as error:
        raise Stop(
            Exit.USAGE, f"{name} is no request of a machine: archipel enrol --request FILE makes one"
        ) from error


def _write(path: Path, text: str) -> None:
    from archipel_agent.host.disk import SystemDisk

    try:
        SystemDisk().write(path.absolute(), f"{text}\n".encode(), 0o644)
    except OSError as error:
        raise Stop(Exit.FAILED, f"{path} cannot be written: {error.strerror or error}") from error
