"""Whether the database of the cluster is readable.

SQLite says these when pages are damaged: power lost at the wrong moment, or a card that dies. For etcd see `etcd.py`.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="datastore-damaged",
    pattern=re.compile(
        r"database disk image is malformed|file is not a database|malformed database schema|disk I/O error"
    ),
)
READ_ONLY = logs.Sign(
    code="datastore-read-only",
    pattern=re.compile(r"attempt to write a readonly database"),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN, READ_ONLY)
