"""Which findings the agent can put right itself, and what that costs. `steps.fix` holds the steps; a test compares them."""

from collections.abc import Mapping

from archipel_contract.findings import Fix

FIXES: Mapping[str, Fix] = {
    fix.code: fix
    for fix in (
        Fix(code="memory-cgroup-off-pi", usual_seconds=1, reboots=True, undo=True),
        Fix(code="kernel-setting-wrong", restarts=False, usual_seconds=5),
        Fix(code="k3s-files-empty", restarts=True, usual_seconds=30),
        Fix(code="address-gone", restarts=True, usual_seconds=40, undo=True),
        Fix(code="interface-gone", restarts=True, usual_seconds=40, undo=True),
        Fix(code="flannel-interface-missing", restarts=True, usual_seconds=40, undo=True),
        Fix(code="node-password-rejected", usual_seconds=20),
        Fix(code="k3s-bundle-damaged", restarts=True, usual_seconds=40),
        Fix(code="datastore-damaged", restarts=True, usual_seconds=60, undo=True),
        Fix(code="etcd-address-changed", restarts=True, usual_seconds=60),
        Fix(code="etcd-damaged", restarts=True, usual_seconds=90),
        Fix(code="containerd-state-damaged", restarts=True, usual_seconds=90),
        Fix(code="disk-full", usual_seconds=20),
        Fix(code="disk-low", usual_seconds=20),
        Fix(code="disk-pressure", usual_seconds=20),
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
