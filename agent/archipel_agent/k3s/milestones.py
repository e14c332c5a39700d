"""How far a starting k3s has come, told from its own log lines.

Lines as printed by k3s v1.33 to v1.37 (pkg/cli/server, pkg/daemons, pkg/agent); the last one present in the current run
counts. Used for progress only, never to decide.
"""

from collections.abc import Sequence

MILESTONES: tuple[tuple[str, str], ...] = (
    ("Acquiring lock file", "k3s unpacks itself"),
    ("Preparing data dir", "k3s unpacks itself"),
    ("Starting k3s ", "k3s starts"),
    ("Configuring sqlite3 database", "the database opens"),
    ("Kine available", "the database is open"),
    ("generated self-signed CA", "certificates are made"),
    ("certificate CN=", "certificates are made"),
    ("Running kube-apiserver", "the API server starts"),
    ("Running kube-scheduler", "the scheduler starts"),
    ("Server node token is available", "the control plane starts"),
    ("Running containerd", "containerd starts"),
    ("containerd is now running", "containerd runs"),
    ("Running kubelet", "kubelet starts"),
    ("Kube API server is now running", "the API serves"),
    ("k3s is up and running", "k3s is up"),
    ("Node controller sync successful", "the node registers"),
    ("Starting flannel with backend", "the pod network starts"),
    ("Running flannel backend", "the pod network runs"),
)


def milestone(lines: Sequence[str]) -> str:
    """Return how far the newest run has come, in words; empty when the log does not tell."""
    reached = ""
    for line in lines:
        for pattern, words in MILESTONES:
            if pattern in line:
                reached = words
    return reached
