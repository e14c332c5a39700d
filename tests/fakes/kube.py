"""A Kubernetes API that is told what it holds and how it misbehaves; implements the KubeApi port."""

import json
from typing import Any

from archipel_agent.k3s.kubewatch import NoWatch
from archipel_agent.ports import KubeReply, KubeWatch

Item = dict[str, Any]


def node_item(name: str, ready: bool) -> Item:
    """A node as the API shows it."""
    condition = {
        "type": "Ready",
        "status": str(ready),
        "reason": "KubeletReady" if ready else "KubeletNotReady",
    }
    return {"metadata": {"name": name, "labels": {}}, "status": {"conditions": [condition]}}


def pod_item(namespace: str, name: str, ready: bool) -> Item:
    """A pod with one container as the API shows it."""
    status = {"phase": "Running", "containerStatuses": [{"ready": ready, "restartCount": 0}]}
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"nodeName": "edge"},
        "status": status,
    }


class ScriptedWatch:
    """What has been told and not yet read."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.is_over = False

    def arrived(self) -> tuple[bytes, ...] | None:
        """See ports.KubeWatch."""
        lines, self.lines = tuple(self.lines), []
        return None if self.is_over else lines

    def is_quiet(self) -> bool:
        """See ports.KubeWatch."""
        return not self.lines and not self.is_over

    def close(self) -> None:
        """See ports.KubeWatch."""
        self.is_over = True


class ScriptedKubeApi:
    """See the module."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = True  # False: nobody listens, see go_away
        self.hangs = False  # True: nobody answers, and watches stay silent
        self.refuses = 0  # a status for every request
        self.watchable = True
        self.versioned = True
        self.silent = False  # True: changes are not told
        self._lists: dict[str, dict[tuple[str, str], Item]] = {}
        self._watches: list[tuple[str, ScriptedWatch]] = []

    def request(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> KubeReply:
        """See ports.KubeApi."""
        self.asked.append(path)
        if self.hangs or not self.answers:
            self.end_watches()
            return KubeReply(status=0, body=b"nobody answers")
        if self.refuses:
            return KubeReply(status=self.refuses, body=b"no")
        place = path.partition("?")[0]
        if place not in self._lists:
            return KubeReply(status=200, body=b"ok")
        metadata = {"resourceVersion": "1"} if self.versioned else {}
        listed = {"metadata": metadata, "items": list(self._lists[place].values())}
        return KubeReply(status=200, body=json.dumps(listed).encode())

    def watch(self, path: str) -> KubeWatch:
        """See ports.KubeApi."""
        self.asked.append(path)
        if not self.watchable or not self.answers or self.refuses:
            return NoWatch()
        made = ScriptedWatch()
        self._watches.append((path.partition("?")[0], made))
        return made

    def close(self) -> None:
        """See ports.KubeApi."""
        self.end_watches()

    def put(self, place: str, item: Item) -> None:
        """Add or change an object, and tell the watches."""
        known = self._lists.setdefault(place, {})
        kind = "MODIFIED" if _key(item) in known else "ADDED"
        known[_key(item)] = item
        self._tell(place, {"type": kind, "object": item})

    def drop(self, place: str, namespace: str, name: str) -> None:
        """Delete an object if it is there, and tell the watches."""
        item = self._lists[place].pop((namespace, name), None)
        if item is not None:
            self._tell(place, {"type": "DELETED", "object": item})

    def tell(self, event: dict[str, Any]) -> None:
        """Have every watch tell this."""
        self.tell_raw(json.dumps(event).encode())

    def tell_raw(self, line: bytes) -> None:
        """Have every watch tell this line."""
        for _, watch in self._watches:
            watch.lines.append(line)

    def go_away(self) -> None:
        """Let nobody listen any more; the kernel ends what was open."""
        self.answers = False
        self.end_watches()

    def end_watches(self) -> None:
        """End them all."""
        for _, watch in self._watches:
            watch.is_over = True

    def open_watches(self) -> int:
        """Return how many go on."""
        return sum(not watch.is_over for _, watch in self._watches)

    def _tell(self, place: str, event: dict[str, Any]) -> None:
        for there, watch in self._watches:
            if there == place and not self.silent:
                watch.lines.append(json.dumps(event).encode())


def _key(item: Item) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
