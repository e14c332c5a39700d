"""Have the server forget the password it knows this node by, so that the node is registered anew under its old name.

Each node proves with /etc/rancher/node/password that it is the one of its name; the server keeps a hash of it in a Secret.
On the server itself the file and the Secret are one machine's: a file that was lost with a re-imaged disk can be believed.
The Node object, its labels and its pods stay. k3s takes the file's present content within seconds, without a restart.
"""

from archipel_agent.observe import cluster
from archipel_agent.ports import CommandFailed
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.waiting import Look, wait_until
from archipel_contract.catalogue import finding
from archipel_contract.site import Role

NAMESPACE = "kube-system"
API = "the API to answer"
TIMEOUT_SECONDS = 30.0


def secret_of(node_name: str) -> str:
    """Return the name of the Secret with a node's password (k3s pkg/nodepassword)."""
    return f"{node_name}.node-password.k3s"


def run(context: Context) -> str:
    """Wait for the API, which answers although the node does not, and delete the Secret."""
    node = context.site().nodes[0]
    if len(context.site().nodes) > 1 or node.role is not Role.SERVER:
        raise StepFailed(finding("node-name-shared", node=node.node_name), refused=True)
    wait_until(context, lambda: _answers(context), context.settings.api_timeout, "api-timeout", API)
    argv = [context.site().k3s.path, "kubectl", "--kubeconfig", str(context.paths.kubeconfig), "delete"]
    argv += ["secret", "--namespace", NAMESPACE, "--ignore-not-found", secret_of(node.node_name)]
    try:
        context.ports.runner.run(argv, timeout=TIMEOUT_SECONDS)
    except CommandFailed as error:
        raise StepFailed(finding("job-failed", step=STEP.slug, problem=str(error))) from error
    return f"{node.node_name} is registered anew by the password it has now"


def _answers(context: Context) -> Look:
    """Whether lists are answered; that all of the control plane calls itself ready is not needed, nor to be had here."""
    seen = cluster(context.ports, context.ports.k3s.status())
    return Look(seen.ready or bool(seen.nodes))


STEP = Step(slug="node-password", title="Have the server forget the node's old password", run=run)
