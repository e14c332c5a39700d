"""The last words of pods that end again and again, from the files kubelet keeps; the API may not answer just then.

Called when evidence is gathered and a pod of this node is in a crash loop, never by the idle turn. What pods say may hold
secrets: a check quotes of it only lines it knows.
"""

from collections.abc import Iterable

from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, Files, Runner
from archipel_contract.status import Pod

ENDING = ("CrashLoopBackOff", "Error")
PODS_ASKED = 5
LINES = "3"
STAMP_FIELDS = 3  # of the CRI's format: time, stream, whole or partial


def last_words(disk: Files, runner: Runner, paths: Paths, pods: Iterable[Pod]) -> tuple[str, ...]:
    """Return `namespace/pod: line` for the last lines of up to five pods in a crash loop."""
    ending = [pod for pod in pods if not pod.ready and pod.reason in ENDING][:PODS_ASKED]
    if not ending:
        return ()
    top = paths.at("var/log/pods")
    directories = disk.names(top)
    found: list[str] = []
    for pod in ending:
        # kubelet names them namespace_pod_uid/container/restart.log; the newest container stands last.
        prefix = f"{pod.namespace}_{pod.name}_"
        for directory in (top / name for name in directories if name.startswith(prefix)):
            for container in disk.names(directory):
                files = sorted(disk.names(directory / container), key=_number)
                if files:
                    found += _tail(
                        runner, str(directory / container / files[-1]), f"{pod.namespace}/{pod.name}"
                    )
    return tuple(found)


def _number(name: str) -> int:
    first = name.partition(".")[0]
    return int(first) if name.endswith(".log") and first.isdigit() else -1


def _tail(runner: Runner, path: str, pod: str) -> list[str]:
    try:
        lines = runner.run(["tail", "-n", LINES, path], timeout=5.0).stdout.splitlines()
    except CommandFailed:
        return []
    return [f"{pod}: {line.split(' ', STAMP_FIELDS)[-1]}" for line in lines if line]
