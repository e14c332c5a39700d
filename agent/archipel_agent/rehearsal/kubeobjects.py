"""Objects of the simulated API: server-side apply, get and delete as the real one answers them (k3s 1.36).

Only what the agent's identity consists of is ever applied, so there is no schema and no merging of several managers'
fields: an apply replaces what an earlier one of ours said.
"""

import base64
import hashlib
import json
import re
from datetime import timedelta
from typing import Any

from archipel_agent.host.clock import text
from archipel_agent.ports import Clock, KubeReply
from archipel_agent.rehearsal.datastore import Datastore

APPLY = "application/apply-patch+yaml"
TOKEN_SECRET = "kubernetes.io/service-account-token"
ACCOUNT_OF = "kubernetes.io/service-account.name"
TOKEN_SECONDS = 0.2  # until the token controller has filled a new Secret
NAMESPACE_SECONDS = 6.0  # until the namespace controller has emptied a deleted namespace
FILLED_AT, GONE_AT = "rehearsal/filled-at", "rehearsal/gone-at"  # our own notes beside the object

_NAMESPACE = re.compile(r"(/api/v1/namespaces/([^/]+))(/.*)?")


def reply(status: int, body: Any) -> KubeReply:
    """Return an answer with a JSON body."""
    return KubeReply(status=status, body=json.dumps(body, separators=(",", ":")).encode())


def failure(status: int, reason: str, message: str) -> KubeReply:
    """Return a refusal as the API words it."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": status,
    }
    return reply(status, body)


def settle(datastore: Datastore, clock: Clock) -> None:
    """Let the controllers do what is due: fill token Secrets, finish deletions."""
    now = text(clock.now())
    changed = False
    for path, kept in list(datastore.objects.items()):
        if kept.get(GONE_AT, "9") <= now:
            for inside in [one for one in datastore.objects if one == path or one.startswith(f"{path}/")]:
                datastore.objects.pop(inside)
            changed = True
        elif kept.get(FILLED_AT, "9") <= now:
            kept["data"] = _token_data(datastore, path, kept)
            kept.pop(FILLED_AT)
            changed = True
    if changed:
        datastore.keep()


def of_kind(datastore: Datastore, kind: str) -> list[dict[str, Any]]:
    """Return the objects of one kind as a list shows them."""
    return [_shown(kept) for kept in datastore.objects.values() if kept["kind"] == kind]


def handled(
    datastore: Datastore, clock: Clock, method: str, target: tuple[str, str], sent: tuple[bytes, str]
) -> KubeReply:
    """Answer a request for one object; `target` is path and query, `sent` body and content type."""
    settle(datastore, clock)
    path, query = target
    if method == "PATCH":
        return _applied(datastore, clock, path, query, sent)
    kept = datastore.objects.get(path)
    if kept is None:
        kind, name = path.split("/")[-2:]
        return failure(404, "NotFound", f'{kind} "{name}" not found')
    if method == "DELETE":
        return _deleted(datastore, clock, path, kept)
    if method == "GET":
        return reply(200, _shown(kept))
    return failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def _applied(datastore: Datastore, clock: Clock, path: str, query: str, sent: tuple[bytes, str]) -> KubeReply:
    body, content_type = sent
    if content_type != APPLY:
        return failure(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
    if "fieldManager=" not in query:
        return failure(422, "Invalid", "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value")
    match = _NAMESPACE.fullmatch(path)
    before = datastore.objects.get(path)
    if match and match[3] and before is None:
        home = datastore.objects.get(match[1])
        if home is None:
            return failure(404, "NotFound", f'namespaces "{match[2]}" not found')
        if GONE_AT in home:
            why = f"because namespace {match[2]} is being terminated"
            return failure(403, "Forbidden", f"{path} is forbidden: unable to create new content {why}")
    wanted: dict[str, Any] = json.loads(body)
    kept = {**(before or {}), **wanted}
    born = text(clock.now())
    uid = hashlib.sha256(f"{path} {born}".encode()).hexdigest()[:32]
    old = (before or {}).get("metadata", {"uid": uid, "creationTimestamp": born})
    kept["metadata"] = {**old, **wanted["metadata"]}
    if wanted.get("type") == TOKEN_SECRET and "data" not in kept:
        kept[FILLED_AT] = text(clock.now() + timedelta(seconds=TOKEN_SECONDS))
    if kept != before:
        datastore.objects[path] = kept
        datastore.keep()
    return reply(200 if before else 201, _shown(kept))


def _deleted(datastore: Datastore, clock: Clock, path: str, kept: dict[str, Any]) -> KubeReply:
    if kept["kind"] != "Namespace":
        datastore.objects.pop(path)
        datastore.keep()
        return reply(200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
    if GONE_AT not in kept:
        kept[GONE_AT] = text(clock.now() + timedelta(seconds=NAMESPACE_SECONDS))
        kept["status"] = {"phase": "Terminating"}
        for inside in [one for one in datastore.objects if one.startswith(f"{path}/")]:
            datastore.objects.pop(inside)
        datastore.keep()
    return reply(200, _shown(kept))


def _shown(kept: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kept.items() if name not in (FILLED_AT, GONE_AT)}


def _token_data(datastore: Datastore, path: str, kept: dict[str, Any]) -> dict[str, str]:
    account = kept["metadata"].get("annotations", {}).get(ACCOUNT_OF, "")
    token = hashlib.sha256(f"{datastore.born} {account} {kept['metadata']['uid']}".encode()).hexdigest()
    namespace = path.split("/")[4]
    texts = {"token": token, "ca.crt": datastore.authority, "namespace": namespace}
    return {name: base64.b64encode(value.encode()).decode() for name, value in texts.items()}
