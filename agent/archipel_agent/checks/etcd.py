"""Whether an embedded etcd can be opened, knows this machine's address, and has room. A site on SQLite has none.

The wording is etcd's (server/storage/wal, bbolt) and k3s' (pkg/etcd/etcd.go, pkg/cluster/managed.go). With one member
there is nobody to copy from, so what is damaged comes back from a snapshot.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGNS = (
    logs.Sign(
        code="etcd-damaged",
        pattern=re.compile(
            r"crc mismatch: expected|assertion failed: Page expected to be|failed to get all reachable pages"
            r"|failed to find database snapshot file|snapshot file doesn't exist"
            r"|failed to stat MVCC KV store backend path|failed to recover v3 backend from snapshot|^go\.etcd\.io/bbolt\.\("
            r"|failed to open database\",.*\"error\":\"(?:invalid database|checksum error|version mismatch)\""
        ),
        over=logs.node_is_ready,
    ),
    logs.Sign(
        code="etcd-address-changed",
        pattern=re.compile(r"this server is (?:a )?not a member of the etcd cluster"),
        over=logs.node_is_ready,
        least=2,  # said once at a start that goes well after a reset
    ),
    logs.Sign(
        code="etcd-full",
        pattern=re.compile(r"alarm:NOSPACE|mvcc: database space exceeded|database space exceeded"),
    ),
    logs.Sign(
        code="etcd-reset-left",
        pattern=re.compile(
            r"(?P<reason>Managed etcd cluster membership was previously reset"
            r"|cannot perform cluster-reset while server URL is set|snapshot path does not exist: [^\s\"]+)"
        ),
        over=logs.node_is_ready,
    ),
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, *SIGNS)
