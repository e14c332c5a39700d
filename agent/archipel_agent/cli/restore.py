"""`archipel restore`: makes this machine the site of a backup, on new hardware or in place of what lived here."""

import argparse

from archipel_agent.cli import command
from archipel_agent.cli.backup import absolute
from archipel_agent.cli.bundle import given as given_bundle
from archipel_agent.cli.command import Session
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.follow import Value, run_job
from archipel_agent.cli.reader import reader
from archipel_agent.cli.recovery_key import key_file
from archipel_agent.cli.up import file_or_version, show_plan, sources, there
from archipel_contract.adoption import Difference
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
    sources(made.add_argument)
    made.add_argument(
        "--aside", action="store_true", help="a site that lives here is moved aside, and kept, first"
    )
    made.add_argument(
        "--drop-settings",
        action="store_true",
        help="of an adopted k3s: go without the settings that cannot be carried over",
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
    if given.drop_settings:
        options["drop_settings"] = True
    with key_file(session, given.from_key) as key:
        options["key_file"] = str(key)
        if given.plan:
            plan = reader(session).plan(JobRequest(verb=Verb.RESTORE, options=options))
            if not session.screen.as_json:
                _show_settings(session, plan.drift)
            return show_plan(session, plan, "restore")
        ensure_agent(session, "restore")
        _ask(session, options)
        return run_job(session, Verb.RESTORE, options)


def _show_settings(session: Session, drift: tuple[Difference, ...]) -> None:
    """Show which settings of a k3s that was adopted become others, each with what follows."""
    if not drift:
        return
    screen = session.screen
    screen.line(f"This k3s was adopted; here Archipel sets k3s up, and {len(drift)} settings become others:")
    for one in drift:
        screen.line(f"  {one.name}: was {one.present or 'not set'}, becomes {one.wanted or 'not set'}")
        screen.line(f"      {one.means}")
    screen.line()


def _ask(session: Session, options: dict[str, Value]) -> None:
    """Have a person confirm who sits there; raise Stop when they do not."""
    if not session.interactive or session.options.yes:
        return
    if str(options["source"]).startswith("/"):  # from a server the whole backup would be fetched twice
        plan = reader(session).plan(JobRequest(verb=Verb.RESTORE, options=options))
        _show_settings(session, plan.drift)
    session.screen.note("This machine becomes that site. The old one must never run again with its old disk.")
    command.agreed()
