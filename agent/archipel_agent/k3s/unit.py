"""The systemd unit of k3s: upstream's directives, written by us because its installer regenerates and forgets them.

Differences from upstream's installer, each with its reason: no environment files (all settings stand in config.yaml, so
there is one place to look); ordering after network-online and time-sync without pulling them in (a box without a link
must not wait two minutes for one at every boot).
"""

from pathlib import Path

from archipel_agent.ports import UnitSpec

UNIT = "k3s.service"


def k3s_unit(binary: Path, config: Path) -> UnitSpec:
    """Return how a server runs: its command line, and the unit that keeps it."""
    argv = (str(binary), "server", "--config", str(config))
    text = f"""\
# Written by Archipel. k3s runs on without Archipel; to add directives use `systemctl edit k3s`.
[Unit]
Description=Lightweight Kubernetes
Documentation=https://k3s.io
After=network.target network-online.target time-sync.target

[Service]
Type=notify
# Stopping or replacing k3s must not end the pods: only the main process is signalled.
KillMode=process
# kubelet and containerd manage the control groups below.
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
# A first start on a slow card takes minutes; Archipel judges progress by the log and the API.
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart={" ".join(argv)}

[Install]
WantedBy=multi-user.target
"""
    return UnitSpec(argv=argv, unit=text)
