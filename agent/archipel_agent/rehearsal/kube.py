"""The simulated Kubernetes API behind the KubeApi port: who may ask, and whether anybody answers.

What is answered once the caller is known stands in `kubeobjects.py` and `kubelists.py`. As with the real one, status 0
means that nobody answered, and credentials are read when a connection is opened and kept until it is closed.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archipel_agent.k3s.identity import ACCOUNT, NAMESPACE, SECRET
from archipel_agent.k3s.kubewatch import NoWatch
from archipel_agent.ports import KubeReply, KubeWatch
from archipel_agent.rehearsal import kubelists, kubeobjects, recordings
from archipel_agent.rehearsal.datastore import Datastore
from archipel_agent.rehearsal.kubeobjects import failure, reply
from archipel_agent.rehearsal.kubewatch import SimulatedWatch, Versions
from archipel_agent.rehearsal.life import KUBECONFIG, LISTENS, READY, SERVES_AFTER_KUBECONFIG, Run
from archipel_agent.rehearsal.world import SimulatedWorld

READABLE = ("/readyz", "/livez", "/version")
MAY_READ = ("nodes", "pods", "events", "namespaces", "services", "deployments", "daemonsets", "statefulsets")
MAY_LIST = "/api/v1/serviceaccounts?fieldSelector=metadata.name%3Ddefault"  # no other accounts
NO_QUORUM = "etcdserver: request timed out"  # what an API says whose datastore has lost its majority
SECRET_PATH = f"/api/v1/namespaces/{NAMESPACE}/secrets/{SECRET}"


@dataclass(frozen=True, slots=True)
class _Caller:
    token: str  # empty for the administrator's certificate
    authority: str


class SimulatedKubeApi:
    """One kept connection to the API of the world's k3s."""

    def __init__(self, world: SimulatedWorld, kubeconfig: Path, identity: Path) -> None:
        """Read credentials from `identity` or `kubeconfig`, as HttpsKubeApi does."""
        self._world = world
        self._kubeconfig = kubeconfig
        self._identity = identity
        self._caller: _Caller | None = None
        self._versions = Versions()
        self._watches: list[SimulatedWatch] = []

    def request(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> KubeReply:
        """See ports.KubeApi."""
        with self._world.lock:
            self._world.settle()
            answer = self._answer(method, path, body, content_type)
            if answer.status in (0, 401):
                self.close()
            return answer

    def watch(self, path: str) -> KubeWatch:
        """See ports.KubeApi: who may list may watch."""
        with self._world.lock:
            self._world.settle()
            if self._answer("GET", path, b"", "").status != 200:
                return NoWatch()
            place, _, query = path.partition("?")
            made = SimulatedWatch(self._world, self._versions, place, query, lambda: self._items(place))
            self._watches.append(made)
            return made

    def close(self) -> None:
        """See ports.KubeApi."""
        self._caller = None
        for watch in self._watches:
            watch.close()
        self._watches.clear()

    def _items(self, place: str) -> list[dict[str, Any]] | None:
        """Return what a list holds now, None while the API does not serve it."""
        world, run, datastore = self._world, self._world.life.run, self._world.datastore
        if run is None or datastore is None or (world.cluster is not None and not world.cluster.has_quorum()):
            return None
        kubeobjects.settle(datastore, world.clock)
        items: list[dict[str, Any]] = kubelists.listed(place, run, datastore, world)["items"]
        return items

    def _answer(self, method: str, path: str, body: bytes, content_type: str) -> KubeReply:
        run, datastore, now = self._world.life.run, self._world.datastore, self._world.clock.monotonic()
        self._caller = self._caller or self._credentials()
        if self._caller is None:
            return KubeReply(status=0, body=b"k3s has not written its kubeconfig yet")
        if run is None or datastore is None or run.reaches(LISTENS) > now:
            return KubeReply(status=0, body=b"[Errno 111] Connection refused")
        if self._caller.authority and self._caller.authority != datastore.authority:
            return KubeReply(status=0, body=b"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
        if now < run.reaches(KUBECONFIG) + SERVES_AFTER_KUBECONFIG * run.pace:
            return KubeReply(status=503, body=recordings.answer("readyz-503.json").encode())
        refusal = self._refusal(self._caller, datastore, method, path)
        return refusal or self._served(run, datastore, method, path, (body, content_type))

    def _served(
        self, run: Run, datastore: Datastore, method: str, path: str, sent: tuple[bytes, str]
    ) -> KubeReply:
        place, _, query = path.partition("?")
        if self._world.cluster is not None and not self._world.cluster.has_quorum():
            return failure(500, "InternalError", NO_QUORUM)
        if place in ("/readyz", "/livez"):
            if run.reaches(READY) > self._world.clock.monotonic():
                return KubeReply(status=500, body=recordings.answer("readyz-500.txt").encode())
            return KubeReply(status=200, body=b"ok")
        if place == "/version":
            return KubeReply(status=200, body=recordings.answer("version.json").encode())
        if method == "GET" and place in kubelists.LISTS:
            listed = kubelists.listed(place, run, datastore, self._world)
            listed["metadata"]["resourceVersion"] = self._versions.of(place, listed["items"])
            return reply(200, listed)
        if method == "GET" and kubelists.POLICY in place:
            policy = kubelists.policy(self._world, place)
            return reply(200, policy) if policy else failure(404, "NotFound", f"{place} not found")
        return kubeobjects.handled(datastore, self._world.clock, method, (place, query), sent)

    def _credentials(self) -> _Caller | None:
        disk = self._world.disk
        if disk.exists(self._identity):
            own = json.loads(disk.read(self._identity))
            return _Caller(token=own["token"], authority=own["ca"])
        if disk.exists(self._kubeconfig):
            return _Caller(token="", authority="")
        return None

    def _refusal(self, caller: _Caller, datastore: Datastore, method: str, path: str) -> KubeReply | None:
        if not caller.token:
            return None
        kubeobjects.settle(datastore, self._world.clock)
        secret = datastore.objects.get(SECRET_PATH, {})
        if base64.b64decode(secret.get("data", {}).get("token", "")).decode() != caller.token:
            return failure(401, "Unauthorized", "Unauthorized")
        place = path.partition("?")[0]
        readable = place in READABLE or place.rpartition("/")[2] in MAY_READ or kubelists.POLICY in place
        readable = readable or path == MAY_LIST
        if method == "GET" and readable:
            return None
        who = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
        verb = {"PATCH": "patch", "DELETE": "delete", "GET": "get"}.get(method, method.lower())
        what = place.rpartition("/")[2]
        return failure(
            403, "Forbidden", f'{what} is forbidden: User "{who}" cannot {verb} resource at "{place}"'
        )
