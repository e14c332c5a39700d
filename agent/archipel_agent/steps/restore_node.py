"""Tell the restored cluster that its node is another machine: what its datastore remembers is of the old one.

Without this the node would be shown as Ready, at the old address, from the first moment on, because the old machine said so.
Kubelet says how it really is within seconds; labels, taints and everything else that a person set on the node stay.
"""

import json

from archipel_agent.steps.base import Context, Step
from archipel_agent.steps.restore_read import is_through

MERGE = "application/strategic-merge-patch+json"


def run(context: Context) -> str:
    """Have the node's state be unknown until it is heard anew, and its address the one of this machine."""
    site = context.site()
    name = site.nodes[0].node_name
    status = {
        "conditions": [
            {"type": "Ready", "status": "Unknown", "reason": "Restored", "message": "not heard yet"}
        ],
        "addresses": [{"type": "InternalIP", "address": site.network.node_ip}],
    }
    reply = context.ports.kube.request(
        "PATCH", f"/api/v1/nodes/{name}/status", json.dumps({"status": status}).encode(), MERGE
    )
    if reply.status == 200:
        return f"{name} is to be heard anew, at {site.network.node_ip}"
    return f"answered {reply.status}; Kubernetes corrects it by itself within minutes"


def check(context: Context) -> str | None:
    """Nothing to do when a cut came after the end."""
    return "done before" if is_through(context) else None


STEP = Step(slug="restore-node", title="Have the node heard anew", check=check, run=run)
