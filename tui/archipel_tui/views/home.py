"""The home screen: how this box does, why, and what to do now."""

from archipel_contract.facts import ClockQuality
from archipel_contract.findings import worst
from archipel_contract.status import Health, K3sStatus, LinkState, Membership, Report, ServiceState
from archipel_contract.wrapping import TOGETHER
from archipel_tui.store import Scene
from archipel_tui.text import (
    Line,
    clean,
    columns,
    duration,
    labelled,
    line,
    local_time,
    moment,
    paragraph,
)
from archipel_tui.views.hardware import LABEL
from archipel_tui.views.pods import rows as pod_rows
from archipel_tui.views.pods import summary as pod_summary
from archipel_tui.views.words import SEVERITY, health, said, verb

_SERVICE_STYLE = {
    ServiceState.RUNNING: "good",
    ServiceState.FAILING: "bad",
    ServiceState.STARTING: "warn",
    ServiceState.STOPPED: "warn",
}
_CLOCK = {
    ClockQuality.SYNCHRONIZED: ("+", "good"),
    ClockQuality.PLAUSIBLE: ("!", "warn"),
    ClockQuality.WRONG: ("x", "bad"),
    ClockQuality.UNKNOWN: ("?", "soft"),
}
_LINK = {
    LinkState.CONNECTED: ("+", "good"),
    LinkState.UNANSWERED: ("!", "warn"),
    LinkState.PLANNED_QUIET: ("+", "good"),
    LinkState.AWAY: ("!", "warn"),
    LinkState.UNKNOWN: ("?", "soft"),
}


_MEMBER = {
    Membership.WAITING: ("!", "warn"),
    Membership.PENDING: ("!", "warn"),
    Membership.ENROLLED: ("+", "good"),
    Membership.REFUSED: ("x", "bad"),
    Membership.EXPIRED: ("!", "warn"),
    Membership.UNKNOWN: ("?", "soft"),
}


def this_box(scene: Scene, cells: int) -> list[Line]:
    """State, node, k3s, pods, clock, agent."""
    report, words = scene.picture.report, scene.words
    if report is None:
        return paragraph(words("away.waiting"), cells)
    state, style = health(report, words)
    mark, clock_style = _CLOCK[report.node.clock]
    k3s, k3s_style = _k3s(report.node.k3s, scene)
    pods, pods_style = pod_summary(scene)
    found = [
        *labelled(words("fact.state"), state, cells, LABEL, style),
        *labelled(words("fact.node"), _node(report, scene), cells, LABEL),
        *labelled(words("fact.k3s"), k3s, cells, LABEL, k3s_style),
        *labelled(words("fact.pods"), pods, cells, LABEL, pods_style),
        *labelled(
            words("fact.clock"), f"{mark} {words(f'clock.{report.node.clock}')}", cells, LABEL, clock_style
        ),
    ]
    if report.site is not None:
        network = report.site.network
        found += labelled(words("fact.site"), f"{network.node_ip} ({network.interface})", cells, LABEL)
    if report.link.state is not LinkState.OFF:
        found += labelled(words("fact.link"), *_link(report, scene, cells))
    if report.enrolment.state is not Membership.NONE:
        found += labelled(words("fact.member"), *_member(report, scene, cells))
    return found


def _member(report: Report, scene: Scene, cells: int) -> tuple[str, int, int, str]:
    """How the box stands with its fleet: text, cells, width of the label, style. The code is what somebody reads aloud."""
    words, enrolment = scene.words, report.enrolment
    mark, style = _MEMBER[enrolment.state]
    parts = [f"{mark} {words(f'member.{enrolment.state}')}"]
    if enrolment.claim and enrolment.state is not Membership.ENROLLED:
        parts.append(words("member.code", claim=clean(enrolment.claim)))
    name = clean(enrolment.fleet or enrolment.address)
    if name:
        parts.append(name)
    if enrolment.display_name:
        parts.append(words("member.as", name=clean(enrolment.display_name)))
    if enrolment.certificate_until:
        parts.append(words("member.until", date=clean(enrolment.certificate_until[:10])))
    return ", ".join(parts), cells, LABEL, style


def claim(report: Report) -> list[Line]:
    """The code that somebody at the fleet compares, set off so that it can be read from a step away; else nothing."""
    enrolment = report.enrolment
    if not enrolment.claim or enrolment.state is Membership.ENROLLED:
        return []
    spread = " ".join(clean(enrolment.claim))
    return [line(("", "")), line((f"   {spread}", "strong")), line(("", ""))]


def _link(report: Report, scene: Scene, cells: int) -> tuple[str, int, int, str]:
    """How the link to the fleet stands: text, cells, width of the label, style."""
    words, link = scene.words, report.link
    mark, style = _LINK[link.state]
    parts = [f"{mark} {words(f'link.{link.state}')}"]
    answered, at = moment(link.last_answer_at), moment(report.at)
    if link.state is not LinkState.UNKNOWN:
        known = answered is not None and at is not None
        age = duration((at - answered).total_seconds(), words) if answered and at else ""
        said = words("link.answered", time=age) if known else words("link.never")
        parts.append(said.replace(" ", TOGETHER))
    if link.waiting:
        parts.append(words("link.waiting", count=link.waiting))
    if link.dropped:
        parts.append(words("link.dropped", count=link.dropped))
    due = local_time(link.next_call_at, scene.now)
    if due and link.state is LinkState.PLANNED_QUIET:
        parts.append(words("link.next", time=due))
    return ", ".join(parts), cells, LABEL, style


def _node(report: Report, scene: Scene) -> str:
    words = scene.words
    parts = [clean(report.node.node_name or report.node.facts.hostname), words(f"role.{report.node.role}")]
    for node in report.cluster.nodes:
        if node.name == report.node.node_name:
            parts.append(words("node.ready") if node.ready else words("node.not-ready"))
    return ", ".join(parts)


def _k3s(k3s: K3sStatus, scene: Scene) -> tuple[str, str]:
    words, report = scene.words, scene.picture.report
    parts = [clean(k3s.version), words(f"service.{k3s.state}")]
    started, at = moment(k3s.started_at), moment(report.at) if report else None
    if k3s.state is ServiceState.RUNNING and started and at:
        parts.append(words("service.up", time=duration((at - started).total_seconds(), words)))
    return "  ".join(part for part in parts if part), _SERVICE_STYLE.get(k3s.state, "")


def advice_title(scene: Scene) -> str:
    """The heading of the box below: something is wrong, something is to be done, or all is fine."""
    report, words = scene.picture.report, scene.words
    if report is None:
        return words("box.next")
    if worst(report.findings) is not None:
        return words("box.wrong")
    return words("box.fine") if report.health is Health.HEALTHY else words("box.next")


def advice(scene: Scene, cells: int) -> list[Line]:
    """The worst finding with its cause and remedy; or what this state means and what to do next."""
    report, words = scene.picture.report, scene.words
    if report is None:
        return []
    found = claim(report)
    if report.health is Health.WORKING:
        found += _working(scene, cells)
    finding = worst(report.findings)
    if finding is not None:
        mark, style = SEVERITY[finding.severity]
        text = said(finding, words)
        since = local_time(finding.since, scene.now)
        title = f"{mark} {text.title}" + (f" ({words('advice.since', time=since)})" if since else "")
        found += paragraph(title, cells, style)
        if text.cause:
            found += labelled(words("fact.why"), text.cause, cells)
        found += labelled(words("fact.do"), text.remedy, cells, style="strong")
        keys = [words("advice.fix")] if finding.fix else []
        keys.append(words("advice.details"))
        if len(report.findings) > 1:
            keys.append(words("advice.more", count=len(report.findings) - 1))
        return found + labelled("", "  ".join(keys), cells, style="soft")
    return [*found, *_state(report, scene, cells)] if report.health is not Health.WORKING else found


def _working(scene: Scene, cells: int) -> list[Line]:
    words, job = scene.words, scene.picture.job
    name = verb(job.verb if job else "up", words)
    found = paragraph("! " + words("advice.working", job=name), cells, "warn")
    return found + labelled(words("fact.do"), words("advice.working-do"), cells, style="strong")


def _state(report: Report, scene: Scene, cells: int) -> list[Line]:
    words = scene.words
    texts = {
        Health.NOT_SET_UP: ("! ", "advice.not-set-up", "advice.not-set-up-do"),
        Health.STOPPED: ("! ", "advice.stopped", "advice.stopped-do"),
        Health.UNKNOWN: ("? ", "advice.unknown", "advice.unknown-do"),
        Health.UNHEALTHY: ("x ", "", "advice.unhealthy-do"),
        Health.HEALTHY: ("+ ", "advice.healthy", ""),
    }
    mark, state, do = texts[report.health]
    found = paragraph(mark + words(state), cells, "good" if mark == "+ " else "warn") if state else []
    if report.sentence and report.health not in (Health.NOT_SET_UP, Health.STOPPED):
        found += paragraph(("" if state else mark) + words.shown(report.sentence), cells)
    return found + (labelled(words("fact.do"), words(do), cells, style="strong") if do else [])


def nodes(scene: Scene, cells: int) -> list[Line]:
    """The nodes of the site as the Kubernetes API shows them; nothing while it shows none."""
    report, words = scene.picture.report, scene.words
    if report is None or not report.cluster.nodes:
        return []
    name = min(max(12, cells - 44), 40)
    head = ("node.column-name", "node.column-role", "node.column-state", "node.column-version")
    sizes = (name, 8, 14, 16)
    found = [columns([(" " + words(key), size, "label") for key, size in zip(head, sizes, strict=True)])]
    for node in report.cluster.nodes:
        here = ">" if node.name == report.node.node_name else " "
        state, style = (
            ("+ " + words("node.ready"), "good") if node.ready else ("x " + words("node.not-ready"), "bad")
        )
        cell = (
            here + clean(node.name),
            " " + words(f"role.{node.role}"),
            " " + state,
            " " + clean(node.version),
        )
        styles = ("", "", style, "")
        found.append(
            columns([(text, size, look) for text, size, look in zip(cell, sizes, styles, strict=True)])
        )
        if not node.ready and node.message:
            found += paragraph(f"   {words.shown(node.message)}", cells)
    return found


def some_pods(scene: Scene, cells: int, most: int) -> list[Line]:
    """The pods, those that are not ready first, in at most so many lines; the last tells how many are left
    out.
    """
    words = scene.words
    found = pod_rows(scene, cells)
    if not found:
        return []
    head = line((" " + words("pod.column"), "label"))
    if len(found) + 1 <= most:
        return [head, *found]
    left = len(found) - most + 2
    return [head, *found[: most - 2], line(("  " + words("pod.more", count=left), "soft"))]
