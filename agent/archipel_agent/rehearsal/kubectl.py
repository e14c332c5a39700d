"""The rehearsed `k3s kubectl`: `get` of nodes and pods over the simulated API, as a table or as JSON. Used by `runner`.

Honest about being less: what else kubectl can do it refuses, and says that this is a rehearsal.
"""

import json
from collections.abc import Sequence
from typing import Any

from archipel_agent.ports import CommandFailed, KubeApi

PATHS = {
    **dict.fromkeys(("nodes", "node", "no"), "/api/v1/nodes"),
    **dict.fromkeys(("pods", "pod", "po"), "/api/v1/pods"),
}
NAMESPACE, EVERYWHERE = ("-n=", "--namespace="), ("-A", "--all-namespaces")


def answer(kube: KubeApi, words: Sequence[str]) -> str:
    """Return what kubectl would print; raise CommandFailed."""
    options = [word for word in words if word.startswith("-")]
    plain = [word for word in words if not word.startswith("-")]
    if len(plain) != 2 or plain[0] != "get" or plain[1] not in PATHS:
        raise CommandFailed("rehearsed: this kubectl knows no more than get nodes and get pods", 1)
    path = PATHS[plain[1]]
    reply = kube.request("GET", path)
    if reply.status != 200:
        said = reply.body.decode(errors="replace")
        raise CommandFailed(f"kubectl: the API answered {reply.status}: {said[:200]}", 1, "", said)
    items = json.loads(reply.body).get("items", [])
    if path.endswith("pods") and not set(EVERYWHERE) & set(options):
        wanted = next((one.partition("=")[2] for one in options if one.startswith(NAMESPACE)), "default")
        items = [one for one in items if one["metadata"].get("namespace") == wanted]
    if "--output=json" in options:
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    return _table([_node(one) if path.endswith("nodes") else _pod(one) for one in items])


def _node(item: dict[str, Any]) -> dict[str, str]:
    truths = {one["type"]: one["status"] for one in item["status"].get("conditions", [])}
    return {
        "NAME": item["metadata"]["name"],
        "STATUS": "Ready" if truths.get("Ready") == "True" else "NotReady",
        "VERSION": item["status"].get("nodeInfo", {}).get("kubeletVersion", ""),
    }


def _pod(item: dict[str, Any]) -> dict[str, str]:
    states = item["status"].get("containerStatuses", [])
    return {
        "NAMESPACE": item["metadata"].get("namespace", ""),
        "NAME": item["metadata"]["name"],
        "READY": f"{sum(bool(one.get('ready')) for one in states)}/{len(states) or 1}",
        "STATUS": item["status"].get("phase", "Unknown"),
        "RESTARTS": str(sum(int(one.get("restartCount", 0)) for one in states)),
    }


def _table(rows: list[dict[str, str]]) -> str:
    if not rows:
        return "No resources found\n"
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    cells = ("   ".join(one.ljust(width) for one, width in zip(line, widths, strict=True)) for line in lines)
    return "".join(f"{line.rstrip()}\n" for line in cells)
