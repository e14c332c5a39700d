"""The network policies of a site, as a pure function of its document, and the manifest that k3s applies them from.

They follow the k3s hardening guide (docs.k3s.io, security/hardening-guide, "NetworkPolicies"; CIS 5.3.2), but for two
things: what listens for the site, such as its ingress, is let in only where that component runs, and every service that
servicelb carries rather than Traefik's alone. Policies only ever add up, so that a site opens more by policies of its own.
What comes from the node itself is never held back (kube-router, as k3s brings it), nor are pods in the host's network.
"""

import json
from collections.abc import Mapping
from typing import Any

from archipel_contract.site import Hardening, SiteDocument

API = "networking.k8s.io/v1"
SYSTEM = "kube-system"
CLOSED = ("default", "kube-node-lease", "kube-public")  # what k3s makes besides; closed under `strict`
EVERYWHERE: Mapping[str, Any] = {}
INSIDE: Mapping[str, Any] = {"from": [{"podSelector": {}}]}
DNS: Mapping[str, Any] = {"ports": [{"port": 53, "protocol": kind} for kind in ("UDP", "TCP")]}

# The labels k3s gives its own parts; servicelb marks each pod with the service it carries.
_DNS_PODS = {"matchLabels": {"k8s-app": "kube-dns"}}
_METRICS_PODS = {"matchLabels": {"k8s-app": "metrics-server"}}
_TRAEFIK_PODS = {"matchLabels": {"app.kubernetes.io/name": "traefik"}}
_CARRIERS = {"matchExpressions": [{"key": "svccontroller.k3s.cattle.io/svcname", "operator": "Exists"}]}
_OPEN: Mapping[str, Mapping[str, Any]] = {"traefik": _TRAEFIK_PODS, "servicelb": _CARRIERS}

Policy = dict[str, Any]


def policies(site: SiteDocument) -> tuple[Policy, ...]:
    """Return every policy of a site, complete, so that what the API gives back has the same `spec`."""
    made = [
        _policy(SYSTEM, "inside", {}, INSIDE),
        _policy(SYSTEM, "dns", _DNS_PODS, DNS),
        _policy(SYSTEM, "metrics", _METRICS_PODS, EVERYWHERE),
    ]
    running = [name for name in _OPEN if name in site.components]
    made += [_policy(SYSTEM, name, _OPEN[name], EVERYWHERE) for name in running]
    if site.hardening is Hardening.STRICT:
        made += [_policy(namespace, "inside", {}, INSIDE) for namespace in CLOSED]
        made += [_policy("default", name, {}, _out_of_system(_OPEN[name])) for name in running]
    return tuple(made)


def path_of(policy: Policy) -> str:
    """Return where the API has a policy."""
    meta = policy["metadata"]
    return f"/apis/{API}/namespaces/{meta['namespace']}/networkpolicies/{meta['name']}"


def manifest(site: SiteDocument) -> str:
    """Return the manifest; JSON is YAML."""
    head = "# Written by Archipel. k3s takes a policy away again that stands here no longer.\n"
    return head + "".join(f"---\n{json.dumps(one, indent=2)}\n" for one in policies(site))


def _policy(namespace: str, name: str, pods: Mapping[str, Any], ingress: Mapping[str, Any]) -> Policy:
    return {
        "apiVersion": API,
        "kind": "NetworkPolicy",
        "metadata": {"name": f"archipel-{name}", "namespace": namespace},
        "spec": {"podSelector": dict(pods), "ingress": [dict(ingress)], "policyTypes": ["Ingress"]},
    }


def _out_of_system(pods: Mapping[str, Any]) -> Mapping[str, Any]:
    system = {"matchLabels": {"kubernetes.io/metadata.name": SYSTEM}}
    return {"from": [{"namespaceSelector": system, "podSelector": dict(pods)}]}
