"""`archipel restore`: makes this machine the site of a backup, on new hardware or in place of what lived here."""

import argparse

from archipel_agent.cli import command
from archipel_agent.cli.backup import absolute
from archipel_agent.cli.bundle import given as given_bundle
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.follow import Value, run_job
from archipel_agent.cli.reader import reader
from archipel_agent.cli.recovery_key import key_file
from archipel_agent.cli.up import file_or_version, show_plan, there
from archipel_contract.exits import Exit
from archipel_contract.jobs import JobRequest, Verb

EXAMPLES = """\
  sudo archipel restore /media/usb/backups --from-key /media/safe/recovery.key
  sudo archipel restore /media/usb/backups --from-key /media/safe/recovery.key --plan
  sudo archipel restore /media/usb/backups --from-key /media/usb/recovery.key --bundle /media/usb
  sudo archipel restore sftp://backup@nas/sites --site s-4q7f --from-key recovery.key
  sudo archipel restore backup.tar.gz.age --from-key - --k3s /media/usb/k3s --images /media/usb/images"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("restore", EXAMPLES)
    made.add_argument(
        "source", metavar="SOURCE", help="a backup's file, or where backups are: the newest counts"
    )
    made.add_argument("--from-key", metavar="FILE", help="file with the secret recovery key; - to type it")
    made.add_argument("--site", metavar="ID", help="whose backup, where SOURCE holds several sites'")
    made.add_argument("--node-ip", metavar="ADDRESS", help="address of this node, where it has several")
    made.add_argument("--interface", metavar="NAME", help="network interface the node uses")
    made.add_argument("--k3s", metavar="FILE|VERSION", help="the k3s to run (default: the one on PATH)")
    made.add_argument(
        "--images", action="append", default=[], metavar="PATH", help="image archive, or a directory of them"
    )
    made.add_argument(
        "--bundle",
        metavar="FILE|DIRECTORY",
        help="take k3s, images and objects from this bundle; needs no network",
    )
    made.add_argument(
        "--allow-older", action="store_true", help="take the bundle although a newer one was here (audited)"
    )
    made.add_argument(
        "--aside", action="store_true", help="a site that lives here is moved aside, and kept, first"
    )
    made.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    made.add_argument("--yes", action="store_true", help="ask nothing")
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _restore, arguments)


def _restore(session: Session) -> int:
    given = session.options
    options: dict[str, Value] = {"source": absolute(given.source)}
    options |= {name: value for name in ("site", "node_ip", "interface") if (value := getattr(given, name))}
    if given.k3s is not None:
        options["k3s"] = file_or_version(given.k3s)
    if given.images:
        options["images"] = [str(there(path)) for path in given.images]
    if given.bundle is not None:
        options |= given_bundle(given.bundle, given.allow_older)
    if given.aside:
        options["aside"] = True
    with key_file(session, given.from_key) as key:
        options["key_file"] = str(key)
        if given.plan:
            return show_plan(
                session, reader(session).plan(JobRequest(verb=Verb.RESTORE, options=options)), "restore"
            )
        ensure_agent(session, "restore")
        _ask(session)
        return run_job(session, Verb.RESTORE, options)


def _ask(session: Session) -> None:
    """Have a person confirm who sits there; raise Stop when they do not."""
    if not session.interactive or session.options.yes:
        return
    session.screen.note("This machine becomes that site. The old one must never run again with its old disk.")
    session.screen.note("Go on? [y/N]")
    if input().strip().lower() not in ("y", "yes", "j", "ja"):
        raise Stop(Exit.CANCELLED, "nothing was changed")
