"""`archipel accept`: measures this hardware for a pilot, leads through the power-cut loop, and writes a signed report."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from archipel_agent.cli import command
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.output import Mark
from archipel_agent.cli.up import seconds
from archipel_contract.exits import Exit

if TYPE_CHECKING:
    from archipel_agent.acceptance.figures import Figure, Report

EXAMPLES = """\
  sudo archipel accept run                       every figure; ten minutes of them under full load
  sudo archipel accept run --quick               the same in half a minute, with fewer writes and a short load
  sudo archipel accept run --out /media/stick
  sudo archipel accept cut --rounds 10           pull the plug when told to; after each start type it again
  sudo archipel accept cut --seen 4711           the last number that was on the screen when the power went
  archipel accept verify /media/stick/acceptance.json

The report is signed with this machine's key where it is enrolled, and lies beside a text to print. A figure that this
machine cannot tell is not measurable here, never good. The processors are busy for a while; pods run on meanwhile."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command with those of its words."""
    made = command.parser("accept", EXAMPLES, plain=True)
    words = made.add_subparsers(dest="word", metavar="WORD", required=True)
    one = words.add_parser("run", help="measure, and write the signed report", allow_abbrev=False)
    one.add_argument("--quick", action="store_true", help="fewer writes and a short load; the report says so")
    one.add_argument(
        "--load",
        type=seconds,
        default=600.0,
        metavar="SECONDS",
        help="how long under full load (default: 600)",
    )
    one.add_argument(
        "--out", metavar="DIRECTORY", default=".", help="where acceptance.json and acceptance.txt go"
    )
    command.common(one)
    one = words.add_parser("cut", help="the power-cut loop, a hand on the plug", allow_abbrev=False)
    one.add_argument(
        "--rounds",
        type=_rounds,
        default=10,
        metavar="N",
        help="how many cuts (default: 10); set by the first",
    )
    one.add_argument("--seen", type=int, metavar="NUMBER", help="the last number seen before the power went")
    one.add_argument("--check", action="store_true", help="judge the last cut, and begin no further round")
    one.add_argument("--forget", action="store_true", help="forget all rounds and begin anew another time")
    command.common(one)
    one = words.add_parser("verify", help="check the signature of a report and show it", allow_abbrev=False)
    one.add_argument("file", metavar="FILE", help="the acceptance.json of a machine")
    one.add_argument(
        "--authority",
        metavar="FILE",
        help="the fleet's CA (PEM), to see that the device is one of its own (default: this machine's fleet)",
    )
    command.common(one)
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _accept, arguments)


def _accept(session: Session) -> int:
    if session.options.word == "verify":
        return _verify(session)
    if os.geteuid() != 0:
        raise Stop(Exit.NOT_PERMITTED, "only root may measure the disk beside k3s' data. Use sudo.")
    if session.options.word == "cut":
        from archipel_agent.cli import accept_cutting

        return accept_cutting.cut(session)
    return _measure(session)


def _rounds(text: str) -> int:
    value = int(text) if text.isdigit() else 0
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rounds from 1 to 1000")
    return value


def _measure(session: Session) -> int:
    from archipel_agent.acceptance import power_cut, signing
    from archipel_agent.acceptance.making import report
    from archipel_agent.acceptance.measuring import Ground, Wishes, measure
    from archipel_agent.acceptance.text import text_of
    from archipel_agent.compose import read_only_service
    from archipel_agent.host.bench import SystemBench
    from archipel_agent.paths import identity_of

    core = read_only_service(session.paths)
    directory = Path(session.options.out).absolute()
    if not directory.is_dir():
        raise Stop(Exit.USAGE, f"there is no directory {directory}")
    wishes = Wishes(quick=session.options.quick, load_seconds=session.options.load)
    ground = Ground(
        ports=core.ports,
        bench=SystemBench(core.ports.clock.monotonic),
        paths=session.paths,
        site=core.store.site() if core.store else None,
        wishes=wishes,
        tell=lambda what: session.screen.note(f"measuring: {what}"),
    )
    figures = []
    for figure in measure(ground):
        figures.append(figure)
        session.screen.note(f"  {_short(figure)}")
    loop = power_cut.load(core.ports.disk, session.paths)
    made = report(core.ports, core.node_id, tuple(figures), loop, wishes.quick)
    identity = identity_of(session.paths)
    signed = signing.sign(made, core.ports.disk, identity)
    _, by = signing.verify(signed)  # what is handed out was read back
    signer = signing.who(by, signing.authorities_here(core.ports.disk, identity))
    core.ports.disk.write(directory / "acceptance.json", signed)
    core.ports.disk.write(directory / "acceptance.txt", text_of(made, signer).encode())
    return _conclude(session, made, directory / "acceptance.json", signer)


def _conclude(session: Session, made: "Report", path: Path, signed_by: str) -> int:
    from archipel_agent.acceptance.figures import Verdict
    from archipel_agent.acceptance.text import text_of
    from archipel_agent.cli.accept_cutting import mark_of

    screen = session.screen
    if screen.as_json:
        screen.data({"file": str(path), "verdict": made.verdict, "signed_by": signed_by, "report": made})
    else:
        screen.line(text_of(made, signed_by))
        screen.line(f"{screen.mark(mark_of(made.verdict))} {path}; to print: {path.with_suffix('.txt')}")
    return Exit.NOT_OK if made.verdict is Verdict.FAIL else Exit.OK


def _short(figure: "Figure") -> str:
    value = f"{figure.value:g} {figure.unit}, " if figure.value is not None and figure.unit else ""
    return f"{figure.title}: {value}{figure.verdict.value}"


def _verify(session: Session) -> int:
    from archipel_agent.acceptance import signing

    path = Path(session.options.file)
    try:
        with path.open("rb") as readable:
            made, by = signing.verify(readable.read(signing.LIMIT + 1))
        signer = signing.who(by, _authorities(session))
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} cannot be read: {error.strerror}") from error
    except signing.ReportInvalid as error:
        if session.screen.as_json:
            session.screen.data({"file": str(path), "valid": False, "problem": str(error)})
        raise Stop(Exit.REFUSED, f"{path}: {error}") from error
    if session.screen.as_json:
        session.screen.data({"file": str(path), "valid": True, "signed_by": signer, "report": made})
        return Exit.OK
    from archipel_agent.acceptance.text import text_of

    session.screen.line(text_of(made, signer))
    session.screen.line(f"{session.screen.mark(Mark.GOOD)} the signature is good: nothing was altered")
    return Exit.OK


def _authorities(session: Session) -> bytes:
    """Return the CAs to hold a report to."""
    from archipel_agent.acceptance import signing
    from archipel_agent.host.disk import SystemDisk
    from archipel_agent.paths import identity_of

    if not session.options.authority:
        return signing.authorities_here(SystemDisk(), identity_of(session.paths))
    path = Path(session.options.authority)
    try:
        return path.read_bytes()
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} cannot be read: {error.strerror}") from error
