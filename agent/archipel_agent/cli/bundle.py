"""`archipel bundle`: builds, checks, shows and imports bundles, the sets of files with which a machine needs no network."""

import argparse
from pathlib import Path

from archipel_agent.cli import bundle_building, bundle_looking, command
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.follow import Value, run_job
from archipel_contract.exits import Exit
from archipel_contract.jobs import Verb

EXAMPLES = """\
  archipel bundle key new release.key
  archipel bundle build --k3s k3s --images images/ --key release.key -o edge.archipel-bundle
  archipel bundle verify edge.archipel-bundle --key release.key.pub
  archipel bundle show edge.archipel-bundle
  sudo archipel bundle import /media/usb
  archipel bundle list"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command with those of its words."""
    made = command.parser("bundle", EXAMPLES, plain=True)
    words = made.add_subparsers(dest="word", metavar="WORD", required=True)
    bundle_building.add_words(words)
    bundle_looking.add_words(words)
    take = words.add_parser("import", help="take a bundle onto this machine", allow_abbrev=False)
    take.add_argument(
        "path", metavar="FILE|DIRECTORY", help="a bundle, or a directory with some: the newest that fits"
    )
    take.add_argument(
        "--allow-older", action="store_true", help="take it although a newer one was here (audited)"
    )
    command.common(take)
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _bundle, arguments)


def _bundle(session: Session) -> int:
    if session.options.word == "import":
        return _import(session)
    work = {**bundle_building.WORDS, **bundle_looking.WORDS}[session.options.word]
    return work(session)


def _import(session: Session) -> int:
    options = given(session.options.path, session.options.allow_older)
    ensure_agent(session, "bundle")
    return run_job(session, Verb.IMPORT, options)


def given(text: str, allow_older: bool) -> dict[str, Value]:
    """Return the options of a job that takes a bundle; raise Stop where nothing is there."""
    path = Path(text).absolute()  # the agent has another working directory
    if not path.exists():
        raise Stop(Exit.USAGE, f"there is no {path}")
    options: dict[str, Value] = {"bundle": str(path)}
    if allow_older:
        options["allow_older"] = True
    return options
