"""Reads how a site's hardening stands in the cluster itself, for the check of that name; called by `observe`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from archipel_agent.k3s.config import WITHOUT_IDENTITY
from archipel_agent.k3s.policies import path_of, policies
from archipel_agent.paths import Paths
from archipel_agent.ports import Files, Ports
from archipel_contract.site import Hardening, SiteDocument

REASON = "archipel/reason"  # the annotation of a namespace or an account that says why it is hardened less
LEVELS = ("privileged", "baseline", "restricted")
# All namespaces' default accounts at once; more of accounts our identity may not read.
ACCOUNTS = "/api/v1/serviceaccounts?fieldSelector=metadata.name%3Ddefault"
LABEL = "pod-security.kubernetes.io/enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class HardeningSeen:
    """How it stands; what could not be asked is no finding."""

    asked: bool = True  # the API answered for every policy
    shared_token: bool | None = None  # agents join with the token of the servers
    missing: tuple[str, ...] = ()  # policies that are not there as they were written, "namespace/name"
    lowered: tuple[tuple[str, str, str], ...] = ()  # (namespace, level, reason) enforced less than the site
    handing: tuple[
        tuple[str, str], ...
    ] = ()  # (namespace, reason) whose default account gives its token to every pod


def seen(ports: Ports, paths: Paths, site: SiteDocument) -> HardeningSeen:
    """Return how it stands; what the API does not answer is left out."""
    missing, asked = [], True
    for policy in policies(site):
        reply = ports.kube.request("GET", path_of(policy))
        if reply.status == 404 or (reply.status == 200 and _spec(reply.body) != policy["spec"]):
            missing.append("{namespace}/{name}".format(**policy["metadata"]))
        elif reply.status != 200:
            asked = False
            break  # an API that does not answer this one would keep us waiting for the others, too
    return HardeningSeen(
        asked=asked,
        shared_token=shares_token(ports.disk, paths),
        missing=tuple(missing),
        lowered=tuple(_lowered(ports, site)),
        handing=tuple(_handing(ports)) if asked else (),
    )


def shares_token(disk: Files, paths: Paths) -> bool | None:
    """Whether agents join with the servers' token: k3s then makes `agent-token` a link to `token` (k3s pkg/server)."""
    own = []
    for name in ("token", "agent-token"):
        try:
            own.append(disk.read(paths.k3s_data / "server" / name).decode().strip().rpartition(":")[2])
        except (OSError, UnicodeDecodeError):
            return None
    return own[0] == own[1]


def _lowered(ports: Ports, site: SiteDocument) -> Iterator[tuple[str, str, str]]:
    """Yield the namespaces whose label asks for less than the whole site's rule."""
    reply = ports.kube.request("GET", "/api/v1/namespaces")
    if reply.status != 200:
        return
    least = LEVELS.index("restricted" if site.hardening is Hardening.STRICT else "baseline")
    for one in _read(reply.body).get("items", ()):
        meta = one["metadata"]
        level = (meta.get("labels") or {}).get(LABEL)
        if level in LEVELS and LEVELS.index(level) < least:
            yield meta["name"], level, (meta.get("annotations") or {}).get(REASON, "").strip()


def _handing(ports: Ports) -> Iterator[tuple[str, str]]:
    """Yield the namespaces that were to hand out no tokens and whose default account does."""
    reply = ports.kube.request("GET", ACCOUNTS)
    if reply.status != 200:
        return
    for one in _read(reply.body).get("items", ()):
        meta = one["metadata"]
        if meta["namespace"] in WITHOUT_IDENTITY and one.get("automountServiceAccountToken") is not False:
            yield meta["namespace"], (meta.get("annotations") or {}).get(REASON, "").strip()


def _spec(body: bytes) -> Any:
    return _read(body).get("spec")


def _read(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except ValueError:
        return {}  # not what we asked for: nothing in it is as it should be
    return data if isinstance(data, dict) else {}
