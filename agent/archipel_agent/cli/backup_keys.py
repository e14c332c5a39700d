"""`archipel backup key`: a recovery key is made here, shown once, and only its public half is kept."""

from archipel_agent.backup.recipients import add_recipient, known_recipients, recipients_file
from archipel_agent.cli.command import Session, Stop
from archipel_agent.compose import settings_or_defaults
from archipel_agent.host.disk import SystemDisk
from archipel_contract.exits import Exit
from archipel_contract.trust.sealing import RecipientInvalid, checked_recipient, new_recovery_key

GROUP = 6
KEEP = """\
This is the secret half. It is shown once and kept nowhere on this machine.
  Print it or write it down, and store it where neither this box nor its thief can reach it: a safe, the office.
  Whoever has it can read every backup of this site. Whoever loses it can restore none.
  As a file it is one line; the groups below are the same text, for typing. Case and blanks do not matter."""


def keys(session: Session) -> int:
    """Make, add or list recovery keys."""
    what, given = session.options.what, session.options.recipient
    if (what == "add") != bool(given):
        raise Stop(Exit.USAGE, "name a recipient (age1...) with `add`, and only there")
    try:
        if what == "list":
            return _list(session)
        return _new(session) if what == "new" else _add(session, given)
    except RecipientInvalid as error:
        raise Stop(Exit.USAGE, str(error)) from error
    except OSError as error:
        raise Stop(Exit.NOT_PERMITTED, f"{error.filename}: {error.strerror}; use sudo") from error


def _new(session: Session) -> int:
    made = new_recovery_key()
    add_recipient(made.recipient, "made here by archipel backup key new", session.paths, SystemDisk())
    screen = session.screen
    if screen.as_json:
        screen.data({"secret": made.secret, "recipient": made.recipient})
        return Exit.OK
    screen.line(f"# Archipel recovery key, public half {made.recipient}")
    screen.line(made.secret)
    screen.note("")
    screen.note(KEEP)
    screen.note("")
    groups = [made.secret[at : at + GROUP] for at in range(0, len(made.secret), GROUP)]
    for start in range(0, len(groups), 4):
        screen.note("    " + "  ".join(groups[start : start + 4]))
    screen.note("")
    screen.note(
        f"The public half is in {recipients_file(session.paths)}. Next: sudo archipel backup now --to PLACE"
    )
    return Exit.OK


def _add(session: Session, given: str) -> int:
    recipient = checked_recipient(given)
    add_recipient(recipient, "added by archipel backup key add", session.paths, SystemDisk())
    if session.screen.as_json:
        session.screen.data({"recipient": recipient})
    else:
        session.screen.line(f"Backups are also sealed for {recipient} from now on.")
    return Exit.OK


def _list(session: Session) -> int:
    settings, _ = settings_or_defaults(session.paths)
    known = known_recipients(settings.backup_recipients, session.paths, SystemDisk())
    if session.screen.as_json:
        session.screen.data({"recipients": list(known.owner), "fleet": list(known.fleet)})
    elif known.all:
        for one in known.owner:
            session.screen.line(one)
        for one in known.fleet:
            session.screen.line(f"{one}  (the fleet's)")
    else:
        session.screen.note(
            "No recovery key is known here, so no backup can be made: sudo archipel backup key new"
        )
    return Exit.OK if known.all else Exit.NOT_OK
