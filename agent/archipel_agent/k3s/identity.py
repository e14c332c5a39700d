"""The agent's own identity towards Kubernetes: a service account that may read, made at first start, removed with us.

The kubelet's certificate may read only its own node and pods (measured on 1.36), and the administrator's certificate may
do everything; neither fits. The token is a Secret of type service-account-token, which does not end while sites are
silent for years; it is bound to the account and gone with it.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

NAMESPACE = "archipel-system"
ACCOUNT = "archipel-agent"
SECRET = "archipel-agent-token"
READ = ["get", "list", "watch"]
WORKLOADS = ["deployments", "daemonsets", "statefulsets"]
# What the agent itself does not need: looked at by `kubectl` from afar (see `remote.kubectl`). Never Secrets or ConfigMaps.
LOOKED_AT = ["endpoints", "persistentvolumes", "persistentvolumeclaims"]

_META: Mapping[str, Any] = {"labels": {"app.kubernetes.io/managed-by": "archipel"}}


def _object(api: str, kind: str, name: str, namespaced: bool = False, **fields: Any) -> dict[str, Any]:
    where = {"namespace": NAMESPACE} if namespaced else {}
    meta = {"name": name, **where, **_META, **fields.pop("metadata", {})}
    return {"apiVersion": api, "kind": kind, "metadata": meta, **fields}


def objects() -> tuple[tuple[str, dict[str, Any]], ...]:
    """Return (API path, object) of everything the identity consists of, in the order to make it."""
    rbac = "rbac.authorization.k8s.io/v1"
    rules = [
        {
            "apiGroups": [""],
            "resources": ["nodes", "pods", "events", "namespaces", "services", *LOOKED_AT],
            "verbs": READ,
        },
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        # The API lets who may read one name list with a field selector for it (k8s.io/apiserver, requestinfo.go).
        {
            "apiGroups": [""],
            "resources": ["serviceaccounts"],
            "resourceNames": ["default"],
            "verbs": ["list"],
        },
        {"apiGroups": ["apps"], "resources": [*WORKLOADS, "replicasets"], "verbs": READ},
        {"apiGroups": ["batch"], "resources": ["jobs", "cronjobs"], "verbs": READ},
        {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": READ},
        {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "networkpolicies"], "verbs": READ},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": READ},
        {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": READ},
        {"nonResourceURLs": ["/readyz", "/livez", "/version"], "verbs": ["get"]},
    ]
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ACCOUNT}
    space = f"/api/v1/namespaces/{NAMESPACE}"
    authorization = f"/apis/{rbac}"
    secret = _object(
        "v1",
        "Secret",
        SECRET,
        True,
        type="kubernetes.io/service-account-token",
        metadata={"annotations": {"kubernetes.io/service-account.name": ACCOUNT}},
    )
    return (
        (space, _object("v1", "Namespace", NAMESPACE)),
        (f"{space}/serviceaccounts/{ACCOUNT}", _object("v1", "ServiceAccount", ACCOUNT, True)),
        (f"{authorization}/clusterroles/{ACCOUNT}", _object(rbac, "ClusterRole", ACCOUNT, rules=rules)),
        (
            f"{authorization}/clusterrolebindings/{ACCOUNT}",
            _object(rbac, "ClusterRoleBinding", ACCOUNT, subjects=[subject], roleRef=reference),
        ),
        (f"{space}/secrets/{SECRET}", secret),
    )


def edition() -> str:
    """Return what tells the objects of this version from those of another: a digest of all of them."""
    return hashlib.sha256(json.dumps(objects(), sort_keys=True).encode()).hexdigest()[:16]


def removal_paths() -> tuple[str, ...]:
    """Return the API paths to delete; the namespace takes what is inside with it."""
    paths = [
        path for path, body in objects() if body["kind"] in ("ClusterRoleBinding", "ClusterRole", "Namespace")
    ]
    return tuple(reversed(paths))


def apply_path(path: str) -> str:
    """Return the path for a server-side apply of an object in our name."""
    return f"{path}?fieldManager=archipel&force=true"


def apply_body(body: Mapping[str, Any]) -> bytes:
    """Return the body of a server-side apply; JSON is YAML."""
    return json.dumps(body).encode()
