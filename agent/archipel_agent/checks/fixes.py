"""Which findings the agent can put right itself, and what that costs. `steps.fix` holds the steps; a test compares them."""

from collections.abc import Mapping

from archipel_contract.findings import Fix

FIXES: Mapping[str, Fix] = {
    fix.code: fix
    for fix in (
        Fix(code="kernel-setting-wrong", restarts=False, usual_seconds=5),
        Fix(code="k3s-files-empty", restarts=True, usual_seconds=30),
        Fix(code="k3s-stopped", restarts=True, usual_seconds=30),
        Fix(code="k3s-stopped-silent", restarts=True, usual_seconds=30),
        Fix(code="k3s-absent", restarts=True, usual_seconds=30),
        Fix(code="k3s-certificates-ending", restarts=True, usual_seconds=30),
        Fix(code="k3s-certificates-unplanned", restarts=True, usual_seconds=30),
        Fix(code="k3s-certificates-not-renewed", restarts=True, usual_seconds=40),
        Fix(code="k3s-certificates-ended", restarts=True, usual_seconds=40),
        Fix(code="k3s-certificates-early", restarts=True, usual_seconds=40),
    )
}
