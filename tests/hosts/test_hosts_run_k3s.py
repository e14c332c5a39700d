"""A real k3s becomes Ready in both kinds of host, started the way its own documentation describes."""

import json
import time
from collections.abc import Callable

import pytest

from tests.hosts.booted import BootedHost
from tests.hosts.host import Host
from tests.hosts.offers import K3S
from tests.hosts.plain import PlainHost

# In `make test` the stories of `tests/e2e` do the same on both kinds of host, with a power cut too: of a bare machine that
# becomes a site, and of a k3s started by hand. When one of them fails, these tell whether it is the ground.
pytestmark = [
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.real_k3s,
    pytest.mark.prove,
]

# Type=notify, KillMode=process and Delegate=yes as in the unit that k3s' own installer writes.
UNIT = f"""[Unit]
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
KillMode=process
Delegate=yes
LimitNOFILE=1048576
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5
ExecStart={K3S} server

[Install]
WantedBy=multi-user.target
"""
# Without what needs images of no interest here.
SETTINGS = """node-ip: {ip}
disable: [traefik, servicelb, metrics-server]
"""
IMPORTED = "/var/lib/rancher/k3s/agent/images"


def give_k3s(host: Host, allow: Callable[[Host], list[str]]) -> None:
    """Everything but the start."""
    host.offer_k3s()
    host.offer_images(IMPORTED)
    allow(host)
    host.put(SETTINGS.format(ip=host.ip).encode(), "/etc/rancher/k3s/config.yaml")


def ready_nodes(host: Host) -> list[str]:
    """Names of the nodes whose condition Ready is True; empty while the API does not answer."""
    done = host.run([K3S, "kubectl", "get", "nodes", "-o", "json"], timeout=30)
    if done.rc != 0:
        return []
    ready = []
    for node in json.loads(done.stdout)["items"]:
        conditions = {seen["type"]: seen["status"] for seen in node["status"]["conditions"]}
        if conditions.get("Ready") == "True":
            ready.append(node["metadata"]["name"])
    return ready


def running_pods(host: Host) -> list[str]:
    """The `k8s-app` labels of all pods that run with all containers ready."""
    done = host.run([K3S, "kubectl", "get", "pods", "--all-namespaces", "-o", "json"], timeout=30)
    found = []
    for pod in json.loads(done.stdout)["items"] if done.rc == 0 else []:
        states = pod["status"].get("containerStatuses", [])
        if pod["status"]["phase"] == "Running" and states and all(state["ready"] for state in states):
            found.append(pod["metadata"]["labels"].get("k8s-app", ""))
    return found


def until(wanted: Callable[[], bool], log: Callable[[], str], seconds: float = 120) -> None:
    """Poll twice a second; what the host logged is the message of the failure."""
    end = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < end, log()
        time.sleep(0.5)


@pytest.mark.booted
def test_k3s_as_a_unit_is_ready_in_a_booted_host_and_again_after_a_power_cut(
    real_k3s: None, booted_host: BootedHost, allowances: Callable[[Host], list[str]]
) -> None:
    give_k3s(booted_host, allowances)
    booted_host.put(UNIT.encode(), "/etc/systemd/system/k3s.service")
    booted_host.run(["systemctl", "enable", "--now", "--no-block", "k3s"]).ok()

    def log() -> str:
        return booted_host.run(["journalctl", "-u", "k3s", "-n", "60", "--no-pager", "-o", "cat"]).stdout

    until(lambda: ready_nodes(booted_host) == ["edge"], log)
    until(lambda: "kube-dns" in running_pods(booted_host), log)
    assert "NRestarts=0" in booted_host.run(["systemctl", "show", "k3s", "-p", "NRestarts"]).stdout
    # k3s does not sync what it writes; a cut in its first half minute leaves empty keys, another matter.
    booted_host.run(["sync"]).ok()
    booted_host.power_cut()
    booted_host.boot()
    until(lambda: ready_nodes(booted_host) == ["edge"], log)
    until(lambda: "kube-dns" in running_pods(booted_host), log)


def test_k3s_is_ready_in_a_plain_host(
    real_k3s: None, plain_host: PlainHost, allowances: Callable[[Host], list[str]]
) -> None:
    give_k3s(plain_host, allowances)
    k3s = plain_host.spawn([K3S, "server"])
    until(lambda: ready_nodes(plain_host) == ["light"], k3s.output)
    until(lambda: "kube-dns" in running_pods(plain_host), k3s.output)
    assert k3s.rc is None
