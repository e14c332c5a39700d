"""`archipel rehearse`: many simulated sites with the real agent on a real broker, and commands for one that runs."""

import argparse
import json
import os
import secrets
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archipel_agent.cli import command
from archipel_agent.cli.command import Session, Stop
from archipel_contract.exits import Exit

if TYPE_CHECKING:
    from archipel_agent.rehearsal.fleet.scenario import FleetScenario
    from archipel_agent.rehearsal.fleet.stage import Playbill

EXAMPLES = """\
  archipel rehearse --sites 10 --nodes 3
  archipel rehearse --sites 500 --nodes 3 --broker mqtt://127.0.0.1:1883 --interval 60
  archipel rehearse --scenario docs/scenarios/demo.toml --seed 7
  archipel rehearse ctl DIRECTORY cut rehearsed-004 --for 120
  archipel rehearse ctl DIRECTORY heal rehearsed-004"""
SITES, NODES = 10, 3
METRICS_EVERY, INTERVAL = 300.0, 10.0
MEMORY = "/dev/shm"  # tmpfs on every Linux we support
NODE_BYTES = (
    10 << 20
)  # of one node's state at most: two databases, each with a write-ahead log that SQLite ends at 4 MB
BROKER = "mqtt://127.0.0.1:1883"


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command with those of its words."""
    made = command.parser("rehearse", EXAMPLES)
    made.add_argument(
        "--sites", type=int, metavar="N", help=f"how many sites (default {SITES}, or the scenario's)"
    )
    made.add_argument("--nodes", type=int, metavar="M", help=f"machines of each site (default {NODES})")
    made.add_argument(
        "--broker", metavar="URL", help=f"the broker (default {BROKER}, or the fleet's with --enrol)"
    )
    made.add_argument(
        "--enrol",
        metavar="LINK",
        default="",
        help="have every node enrol: a fleet's link with a token of many uses",
    )
    made.add_argument("--scenario", metavar="FILE", help="what is special and what happens, as a TOML file")
    made.add_argument(
        "--seed", type=int, help="decides names, machines and chance (default: drawn, and told)"
    )
    made.add_argument(
        "--root", metavar="DIR", help="where state lies; kept (default: a directory that goes at the end)"
    )
    made.add_argument(
        "--interval",
        type=float,
        default=INTERVAL,
        help="seconds between an agent's turns (default %(default)g)",
    )
    made.add_argument(
        "--metrics-every",
        type=float,
        default=METRICS_EVERY,
        help="seconds of a metrics point (default %(default)g)",
    )
    made.add_argument("--troubles", action="store_true", help="list what can be made to happen, and end")
    words = made.add_subparsers(dest="word", metavar="WORD", required=False)
    ctl = words.add_parser("ctl", help="steer a rehearsal that runs", allow_abbrev=False)
    ctl.add_argument("directory", metavar="DIRECTORY", help="the one the rehearsal names when it starts")
    ctl.add_argument("verb", metavar="VERB", help="show, stop, heal, or a trouble such as cut or power-cut")
    ctl.add_argument("where", nargs="*", metavar="WHERE", help="sites or nodes by name, or all")
    ctl.add_argument(
        "--for", dest="seconds", type=float, metavar="SECONDS", help="heal it by itself after so long"
    )
    ctl.add_argument(
        "--to", default="", metavar="OFFSET", help="of clock: +3y, 1970, 'drift +200ppm', or --to=-40d"
    )
    ctl.add_argument("--of", default="", metavar="TROUBLE", help="of heal: only this trouble")
    command.common(ctl)
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _steer_or_play, arguments)


def _steer_or_play(session: Session) -> int:
    if session.options.troubles:
        return _troubles(session)
    return _steer(session) if session.options.word == "ctl" else _play(session)


def _troubles(session: Session) -> int:
    from archipel_agent.rehearsal.fleet.acts import TROUBLES

    if session.screen.as_json:
        session.screen.data(TROUBLES)
    else:
        session.screen.table([[name, title] for name, title in TROUBLES.items()])
    return Exit.OK


def _play(session: Session) -> int:
    from archipel_agent.host.disk import SystemDisk
    from archipel_agent.ports import CommandFailed
    from archipel_agent.rehearsal.fleet.control import ControlFailed
    from archipel_agent.rehearsal.fleet.stage import Stage

    def tell(words: str, data: dict[str, Any]) -> None:
        session.screen.line(json.dumps(data) if session.screen.as_json else words)
        session.screen.out.flush()

    begun = session.clock.monotonic()
    scenario = _scenario(session)
    bill = _playbill(session, scenario)
    own = session.options.root is None
    root = _own_root(bill.sites * bill.nodes) if own else Path(session.options.root).absolute()
    bill = replace(bill, root=root)
    try:
        SystemDisk().make_directory(root, None)
        told = {"phase": "root", "root": str(root), "seed": bill.seed}
        tell(f"rehearsal         steer it with: archipel rehearse ctl {root} VERB (seed {bill.seed})", told)
        failed = Stage(bill, session.clock, tell, begun).play()
    except (ControlFailed, CommandFailed, OSError) as error:
        raise Stop(Exit.FAILED, f"the rehearsal cannot run: {error}") from error
    finally:
        if own:
            SystemDisk().remove_tree(root)
    if failed:
        raise Stop(Exit.FAILED, f"the rehearsal ended: {failed}")
    return Exit.OK


def _scenario(session: Session) -> "FleetScenario":
    from archipel_agent.rehearsal.fleet import scenario
    from archipel_agent.rehearsal.scenario import ScenarioInvalid

    if not session.options.scenario:
        return scenario.FleetScenario()
    try:
        return scenario.load(Path(session.options.scenario))
    except (ScenarioInvalid, OSError) as error:
        raise Stop(Exit.USAGE, f"the scenario cannot be used: {error}") from error


def _own_root(nodes: int) -> Path:
    """Return a new directory: in memory where there is room, because a rehearsal's state need not wear out a card."""
    space = os.statvfs(MEMORY) if os.access(MEMORY, os.W_OK) else None
    fits = space is not None and space.f_bavail * space.f_frsize > 2 * nodes * NODE_BYTES
    return Path(tempfile.mkdtemp(prefix="archipel-rehearsal-", dir=MEMORY if fits else None))


def _playbill(session: Session, scenario: "FleetScenario") -> "Playbill":
    from archipel_agent.rehearsal.fleet.plan import NODES_LIMIT, SITES_LIMIT
    from archipel_agent.rehearsal.fleet.stage import Playbill, nodes_of

    options = session.options
    sites = options.sites if options.sites is not None else scenario.sites or SITES
    nodes = options.nodes if options.nodes is not None else scenario.nodes or NODES
    if not (1 <= sites <= SITES_LIMIT and 1 <= nodes <= NODES_LIMIT):
        raise Stop(Exit.USAGE, f"--sites goes from 1 to {SITES_LIMIT}, --nodes from 1 to {NODES_LIMIT}")
    if options.interval < 1 or options.metrics_every < 1:
        raise Stop(Exit.USAGE, "--interval and --metrics-every are at least 1 second")
    broker = _broker(options)
    named = [name for event in scenario.events for name in event.where] + [
        one.site for one in scenario.special
    ]
    strange = [name for name in named if not nodes_of(name, sites, nodes)]
    if strange:
        raise Stop(
            Exit.USAGE, f"the scenario names {strange[0]!r}, which is none of {sites} sites of {nodes} nodes"
        )
    drawn = secrets.randbelow(1_000_000) if scenario.seed is None else scenario.seed
    return Playbill(
        sites=sites,
        nodes=nodes,
        seed=drawn if options.seed is None else options.seed,
        broker=broker,
        enrol=options.enrol,
        root=Path(),
        interval=options.interval,
        metrics_every=options.metrics_every,
        scenario=scenario,
    )


def _broker(options: argparse.Namespace) -> str:
    """Return the broker to use, empty for the one the fleet names at the enrolment; raise Stop."""
    from archipel_contract.link import broker_url
    from archipel_contract.link.carrier import CarrierFailed

    if options.enrol:
        from archipel_contract.trust.token import TokenInvalid, invitation

        try:
            invitation(options.enrol)
        except TokenInvalid as error:
            raise Stop(Exit.USAGE, f"--enrol: {error}") from error
        if options.broker is None:
            return ""
    broker: str = options.broker or BROKER
    try:
        broker_url.require_loopback(broker_url.parse(broker))
    except (broker_url.BrokerUrlInvalid, CarrierFailed) as error:
        raise Stop(Exit.USAGE, f"--broker: {error}") from error
    return broker


def _steer(session: Session) -> int:
    from archipel_agent.rehearsal.fleet.control import ControlFailed, ask

    options = session.options
    request: dict[str, Any] = {"where": options.where, "seconds": options.seconds, "to": options.to}
    if options.verb in ("show", "stop"):
        request["verb"] = options.verb
    elif options.verb == "heal":
        request |= {"verb": "heal", "what": options.of}
    else:
        request |= {"verb": "make", "what": options.verb}
    try:
        answer = ask(Path(options.directory), **request)
    except ControlFailed as error:
        raise Stop(Exit.REFUSED, str(error)) from error
    if session.screen.as_json:
        session.screen.data({name: value for name, value in answer.items() if name != "ok"})
    elif options.verb == "show":
        _show(session, answer)
    else:
        session.screen.line(answer["said"] or "there was nothing to heal")
    return Exit.OK


def _show(session: Session, answer: dict[str, Any]) -> None:
    rows = [
        [
            name,
            node["link"] or ("no link" if node["on"] else "off"),
            node["health"],
            ", ".join(node["troubles"]),
        ]
        for name, node in answer["nodes"].items()
    ]
    session.screen.table(rows)
    session.screen.line(
        f"{answer['connected']} of {answer['expected']} connected, {answer['answered']} answered"
    )
