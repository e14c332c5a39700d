"""What goes into a support bundle: one small function for each file or group of files.

Each returns `{name in the bundle: content}`: a text, or data that becomes JSON. Each may fail by itself; the bundle then
lacks that part and says why. Secrets are removed by `bundle` afterwards, so nothing here needs to think of them, but for
one thing: what is private to workloads (environment, arguments, annotations of pods) is not collected at all.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archipel_agent.checks.base import Evidence
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, Ports
from archipel_contract.findings import CheckResult
from archipel_contract.wire import to_data

K3S_LOG_LINES = 5000
OTHER_LOG_LINES = 2000
COMMAND_SECONDS = 20.0
TEXT_SUFFIXES = (".yaml", ".yml", ".toml", ".conf")
LOGS = ("k3s_log", "containerd_log")  # of the evidence: they have files of their own

Content = str | Mapping[str, Any] | list[Any]
Files = Mapping[str, Content]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What collectors may look at."""

    ports: Ports
    paths: Paths
    evidence: Evidence
    checks: tuple[CheckResult, ...]

    def text(self, path: Path) -> str:
        """Return a file's text; raise OSError."""
        return self.ports.disk.read(path).decode(errors="replace")

    def command(self, *words: str, ok: tuple[int, ...] = (0,)) -> str:
        """Return what a command prints; raise CommandFailed, also where it is not installed."""
        place = self.ports.runner.find(words[0])
        if place is None:
            raise CommandFailed(f"{words[0]} is not installed")
        return self.ports.runner.run([place, *words[1:]], timeout=COMMAND_SECONDS, ok=ok).stdout


Collector = Callable[[Machine], Files]


def _report(machine: Machine) -> Files:
    kept = {
        field.name: to_data(getattr(machine.evidence, field.name))
        for field in dataclasses.fields(machine.evidence)
        if field.name not in LOGS
    }
    return {"report.json": kept}


def _checks(machine: Machine) -> Files:
    return {"checks.json": to_data(list(machine.checks))}


def _k3s_settings(machine: Machine) -> Files:
    """The files we write and the ones a site adds; never k3s.yaml, which is a key to the cluster."""
    place = machine.paths.k3s_settings
    names = ["config.yaml", "registries.yaml", "admission.yaml", "audit-policy.yaml"]
    paths = [place / name for name in names] + _in_directory(machine, place / "config.yaml.d")
    return _texts(machine, "k3s", paths, place)


def _containerd_settings(machine: Machine) -> Files:
    place = machine.paths.k3s_data / "agent/etc/containerd"
    paths = [place / "config.toml", *_in_directory(machine, place / "config-v3.toml.d")]
    return _texts(machine, "containerd", paths, place)


def _units(machine: Machine) -> Files:
    units = machine.paths.units
    paths = [machine.paths.k3s_unit, units / "archipel-agent.service"]
    for unit in ("k3s.service.d", "archipel-agent.service.d"):
        paths += _in_directory(machine, units / unit)
    return _texts(machine, "systemd", paths, units)


def _own_settings(machine: Machine) -> Files:
    paths = [machine.paths.settings / "agent.toml", machine.paths.sysctl, machine.paths.at("etc/os-release")]
    return _texts(machine, "settings", paths, machine.paths.root)


def _k3s_log(machine: Machine) -> Files:
    return {"logs/k3s.log": "\n".join(machine.ports.k3s.log(K3S_LOG_LINES)) + "\n"}


def _containerd_log(machine: Machine) -> Files:
    # By `tail`, because the file grows to 50 MB and we have little memory.
    log = machine.paths.k3s_data / "agent/containerd/containerd.log"
    return {"logs/containerd.log": machine.command("tail", "-n", str(OTHER_LOG_LINES), str(log))}


def _agent_log(machine: Machine) -> Files:
    own = machine.paths.state / "log/agent.log"
    if machine.ports.disk.exists(own):
        return {"logs/agent.log": machine.command("tail", "-n", str(OTHER_LOG_LINES), str(own))}
    return {"logs/agent.log": _journal(machine, "-u", "archipel-agent.service")}


def _kernel_log(machine: Machine) -> Files:
    return {"logs/kernel.log": _journal(machine, "-k")}


def _journal(machine: Machine, *what: str) -> str:
    return machine.command(
        "journalctl", *what, "-n", str(OTHER_LOG_LINES), "-o", "short-iso", "--no-pager", "-q"
    )


def _mounts(machine: Machine) -> Files:
    # Of process 1, since the agent's own view of the system is partly read-only.
    for place in ("/proc/1/mounts", "/proc/self/mounts"):
        try:
            return {"machine/mounts.txt": machine.text(Path(place))}
        except OSError:
            continue
    raise OSError("neither /proc/1/mounts nor /proc/self/mounts can be read")


def _nodes(machine: Machine) -> Files:
    return {"kubernetes/nodes.json": [_node(item) for item in _items(machine, "/api/v1/nodes")]}


def _pods(machine: Machine) -> Files:
    return {"kubernetes/pods.json": [_pod(item) for item in _items(machine, "/api/v1/pods")]}


def _events(machine: Machine) -> Files:
    kept = (
        "type",
        "reason",
        "message",
        "count",
        "firstTimestamp",
        "lastTimestamp",
        "eventTime",
        "involvedObject",
    )
    items = _items(machine, "/api/v1/events?limit=1000")
    return {"kubernetes/events.json": [_only(item, kept) for item in items]}


def _ready(machine: Machine) -> Files:
    reply = machine.ports.kube.request("GET", "/readyz?verbose")
    return {"kubernetes/readyz.txt": f"{reply.status}\n{reply.body.decode(errors='replace')}\n"}


def _certificates(machine: Machine) -> Files:
    binary = machine.evidence.site.k3s.path if machine.evidence.site else str(machine.paths.k3s_binary)
    if not machine.ports.disk.exists(Path(binary)):
        raise CommandFailed(f"{binary} is not there")
    argv = [binary, "certificate", "check", "-o", "json", "--data-dir", str(machine.paths.k3s_data)]
    done = machine.ports.runner.run(argv, timeout=COMMAND_SECONDS)
    return {"kubernetes/certificates.json": json.loads(done.stdout)}


def _printed(name: str, *words: str, ok: tuple[int, ...] = (0,)) -> tuple[str, Collector]:
    return " ".join(words), lambda machine: {name: machine.command(*words, ok=ok)}


COLLECTORS: tuple[tuple[str, Collector], ...] = (
    ("report", _report),
    ("checks", _checks),
    ("k3s settings", _k3s_settings),
    ("containerd settings", _containerd_settings),
    ("units", _units),
    ("settings", _own_settings),
    ("k3s log", _k3s_log),
    ("containerd log", _containerd_log),
    ("agent log", _agent_log),
    ("kernel log", _kernel_log),
    ("mounts", _mounts),
    _printed("machine/addresses.txt", "ip", "addr"),
    _printed("machine/routes.txt", "ip", "route", "show", "table", "all"),
    _printed("machine/disks.txt", "df", "-PT"),
    _printed(
        "machine/units.txt",
        "systemctl",
        "status",
        "k3s.service",
        "archipel-agent.service",
        "--no-pager",
        "-n",
        "0",
        ok=(0, 3, 4),
    ),
    _printed("machine/failed-units.txt", "systemctl", "--failed", "--no-pager", "--plain"),
    ("readyz", _ready),
    ("nodes", _nodes),
    ("pods", _pods),
    ("events", _events),
    ("certificates", _certificates),
)


def _in_directory(machine: Machine, place: Path) -> list[Path]:
    return [place / name for name in machine.ports.disk.names(place) if name.endswith(TEXT_SUFFIXES)]


def _texts(machine: Machine, folder: str, paths: Iterable[Path], below: Path) -> Files:
    """Return the files that are there, named as below `below`; one that cannot be read says so in its place."""
    found: dict[str, Content] = {}
    for path in paths:
        if machine.ports.disk.exists(path):
            try:
                found[f"{folder}/{path.relative_to(below)}"] = machine.text(path)
            except OSError as error:
                found[f"{folder}/{path.relative_to(below)}.error"] = f"{error}\n"
    return found


def _items(machine: Machine, path: str) -> list[dict[str, Any]]:
    reply = machine.ports.kube.request("GET", path)
    if reply.status != 200:
        raise CommandFailed(f"{path} answered {reply.status}: {reply.body.decode(errors='replace')[:200]}")
    items: list[dict[str, Any]] = json.loads(reply.body)["items"]
    return items


def _only(item: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: item[key] for key in keys if key in item}


def _meta(item: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("name", "namespace", "labels", "creationTimestamp", "deletionTimestamp", "ownerReferences")
    return _only(item.get("metadata", {}), kept)


def _node(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"metadata": _meta(item), "spec": item.get("spec", {}), "status": item.get("status", {})}


def _pod(item: Mapping[str, Any]) -> dict[str, Any]:
    spec = item.get("spec", {})
    containers = [_only(one, ("name", "image", "resources", "ports")) for one in spec.get("containers", [])]
    kept = _only(spec, ("nodeName", "hostNetwork", "nodeSelector", "tolerations", "priorityClassName"))
    return {
        "metadata": _meta(item),
        "spec": {**kept, "containers": containers},
        "status": item.get("status", {}),
    }
