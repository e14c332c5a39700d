"""A k3s as its own installer leaves it (k3s install.sh): program, links, unit with flags, environment, settings, started.

Used by tests of adopting. Nothing of ours is in it; the two scripts of the installer stand for themselves only by name.
"""

import time
from collections.abc import Sequence

from tests.hosts.booted import BootedHost
from tests.hosts.offers import K3S

UNIT = "/etc/systemd/system/k3s.service"
ENVIRONMENT = f"{UNIT}.env"
CONFIG = "/etc/rancher/k3s/config.yaml"
SCRIPTS = ("/usr/local/bin/k3s-killall.sh", "/usr/local/bin/k3s-uninstall.sh")
LINKS = ("kubectl", "crictl", "ctr")
START_SECONDS = 240.0

_UNIT = """\
[Unit]
Description=Lightweight Kubernetes
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=notify
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-{environment}
KillMode=process
Delegate=yes
User=root
# Having non-zero Limit*s causes performance problems due to accounting overhead
# in the kernel. We recommend using cgroups to do container-local accounting.
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart={k3s} \\
    server \\
{flags}
"""


def install(host: BootedHost, *, flags: Sequence[str], environment: str = "", settings: str = "") -> None:
    """Leave a k3s server on the host as its installer would with these flags, and start it."""
    lines = "".join(f"\t'{flag}' \\\n" for flag in flags)
    host.put(_UNIT.format(environment=ENVIRONMENT, k3s=K3S, flags=lines).encode(), UNIT)
    host.put(environment.encode(), ENVIRONMENT, 0o600)
    if settings:
        host.put(settings.encode(), CONFIG, 0o600)
    for script in SCRIPTS:
        host.put(b"#!/bin/sh\nexit 1\n", script, 0o755)
    for name in LINKS:
        host.run(["ln", "-sf", "k3s", f"/usr/local/bin/{name}"]).ok()
    host.run(["systemctl", "enable", "--quiet", UNIT]).ok()
    host.run(["systemctl", "daemon-reload"]).ok()
    host.run(["systemctl", "restart", "k3s"], timeout=START_SECONDS).ok()


def main_pid(host: BootedHost) -> str:
    """The main process of its unit, as systemd knows it."""
    return host.run(["systemctl", "show", "-P", "MainPID", "k3s"]).ok().stdout.strip()


def await_ready(host: BootedHost, wanted: str = "True") -> None:
    """Wait until its node is Ready and every pod of kube-system has all its containers."""
    ask = [K3S, "kubectl", "get", "nodes", "-o"]
    ask.append("jsonpath={.items[0].status.conditions[?(@.type=='Ready')].status}")
    pods = [K3S, "kubectl", "-n", "kube-system", "get", "pods", "--no-headers"]
    deadline = time.monotonic() + START_SECONDS
    seen = ""
    while time.monotonic() < deadline:
        if host.run(ask).stdout == wanted:
            seen = host.run(pods).stdout
            lines = [line.split() for line in seen.splitlines()]
            if lines and all(one[1] == "1/1" or one[2] == "Completed" for one in lines):
                return
        time.sleep(1.0)
    log = host.run(["journalctl", "-u", "k3s", "-n", "30", "--no-pager"]).stdout
    raise TimeoutError(f"{seen}\n{log}")
