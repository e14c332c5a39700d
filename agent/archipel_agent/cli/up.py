"""`archipel up`: makes this machine a one-node site, or finishes what was begun. Asks where the machine leaves a choice."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from archipel_agent.cli import command
from archipel_agent.cli.bundle import given as given_bundle
from archipel_agent.cli.choose import ask_interface
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.follow import Value, run_job
from archipel_agent.cli.output import Mark, duration, size
from archipel_agent.cli.reader import Reader, Remote, reader
from archipel_agent.service import Refused
from archipel_contract.catalogue import finding
from archipel_contract.client import ApiRefused
from archipel_contract.exits import Exit
from archipel_contract.findings import Severity
from archipel_contract.jobs import BackupContents, JobRequest, Plan, Verb
from archipel_contract.site import COMPONENTS, DEFAULT_COMPONENTS, Hardening, SiteDocument

VERSION = re.compile(r"v?\d+\.\d+\.\d+\+k3s\d+")
TEXTS = ("name", "node_name", "node_ip", "interface", "cluster_cidr", "service_cidr")

EXAMPLES = """\
  sudo archipel up
  sudo archipel up --name "Halle 3" --interface eth0
  sudo archipel up --k3s /media/usb/k3s --images /media/usb/k3s-airgap-images-amd64.tar.zst
  sudo archipel up --cluster-cidr 10.52.0.0/16 --service-cidr 10.53.0.0/16
  sudo archipel up --bundle /media/usb
  archipel up --plan --hardening strict
  archipel up --plan"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("up", EXAMPLES)
    site = made.add_argument_group("the site")
    site.add_argument("--name", metavar="TEXT", help="name of the site, as people know it")
    site.add_argument(
        "--node-name", metavar="NAME", help="name of this node in Kubernetes (default: the hostname)"
    )
    site.add_argument("--node-ip", metavar="ADDRESS", help="address of this node")
    site.add_argument("--interface", metavar="NAME", help="network interface the node uses")
    site.add_argument("--cluster-cidr", metavar="CIDR", help="network of the pods (default: 10.42.0.0/16)")
    site.add_argument(
        "--service-cidr", metavar="CIDR", help="network of the services (default: 10.43.0.0/16)"
    )
    known = ", ".join(COMPONENTS)
    for flag, what in (("--component", "run this part of k3s too"), ("--no-component", "do without it")):
        site.add_argument(
            flag, action="append", default=[], choices=COMPONENTS, metavar="NAME", help=f"{what}: {known}"
        )
    site.add_argument(
        "--hardening",
        choices=tuple(Hardening),
        help="how far the site is hardened (default: standard, or as it is); strict breaks common charts, see --plan",
    )
    k3s = made.add_argument_group("k3s")
    sources(k3s.add_argument)
    how = made.add_argument_group("how")
    how.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    how.add_argument("--yes", action="store_true", help="ask nothing")
    how.add_argument("--no-wait", action="store_true", help="return once the job has begun")
    how.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="stop watching after this time; the job goes on"
    )
    return made


def sources(add: Callable[..., object]) -> None:
    """Add the options that say where k3s and its images come from, for every command that sets k3s up."""
    add("--k3s", metavar="FILE|VERSION", help="the k3s to run (default: the one on PATH)")
    add("--images", action="append", default=[], metavar="PATH", help="image archive, or a directory of them")
    add(
        "--bundle",
        metavar="FILE|DIRECTORY",
        help="take k3s, images and objects from this bundle; needs no network",
    )
    add("--allow-older", action="store_true", help="take the bundle although a newer one was here (audited)")


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _up, arguments)


def seconds(text: str) -> float:
    """Return a positive number of seconds; raise what argparse shows."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value


def _up(session: Session) -> int:
    if session.options.plan:
        asked = reader(session)
        return show_plan(session, asked.plan(JobRequest(verb=Verb.UP, options=wishes(session, asked))))
    ensure_agent(session, "up")
    asked = Remote(session.client)
    options = wishes(session, asked)
    if session.interactive and not session.options.yes and session.options.hardening == Hardening.STRICT:
        _confirm_strict(session, asked)
    if session.interactive and not session.options.yes and not {"interface", "node_ip"} & set(options):
        options |= ask_interface(session, asked)
    return run_job(
        session, Verb.UP, options, timeout=session.options.timeout, wait=not session.options.no_wait
    )


def _confirm_strict(session: Session, asked: Reader) -> None:
    """Say what it breaks, and go on only by a person's word; raise Stop. Nothing to ask where it is so already."""
    site = _site(asked)
    if site is not None and site.hardening is Hardening.STRICT:
        return
    session.screen.finding(finding("hardening-strict"))
    command.agreed()


def wishes(session: Session, asked: Reader) -> dict[str, Value]:
    """Return the job's options: those that were given."""
    given = session.options
    options: dict[str, Value] = {name: value for name in TEXTS if (value := getattr(given, name)) is not None}
    if given.k3s is not None:
        options["k3s"] = file_or_version(given.k3s)
    if given.images:
        options["images"] = [str(there(path)) for path in given.images]
    if given.bundle is not None:
        options |= given_bundle(given.bundle, given.allow_older)
    if getattr(given, "hardening", None):
        options["hardening"] = given.hardening
    if given.component or given.no_component:
        options["components"] = _components(session, asked)
    return options


def file_or_version(text: str) -> str:
    """Return what `--k3s` names: a version, or the path of a file; raise Stop."""
    if VERSION.fullmatch(text) and not Path(text).exists():
        return text if text.startswith("v") else f"v{text}"
    if not Path(text).exists():
        raise Stop(Exit.USAGE, f"--k3s: {text!r} is neither a file here nor a version such as v1.36.3+k3s1")
    return str(there(text))


def there(text: str) -> Path:
    """Return the path of something that is there; raise Stop."""
    path = Path(text).absolute()  # the agent has another working directory
    if not path.exists():
        raise Stop(Exit.USAGE, f"there is no {path}")
    return path


def _components(session: Session, asked: Reader) -> list[str]:
    site = _site(asked)
    wanted = set(site.components if site else DEFAULT_COMPONENTS)
    wanted |= set(session.options.component)
    return sorted(wanted - set(session.options.no_component))


def _site(asked: Reader) -> SiteDocument | None:
    try:
        return asked.site()
    except (ApiRefused, Refused) as refused:
        if refused.status == 404:
            return None
        raise


def _show_backup(session: Session, held: BackupContents) -> None:
    """Show what the beginning of a backup says of it."""
    age = (
        f"{duration(held.age_seconds)} ago"
        if held.age_seconds is not None
        else "ahead of this machine's clock"
    )
    brought = "the bundle's would be used" if session.options.bundle else "the backup's own would be fetched"
    kept = held.k3s_here or brought
    screen = session.screen
    screen.line(
        "This backup opens. Whether all of it is whole is seen when it is restored, or by archipel backup verify."
    )
    screen.table(
        [
            ["site", f"{held.site_name} ({held.site_id}), node {held.node_name}"],
            ["backup", f"{held.sequence}, made {held.made_at}, {age} (its clock: {held.clock.value})"],
            ["k3s", f"{held.k3s_version}, datastore {held.datastore}, {held.architecture}; here: {kept}"],
            ["archipel", held.agent_version],
            ["content", f"{size(held.size)} laid out, volumes: {', '.join(held.volumes) or 'none'}"],
            ["left out", ", ".join(held.left_out) or "nothing"],
        ]
    )
    screen.line()


def show_plan(session: Session, plan: Plan, word: str = "up") -> int:
    """Show what a job would do, and return the exit code."""
    problems = [one for one in plan.findings if one.severity is Severity.PROBLEM]
    screen = session.screen
    if screen.as_json:
        screen.data(plan)
        return Exit.REFUSED if problems else Exit.OK
    if plan.backup is not None:
        _show_backup(session, plan.backup)
    screen.line(f"Nothing has been changed. `archipel {word}` would:")
    for step in plan.steps:
        mark = screen.mark(Mark.NOW if step.needed else Mark.GOOD)
        tail = f"  {step.said}" if step.said else "" if step.needed else "  nothing to do"
        screen.line(f"{mark} {step.title}{tail}")
    for one in plan.findings:
        screen.line()
        screen.finding(one)
    return Exit.REFUSED if problems else Exit.OK
