"""The repairs of k3s: what is done about each finding, and how that is taken back. Loaded when one is planned or run.

Each may be repeated, and goes on where a cut left it; the catalogue says in plain words what it will do (`plan`, `undo`).
"""

from collections.abc import Mapping

from archipel_agent.steps import (
    repair_address,
    repair_bundle,
    repair_containerd,
    repair_datastore,
    repair_disk,
    repair_etcd,
    repair_node,
    start,
    wait_api,
    wait_node,
    wait_pods,
    write_config,
)
from archipel_agent.steps.base import Step

RUNNING = (start.STEP, wait_api.STEP, wait_node.STEP)
ON_ADDRESS = (
    write_config.STEP,
    repair_etcd.MEMBER,
    start.STEP,
    wait_api.STEP,
    repair_address.TELL_NODE,
    wait_node.STEP,
    repair_address.SHOWN,
)
MOVED = (repair_address.TAKE, *ON_ADDRESS)
MOVED_BACK = (repair_address.TAKE_BACK, *ON_ADDRESS, repair_address.FORGET)
FREED = (repair_disk.STEP,)

# finding code -> the steps that put it right
REPAIRS: Mapping[str, tuple[Step, ...]] = {
    "address-gone": MOVED,
    "interface-gone": MOVED,
    "flannel-interface-missing": MOVED,
    "node-password-rejected": (repair_node.STEP, wait_node.STEP),
    "k3s-bundle-damaged": (repair_bundle.STEP, *RUNNING),
    "datastore-damaged": (
        repair_datastore.READ,
        repair_datastore.SWAP,
        *RUNNING,
    ),
    "etcd-address-changed": MOVED,
    "etcd-damaged": (repair_etcd.RESTORE, *RUNNING),
    "containerd-state-damaged": (
        repair_containerd.STEP,
        *RUNNING,
        wait_pods.STEP,
    ),
    "disk-full": FREED,
    "disk-low": FREED,
    "disk-pressure": FREED,
}

# finding code -> the steps that take its repair back
UNDOS: Mapping[str, tuple[Step, ...]] = {
    "address-gone": MOVED_BACK,
    "interface-gone": MOVED_BACK,
    "flannel-interface-missing": MOVED_BACK,
    "datastore-damaged": (repair_datastore.TAKE_BACK, start.STEP),
}
