"""What a k3s that was here before us is like: read from its API, its settings and its files; nothing is changed.

The one account of all its settings, from the command line, its environment and every file, is what k3s itself writes to
its node (annotation `k3s.io/node-args`, secrets masked); where that is not to be had, its files are read. Called by the
steps of `adopt` and, for drift, by `observe`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archipel_agent.k3s.files import datastore
from archipel_agent.paths import Paths
from archipel_agent.ports import Files, Ports
from archipel_contract.site import COMPONENTS, Network

NODE_ARGS = "k3s.io/node-args"
EXTERNAL = "external"  # kind of a datastore that is not on this machine's disk
SERVER_PROCESSES = ("k3s-server", "k3s")  # as the kernel names the process that listens
API_PORT = 6443
SHORT = {"-c": "config", "-d": "data-dir", "-t": "token", "-s": "server"}
_KEY = re.compile(r"^([a-z][a-z0-9-]*)\+?:\s*(.*)$")
_ITEM = re.compile(r"^\s*-\s+(.*)$")

Arguments = Mapping[str, tuple[str, ...]]


class NotReadable(Exception):
    """The cluster's API did not answer as it should; the message says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """A k3s as it is."""

    node_name: str
    nodes: int
    version: str
    network: Network
    datastore: str
    arguments: Arguments = field(default_factory=dict)

    @property
    def components(self) -> tuple[str, ...]:
        """The parts of k3s that are not switched off."""
        off = disabled(self.arguments)
        return tuple(one for one in COMPONENTS if one not in off)


def process(ports: Ports) -> int | None:
    """Return the pid of the k3s server that serves the API of this machine, whoever started it."""
    for one in ports.machine.listeners() or ():
        if one.port == API_PORT and one.process in SERVER_PROCESSES:
            return one.pid
    return None


def read(ports: Ports, paths: Paths) -> Existing:
    """Return what the API and the files say; raise NotReadable."""
    nodes = _nodes(ports)
    own = _own(nodes, ports)
    arguments = _arguments(own) or from_files(ports.disk, paths)
    address = next(
        (one["address"] for one in own["status"].get("addresses", ()) if one["type"] == "InternalIP"), ""
    )
    return Existing(
        node_name=own["metadata"]["name"],
        nodes=len(nodes),
        version=own["status"].get("nodeInfo", {}).get("kubeletVersion", ""),
        network=_network(arguments, address, ports),
        datastore=EXTERNAL if "datastore-endpoint" in arguments else datastore(ports.disk, paths),
        arguments=arguments,
    )


def arguments(ports: Ports, paths: Paths) -> Arguments:
    """Return its settings as k3s last told them, by their names in config.yaml; from its files where it does not say."""
    try:
        return _arguments(_own(_nodes(ports), ports)) or from_files(ports.disk, paths)
    except NotReadable:
        return from_files(ports.disk, paths)


def disabled(given: Arguments) -> frozenset[str]:
    """Return the parts of k3s that are switched off; it takes them in several words and with commas."""
    return frozenset(one.strip() for word in given.get("disable", ()) for one in word.split(","))


def parse_words(words: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the flags of a command line by name with every value; one without a value is `true`."""
    found: dict[str, tuple[str, ...]] = {}
    at = 0
    while at < len(words):
        name, equals, value = words[at].partition("=")
        at += 1
        if not name.startswith("-"):
            continue
        key = SHORT.get(name, name.lstrip("-"))
        if not equals:
            has_value = at < len(words) and not words[at].startswith("--") and words[at] not in SHORT
            value = words[at] if has_value else "true"
            at += has_value
        found[key] = (*found.get(key, ()), value)
    return found


def from_files(disk: Files, paths: Paths) -> dict[str, tuple[str, ...]]:
    """Return what config.yaml and its drop-ins say, later files over earlier ones."""
    drop_ins = paths.k3s_settings / "config.yaml.d"
    names = [name for name in disk.names(drop_ins) if name.endswith((".yaml", ".yml"))]
    found: dict[str, tuple[str, ...]] = {}
    for path in (paths.k3s_config, *(drop_ins / name for name in names)):
        try:
            found |= flat_yaml(disk.read(path).decode(errors="replace"))
        except OSError:
            continue
    return found


def flat_yaml(text: str) -> dict[str, tuple[str, ...]]:
    """Return the top-level scalars and lists of scalars of a file of k3s' settings; anything deeper is left out."""
    found: dict[str, tuple[str, ...]] = {}
    key = ""
    for line in text.splitlines():
        if named := _KEY.match(line):
            key = named[1]
            value = named[2].split(" #")[0].strip()
            found[key] = tuple(_listed(value)) if value.startswith("[") else (_bare(value),) if value else ()
        elif key and (item := _ITEM.match(line)):
            found[key] = (*found[key], _bare(item[1].split(" #")[0].strip()))
    return found


def _listed(value: str) -> Iterator[str]:
    return (_bare(one.strip()) for one in value.strip("[]").split(",") if one.strip())


def _bare(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


def _nodes(ports: Ports) -> list[dict[str, Any]]:
    reply = ports.kube.request("GET", "/api/v1/nodes")
    if reply.status != 200:
        said = reply.body[:200].decode(errors="replace") or "nobody answered"
        raise NotReadable(f"its API answered {reply.status}: {said}")
    try:
        items: list[dict[str, Any]] = json.loads(reply.body)["items"]
    except (ValueError, LookupError, TypeError) as error:
        raise NotReadable(f"its API answered what is no list of nodes: {error}") from error
    return items


def _own(nodes: list[dict[str, Any]], ports: Ports) -> dict[str, Any]:
    """Return the node that this machine is: by an address it has, or the only one there is."""
    here = {text.partition("/")[0] for nic in ports.machine.facts().nics for text in nic.addresses}
    for node in nodes:
        if any(one.get("address") in here for one in node.get("status", {}).get("addresses", ())):
            return node
    if len(nodes) != 1:
        raise NotReadable(f"none of its {len(nodes)} nodes has an address of this machine")
    return nodes[0]


def _arguments(node: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    text = node["metadata"].get("annotations", {}).get(NODE_ARGS, "")
    try:
        words = json.loads(text) if text else []
    except ValueError:
        return {}
    return parse_words([str(word) for word in words]) if isinstance(words, list) else {}


def _network(given: Arguments, address: str, ports: Ports) -> Network:
    interface = given.get("flannel-iface", ("",))[-1] or next(
        (
            nic.name
            for nic in ports.machine.facts().nics
            if any(text.partition("/")[0] == address for text in nic.addresses)
        ),
        "",
    )
    plain = Network(node_ip=address, interface=interface)
    return Network(
        node_ip=address,
        interface=interface,
        cluster_cidr=given.get("cluster-cidr", (plain.cluster_cidr,))[-1],
        service_cidr=given.get("service-cidr", (plain.service_cidr,))[-1],
    )


def elsewhere(given: Arguments, paths: Paths) -> str:
    """Return the data directory of a k3s that keeps its data where Archipel does not look; empty for the usual place."""
    place = given.get("data-dir", (str(paths.k3s_data),))[-1]
    return "" if Path(place) == paths.k3s_data else place
