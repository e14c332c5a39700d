"""Give the agent an identity of its own towards Kubernetes, so that the administrator's is not used day by day."""

import base64
import json
from pathlib import Path

from archipel_agent.k3s.identity import (
    NAMESPACE,
    SECRET,
    apply_body,
    apply_path,
    edition,
    objects,
    removal_paths,
)
from archipel_agent.paths import Paths
from archipel_agent.ports import Files, Ports
from archipel_agent.steps import start
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding
from archipel_contract.findings import Finding

APPLY = "application/apply-patch+yaml"
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.1
GOING = b"being terminated"  # how the API refuses content for a namespace that is deleted (Kubernetes, NamespaceLifecycle)
GOING_SECONDS = 60.0
GOING_POLL_SECONDS = 0.5


def identity_file(paths: Paths) -> Path:
    """Return where the identity is kept."""
    return paths.state / "kube/identity.json"


def is_current(disk: Files, paths: Paths) -> bool:
    """Whether there is an identity, with objects in the cluster that are those of this version of the agent."""
    path = identity_file(paths)
    if not disk.exists(path):
        return False
    try:
        kept = json.loads(disk.read(path))
    except ValueError:
        return False
    return isinstance(kept, dict) and kept.get("edition") == edition()


def check(context: Context) -> str | None:
    """Nothing to do when there is one, the API knows it, and it is of this version."""
    if not context.ports.disk.exists(identity_file(context.paths)):
        return None
    if context.ports.kube.request("GET", "/version").status == 401:
        context.ports.disk.remove(identity_file(context.paths))  # of an earlier cluster, or revoked
        context.ports.kube.close()
        return None
    return "kept" if is_current(context.ports.disk, context.paths) else None


def run(context: Context) -> str:
    """Make account, role, binding and token, and keep the token in a file only root reads."""
    make(context.ports, context.paths)
    return "service account with read access"


def make(ports: Ports, paths: Paths) -> None:
    """Make it, or exchange the objects of another version for those of this one, as the administrator; raise StepFailed.

    The account may not change its own rights, so that an earlier token is put aside meanwhile. Where that fails it is put
    back: old rights are better than none. Cut off in between, the next `up` makes it anew.
    """
    disk, kube, path = ports.disk, ports.kube, identity_file(paths)
    before = disk.read(path) if disk.exists(path) else b""
    disk.remove(path)
    kube.close()  # the administrator's credentials are read now
    try:
        content = {**_made(ports), "edition": edition()}
    except StepFailed:
        if before:
            disk.write(path, before, 0o600)
            kube.close()
        raise
    disk.write(path, json.dumps(content).encode(), 0o600)
    kube.close()


def _made(ports: Ports) -> dict[str, str]:
    _apply(ports)
    secret = _token(ports)
    return {
        "token": base64.b64decode(secret["token"]).decode(),
        "ca": base64.b64decode(secret["ca.crt"]).decode(),
    }


def _apply(ports: Ports) -> None:
    """Make the objects, namespace first; one that an earlier `leave` or `remove` took away may only be going yet."""
    clock = ports.clock
    deadline = clock.monotonic() + GOING_SECONDS
    is_going = False
    while True:
        for path, body in objects():
            reply = ports.kube.request("PATCH", apply_path(path), apply_body(body), APPLY)
            if reply.status not in (200, 201):
                break
        else:
            return
        is_going = GOING in reply.body or (is_going and reply.status == 404)  # and then it is gone
        if not is_going or clock.monotonic() >= deadline:
            raise StepFailed(_refused(path, reply.status, reply.body))
        clock.wait(GOING_POLL_SECONDS)


def _token(ports: Ports) -> dict[str, str]:
    """Wait for the token controller to fill the Secret."""
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/{SECRET}"
    clock = ports.clock
    deadline = clock.monotonic() + WAIT_SECONDS
    while True:
        reply = ports.kube.request("GET", path)
        data: dict[str, str] = json.loads(reply.body).get("data") or {} if reply.status == 200 else {}
        if "token" in data and "ca.crt" in data:
            return data
        if clock.monotonic() >= deadline:
            raise StepFailed(_refused(path, reply.status, b"no token was issued"))
        clock.wait(POLL_SECONDS)


def _refused(path: str, status: int, body: bytes) -> Finding:
    said = body[:200].decode(errors="replace")
    return finding("job-failed", step="identity", problem=f"{path} answered {status}: {said}")


def forget(context: Context, patience: float = 0.0) -> str:
    """Remove the identity from the cluster, as far as its API answers, and from the disk.

    Waits up to `patience` seconds for the API of a k3s that runs: after a power cut it may only be starting.
    """
    _await_api(context, patience)
    context.ports.disk.remove(identity_file(context.paths))
    context.ports.kube.close()
    left = 0
    for path in removal_paths():
        reply = context.ports.kube.request("DELETE", path)
        left += reply.status not in (200, 202, 404)
    context.ports.kube.close()
    return (
        "removed" if not left else "removed here; the API did not answer, so its objects stay in the cluster"
    )


def _await_api(context: Context, patience: float) -> None:
    clock = context.ports.clock
    deadline = clock.monotonic() + patience
    context.progress.waiting_for("the API to answer")
    while clock.monotonic() < deadline and context.ports.k3s.status().state in start.RUNNING:
        if context.ports.kube.request("GET", "/readyz").status == 200:
            return
        clock.wait(POLL_SECONDS)


def undo(context: Context) -> None:
    """Take the identity back for a site that never came into force."""
    if context.store.site() is None:
        forget(context)


STEP = Step(
    slug="identity", title="Give the agent its own read-only identity", check=check, run=run, undo=undo
)
