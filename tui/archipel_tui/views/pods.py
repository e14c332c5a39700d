"""The pods: how many are ready, and each that is not with its reason."""

from archipel_contract.status import Pod
from archipel_tui.store import Scene
from archipel_tui.text import Line, clean, columns, line, paragraph, width

_FINISHED = "Succeeded"  # the phase of a pod that did its work (k3s' helm jobs): not ready, and rightly so


def _is_good(pod: Pod) -> bool:
    return pod.ready or pod.phase == _FINISHED


def summary(scene: Scene) -> tuple[str, str]:
    """Return `23 of 24 ready` with its style."""
    report, words = scene.picture.report, scene.words
    if report is None or not report.cluster.reachable:
        return "? " + words("fact.unknown"), "soft"
    pods = [pod for pod in report.cluster.pods if pod.phase != _FINISHED]
    if not pods:
        return words("fact.none"), ""
    ready = sum(1 for pod in pods if pod.ready)
    mark, style = ("+", "good") if ready == len(pods) else ("!", "warn")
    return f"{mark} " + words("pod.ready", ready=ready, all=len(pods)), style


def rows(scene: Scene, cells: int) -> list[Line]:
    """One line a pod, those that are not ready first: mark, namespace/name, and why it is not ready or its
    phase.
    """
    report = scene.picture.report
    if report is None:
        return []
    states = {pod: scene.words.shown(clean(pod.reason or pod.phase)) for pod in report.cluster.pods}
    column = min(max((width(state) for state in states.values()), default=0), cells // 2)
    found = []
    for pod in ordered(report.cluster.pods):
        good = _is_good(pod)
        name = f"{'+' if good else '!'} {clean(pod.namespace)}/{clean(pod.name)}"
        share = min(cells - column - 2, 60)
        found.append(columns([(name, share, "" if good else "warn"), (states[pod], column, "")]))
    return found


def ordered(pods: tuple[Pod, ...]) -> list[Pod]:
    """Return the pods with those that are not ready first."""
    return sorted(pods, key=lambda pod: (_is_good(pod), pod.namespace, pod.name))


def page(scene: Scene, cells: int) -> list[Line]:
    """The screen of pods: as `rows`, with the message of each pod that is not ready below it."""
    report, words = scene.picture.report, scene.words
    if report is None:
        return paragraph(words("away.waiting"), cells)
    if not report.cluster.reachable:
        found = paragraph("? " + words("pod.not-reached"), cells, "warn")
        return found + (
            paragraph(words.shown(report.cluster.message), cells) if report.cluster.message else []
        )
    if not report.cluster.pods:
        return paragraph(words("pod.none"), cells)
    text, style = summary(scene)
    found = [line((text, style)), line("")]
    for pod, row in zip(ordered(report.cluster.pods), rows(scene, cells), strict=True):
        found.append(row)
        restarts = words("pod.restarts", count=pod.restarts) if pod.restarts else ""
        notes = [restarts, words.shown(pod.message) if not _is_good(pod) else ""]
        for note in filter(None, notes):
            found += [line("    ", *part) for part in paragraph(note, cells - 4)]
    return found
