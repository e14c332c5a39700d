"""`archipel status`: what this machine is and how it does, from the agent or, without one, by looking."""

import argparse
from datetime import datetime

from archipel_agent.cli import clock, command, enrol
from archipel_agent.cli.command import Session
from archipel_agent.cli.output import Mark, duration, size
from archipel_agent.cli.reader import REHEARSED, reader
from archipel_contract.exits import Exit
from archipel_contract.facts import NodeFacts, NodeUsage
from archipel_contract.status import (
    BackupStatus,
    ClusterStatus,
    Health,
    LinkState,
    LinkStatus,
    Membership,
    NodeStatus,
    Report,
)

EXAMPLES = """\
  archipel status
  archipel status --watch
  archipel status --json | jq .health
  until archipel status >/dev/null; do sleep 5; done"""

MARK_OF_HEALTH = {
    Health.HEALTHY: Mark.GOOD,
    Health.UNHEALTHY: Mark.BAD,
    Health.UNKNOWN: Mark.OPEN,
    Health.NOT_SET_UP: Mark.OPEN,
    Health.STOPPED: Mark.WARN,
    Health.WORKING: Mark.NOW,
}
LINK_WORDS = {
    LinkState.CONNECTED: "connected",
    LinkState.UNANSWERED: "connected, but the controller does not answer",
    LinkState.PLANNED_QUIET: "quiet as planned",
    LinkState.AWAY: "away",
    LinkState.UNKNOWN: "not known; only a running agent knows",
}
SUPPLY_WORDS = {
    "line": "from the mains, by the UPS",
    "battery": "on the battery of the UPS",
    "low": "on the battery of the UPS, which is low",
    "unknown": "the UPS is not heard",
}
BAD_PODS_SHOWN = 8
SILENCE_SECONDS = 15.0


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("status", EXAMPLES)
    made.add_argument("--watch", action="store_true", help="show it again each time it changes, until Ctrl-C")
    made.add_argument(
        "--fresh", action="store_true", help="look now, instead of telling what the agent saw last"
    )
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _status, arguments)


def _status(session: Session) -> int:
    if session.options.watch:
        return _watch(session)
    report = reader(session, labelled=True).report(session.options.fresh)
    show(session, report)
    return code(report)


def code(report: Report) -> Exit:
    """Return the exit code: only a healthy site is good, so that scripts can wait for it."""
    return Exit.OK if report.health is Health.HEALTHY else Exit.NOT_OK


def _watch(session: Session) -> int:
    result = Exit.AGENT_AWAY
    for report in session.client.stream("watch", timeout=SILENCE_SECONDS):
        if session.screen.color:
            session.screen.out.write("\033[2J\033[H")  # a picture that changes in place
        elif result is not Exit.AGENT_AWAY and not session.screen.as_json:
            session.screen.line()
        show(session, report)
        result = code(report)
    return result


def show(session: Session, report: Report) -> None:
    """Write a report for people, or as JSON."""
    screen = session.screen
    if screen.as_json:
        screen.data(report)
        return
    if report.rehearsed:
        screen.line(REHEARSED)
    title = report.site.name if report.site else report.node.facts.hostname
    screen.line(f"{screen.mark(MARK_OF_HEALTH[report.health])} {screen.strong(title)}: {report.health.value}")
    screen.said("  ", report.sentence)
    screen.line()
    screen.table(_rows(report))
    for pod in [one for one in report.cluster.pods if not one.ready and one.phase != "Succeeded"][
        :BAD_PODS_SHOWN
    ]:
        reason = ": ".join(part for part in (pod.reason, pod.message) if part)
        screen.said(f"  {screen.mark(Mark.BAD)} ", f"pod {pod.namespace}/{pod.name}: {reason or pod.phase}")
    if report.findings:
        screen.line()
    for finding in report.findings:
        screen.brief(finding)
    if report.findings:
        screen.line("  More about each: archipel why")


def _rows(report: Report) -> list[list[str]]:
    node, usage = report.node, report.node.usage
    rows = [
        [
            "node",
            f"{node.node_name or node.facts.hostname} ({node.role.value}, {node.node_id or 'no id yet'})",
        ]
    ]
    rows.append(["machine", _machine(node.facts)])
    if report.site:
        network = report.site.network
        rows.append(["address", f"{network.node_ip} on {network.interface}"])
    rows.append(["k3s", _k3s(node, report.at)])
    if node.k3s.pid is not None or report.cluster.reachable:
        rows.append(["cluster", _cluster(report.cluster)])
    rows.append(["load", _load(usage)])
    if flash := _flash(usage):
        rows.append(["flash", flash])
    if usage.supply:
        rows.append(["power", SUPPLY_WORDS.get(usage.supply, usage.supply)])
    rows.append(["clock", clock.words(node)])
    if node.certificates_until:
        rows.append(["certificates", f"k3s renews its own; the first ends on {node.certificates_until[:10]}"])
    if report.backup is not None:
        rows.append(["backup", _backup(report.backup, report.at)])
    if report.link.state is not LinkState.OFF:
        rows.append(["link", _link(report.link, report.at)])
    if report.link.orders.veto:
        rows.append(["refused", f"orders from afar: {', '.join(report.link.orders.veto)}"])
    if report.enrolment.state is not Membership.NONE:
        rows.append(["fleet", enrol.line(report.enrolment)])
    rows.append(["as of", report.at])
    if report.job:
        rows.append(["job", f"{report.job} is running; archipel agent watch"])
    return rows


def _backup(backup: BackupStatus, now: str) -> str:
    if not backup.sequence:
        planned = (
            f"planned to {backup.planned_to}" if backup.planned_to else "none planned: archipel backup --help"
        )
        return f"none yet, {planned}" + (f"; failed: {backup.problem}" if backup.problem else "")
    age = _age(backup.at, now)
    parts = [
        f"{backup.sequence} of {backup.at[:16]}" if age is None else f"{backup.sequence}, {duration(age)} ago"
    ]
    parts.append(f"at {backup.place}")
    keys = [f"{backup.owner_keys} of the owner"] if backup.owner_keys else []
    keys += [f"{backup.fleet_keys} of the fleet"] if backup.fleet_keys else []
    parts.append(f"opens with a key: {' or '.join(keys)}" if keys else "for whom it is sealed is not known")
    parts.append(f"drilled {backup.drilled_at[:10]}" if backup.drilled_at else "never drilled")
    return ", ".join(parts) + (f"; the last try failed: {backup.problem}" if backup.problem else "")


def _link(link: LinkStatus, now: str) -> str:
    words = LINK_WORDS[link.state]
    if link.state is LinkState.UNKNOWN:
        return words
    parts = [f"{words} ({link.message})" if link.message and link.state is LinkState.AWAY else words]
    answered = _age(link.last_answer_at, now)
    parts.append("never answered" if answered is None else f"last answer {duration(answered)} ago")
    if link.waiting:
        parts.append(f"{link.waiting} messages wait")
    if link.dropped:
        parts.append(f"{link.dropped} dropped")
    if link.next_call_at:
        parts.append(f"next call {link.next_call_at}")
    return ", ".join(parts)


def _machine(facts: NodeFacts) -> str:
    parts = [facts.model, facts.architecture, facts.os_name]
    if facts.cpus is not None:
        parts.append(f"{facts.cpus} CPUs")
    if facts.memory_bytes is not None:
        parts.append(f"{size(facts.memory_bytes)} memory")
    return ", ".join(part for part in parts if part)


def _k3s(node: NodeStatus, now: str) -> str:
    k3s = node.k3s
    parts = [" ".join(part for part in (k3s.version, k3s.state.value) if part)]
    if k3s.pid is not None and (age := _age(k3s.started_at, now)) is not None:
        parts.append(f"for {duration(age)}")
    if k3s.restarts:
        parts.append(f"{k3s.restarts} restarts")
    if k3s.kept_by:
        parts.append(f"kept by {k3s.kept_by}" if k3s.kept_by == "systemd" else k3s.kept_by)
    return ", ".join(parts)


def _age(then: str, now: str) -> float | None:
    try:
        return max(0.0, (datetime.fromisoformat(now) - datetime.fromisoformat(then)).total_seconds())
    except (ValueError, TypeError):
        return None


def _cluster(cluster: ClusterStatus) -> str:
    if not cluster.reachable:
        return f"does not answer: {cluster.message}" if cluster.message else "does not answer"
    ready = sum(node.ready for node in cluster.nodes)
    # A pod that has done its work is neither ready nor wanted to be.
    pods = [pod for pod in cluster.pods if pod.phase != "Succeeded"]
    return f"{ready} of {len(cluster.nodes)} nodes ready, {sum(pod.ready for pod in pods)} of {len(pods)} pods ready"


def _load(usage: NodeUsage) -> str:
    parts = [f"CPU {usage.cpu_percent:.0f} %"] if usage.cpu_percent is not None else []
    if usage.memory_total_bytes is not None:
        parts.append(f"memory {size(usage.memory_used_bytes)} of {size(usage.memory_total_bytes)}")
    if usage.disk_total_bytes is not None:
        parts.append(f"disk {size(usage.disk_used_bytes)} of {size(usage.disk_total_bytes)}")
    if usage.temperature_c is not None:
        parts.append(f"{usage.temperature_c:.0f} C")
    return ", ".join(parts) or "could not be read"


def _flash(usage: NodeUsage) -> str:
    """Return what is written a day and how worn the device is; empty where neither is known."""
    now, week = usage.written_mb_per_day, usage.written_mb_per_day_week
    parts = [f"{now} MB a day written now"] if now is not None else []
    if week is not None:
        parts.append(f"{week} over seven days")
    if usage.wear_percent is not None:
        parts.append(f"{usage.wear_percent} % of its life used")
    return ", ".join(parts)
