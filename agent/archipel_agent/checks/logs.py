"""Reading k3s' log: the lines of the newest run, those that tell of a known trouble, what ended a run.

Called by the checks that look for a pattern. Pure text work. It does not read the log (the K3sHost port does)
and does not remove secrets in general (whoever gathers the evidence does); join tokens are masked here all
the same.

k3s mixes logrus lines (`time="..." level=error msg="..."`), klog lines (`E1122 07:00:00.000000 ...`) and,
from the journal, lines of systemd about the unit. Quotes inside a message are escaped once or twice.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from archipel_agent.checks.base import Evidence, Phase, found, passed, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding, Severity
from archipel_contract.site import Desired
from archipel_contract.status import ServiceState

EVIDENCE_LINES = 3
LINE_WIDTH = 240
PARAMETER_WIDTH = 160

_ESCAPED_QUOTE = re.compile(r'\\+"')
_JOIN_TOKEN = re.compile(r"K10[0-9a-f]{16,}::[^\s\"']+")
# kine prints the whole object of a write that failed, Secrets and keys included (seen with k3s 1.36.3 and a locked
# database).
_OBJECT = re.compile(r"error in txn compare:<.*(?:> : |$)")
_STAMP = re.compile(r'^(time="[^"]*" |[IWEF]\d{4} [\d:.]+ +\d+ )')

# k3s pkg/cli/server/server.go says this once its options are read and before anything else is started.
_STARTING_K3S = re.compile(r'msg="Starting k3s (agent )?v\d')
_BEFORE_STARTING = re.compile(
    r"Acquiring lock file|Preparing data dir|Unknown flag .* found in config|Found .* in env|log file"
)
_STARTING_UNIT = re.compile(r"^Starting (k3s\.service|Lightweight Kubernetes)")
_STARTING_CONTAINERD = re.compile(r'msg="starting containerd"')

# The first is how k3s since September 2025 names what made it stop (pkg/signals/signals.go), the second how
# older ones did; what follows either is the noise of everything else being cancelled. A kubelet that gives up
# ends the process with its own line and nothing else (seen with k3s 1.36.3).
_SHUTDOWN = re.compile(r'Shutdown request received: "(?P<cause>.+?)"*\s*$')
_FATAL = re.compile(r'level=fatal msg="(?P<cause>.+?)"*\s*$')
_FATAL_BARE = re.compile(
    r"^(?:F\d{4} [\d:.]+ +\d+ \S+\] |panic: |Error: |Incorrect Usage[.:] )(?P<cause>.+)$"
)
_KUBELET = re.compile(
    r'"(?P<cause>Failed to (?:start ContainerManager|listen and serve|initialize internal modules)[^"]*"'
    r" err=.+)$"
)
_UNIT_FAILED = re.compile(r"(?P<cause>Main process exited, code=\S+ status=\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """A known trouble: its finding and how the log tells of it.

    Named groups of `pattern` become parameters of the finding. `over` says that the trouble has passed,
    whatever the log still holds of it; `least` is how many lines it takes to believe it.
    """

    code: str
    pattern: re.Pattern[str]
    over: Callable[[Evidence], bool] | None = None
    least: int = 1
    severity: Severity | None = None


def plain(line: str) -> str:
    """Return `line` without escapes before quotes, and with join tokens and written objects masked."""
    if "error in txn" in line:
        line = _OBJECT.sub("error in txn (object left out): ", line)
    if "\\" in line:
        line = _ESCAPED_QUOTE.sub('"', line)
    if "K10" in line:
        line = _JOIN_TOKEN.sub("K10***", line)
    return line.rstrip()


def runs(lines: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the log cut into runs of k3s, oldest first; lines without any mark are one run."""
    starts = [number for number, line in enumerate(lines) if _STARTING_UNIT.search(line)]
    if not starts:
        starts = [_from(lines, number) for number, line in enumerate(lines) if _STARTING_K3S.search(line)]
        # Wrong options end a run before it says that it starts.
        starts += [number + 1 for number, line in enumerate(lines) if _FATAL.search(line)]
    cuts = sorted({0, *starts, len(lines)})
    return tuple(lines[begin:end] for begin, end in pairwise(cuts))


def _from(lines: tuple[str, ...], start: int) -> int:
    while start > 0 and _BEFORE_STARTING.search(lines[start - 1]):
        start -= 1
    return start


def newest(lines: tuple[str, ...], failing: bool) -> tuple[str, ...]:
    """Return the lines that tell how k3s does now: its newest run, and in a crash loop the run before as well.

    A crash loop's newest run may be a second old, while the reason stands at the end of the one before.
    """
    taken = runs(lines)[-2:] if failing else runs(lines)[-1:]
    return tuple(line for run in taken for line in run)


def primary_cause(lines: tuple[str, ...]) -> str:
    """Return what ended the newest run that ended, in k3s' own words; empty if the log does not say."""
    for run in reversed(runs(lines)):
        readable = tuple(map(plain, run))
        for pattern in (_SHUTDOWN, _FATAL, _FATAL_BARE, _KUBELET, _UNIT_FAILED):
            matches = [match for match in map(pattern.search, readable) if match]
            if matches:
                return short(matches[-1]["cause"])
    return ""


def short(text: str, width: int = PARAMETER_WIDTH) -> str:
    """Return `text` on one line of at most `width` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 3].rstrip() + "..."


def excerpt(line: str, start: int) -> str:
    """Return `line`, and of a long one the part around `start`, where the match is."""
    if len(line) <= LINE_WIDTH:
        return line
    begin = max(0, min(start - LINE_WIDTH // 4, len(line) - LINE_WIDTH + 3))
    return ("..." if begin else "") + short(line[begin:], LINE_WIDTH - 3)


def node_is_ready(evidence: Evidence) -> bool:
    """Whether Kubernetes says now that every node is Ready, so that troubles of a start are over."""
    cluster = evidence.cluster
    return bool(cluster and cluster.reachable and cluster.nodes and all(node.ready for node in cluster.nodes))


def pods_are_ready(evidence: Evidence) -> bool:
    """Whether the node is Ready and every pod is ready or has done its work."""
    if not node_is_ready(evidence) or evidence.cluster is None:
        return False
    pods = evidence.cluster.pods
    return bool(pods) and all(pod.ready or pod.phase == "Succeeded" for pod in pods)


def unreadable(evidence: Evidence) -> str:
    """Return why the log decides nothing; empty if it does."""
    if evidence.phase is Phase.PREFLIGHT:
        return "what an earlier run logged decides nothing before a start"
    if evidence.k3s.state is ServiceState.ABSENT:
        return "no k3s is set up here"
    if evidence.k3s_log is None:
        return "the log of k3s could not be read"
    if not evidence.k3s_log:
        return "the log of k3s is empty"
    stopped = evidence.k3s.state is ServiceState.STOPPED
    if stopped and evidence.site is not None and evidence.site.desired is Desired.STOPPED:
        return "k3s is stopped, as wished"
    return ""


def lines_now(evidence: Evidence, containerd: bool = False) -> tuple[str, ...]:
    """Return the lines that count now, made plain; containerd's newest run first if it is wanted."""
    if unreadable(evidence):
        return ()
    failing = evidence.k3s.state in (ServiceState.FAILING, ServiceState.STOPPED)
    lines = tuple(map(plain, newest(evidence.k3s_log or (), failing)))
    return containerd_lines(evidence) + lines if containerd else lines


def containerd_lines(evidence: Evidence) -> tuple[str, ...]:
    """Return the lines of containerd's newest run, made plain; none if its log could not be read."""
    lines = evidence.containerd_log or ()
    starts = [number for number, line in enumerate(lines) if _STARTING_CONTAINERD.search(line)]
    return tuple(map(plain, lines[starts[-1] :] if starts else lines))


def seen(sign: Sign, lines: tuple[str, ...]) -> Finding | None:
    """Return the finding of `sign` if the lines show it, with what the last of them say."""
    matches = [match for match in map(sign.pattern.search, lines) if match]
    if len(matches) < sign.least:
        return None
    parameters = {name: short(text) for name, text in matches[-1].groupdict().items() if text is not None}
    evidence = tuple(_last_distinct(matches))
    return finding(sign.code, evidence, sign.severity, **parameters)


def _last_distinct(matches: list[re.Match[str]]) -> Iterator[str]:
    by_words = {
        _STAMP.sub("", match.string): match for match in matches
    }  # a later line replaces an equal one
    for match in list(by_words.values())[-EVIDENCE_LINES:]:
        yield excerpt(match.string, match.start())


def look_for(slug: str, evidence: Evidence, *signs: Sign, containerd: bool = False) -> CheckResult:
    """Look for `signs` in the log; without a log the answer is undecided."""
    why_not = unreadable(evidence)
    if why_not:
        return undecided(slug, why_not)
    lines = lines_now(evidence, containerd)
    findings = []
    for sign in signs:
        one = seen(sign, lines)
        if one is not None and not (sign.over and sign.over(evidence)):
            findings.append(one)
    if findings:
        return found(slug, findings[0].summary, *findings)
    return passed(slug, f"no sign of it in the last {len(lines)} log lines")


def with_evidence(one: Finding, *lines: str) -> Finding:
    """Return `one` with `lines` as its evidence."""
    return replace(one, evidence=tuple(short(line, LINE_WIDTH) for line in lines[:EVIDENCE_LINES]))
