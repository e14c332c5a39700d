"""The support bundle: complete, bounded, private, and without a single one of the secrets planted everywhere."""

import base64
import dataclasses
import io
import json
import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archipel_agent import support
from archipel_agent.checks.base import Evidence
from archipel_agent.host.fetch import HttpFetcher
from archipel_agent.host.machine import SystemMachine
from archipel_agent.host.privileged import Direct
from archipel_agent.paths import Paths
from archipel_agent.ports import Ports
from archipel_agent.support import bundle, known
from archipel_contract.facts import ClockQuality, NodeFacts, NodeUsage
from archipel_contract.findings import CheckResult, Finding, Severity, Verdict
from archipel_contract.site import K3sBinary, Network, NodeSpec, Origin, SiteDocument
from tests.agent.planted import KINDS
from tests.fakes.clock import VirtualClock
from tests.fakes.disk import TreacherousDisk
from tests.fakes.ports import CountedEntropy
from tests.fakes.printing import AnsweringKubeApi, LoggingK3sHost, PrintingRunner

PATHS = Paths(Path("/"))
NODE_ID = "n-0123456789abcdef"
TOKEN = "Harbour-Lighthouse-47"  # a word like any other: found only because the machine holds it
SITE = SiteDocument(
    site_id="s-0123456789abcdef",
    generation=0,
    origin=Origin.LOCAL,
    name="pump house",
    network=Network(node_ip="192.0.2.7", interface="eth0"),
    k3s=K3sBinary(path="/usr/local/bin/k3s", version="v1.36.3+k3s1", sha256="0" * 64),
    nodes=(NodeSpec(node_id=NODE_ID, node_name="pump-1"),),
)
EVIDENCE = Evidence(
    now=datetime(2026, 11, 22, tzinfo=UTC),
    facts=NodeFacts(hostname="Pump_1", architecture="aarch64"),
    usage=NodeUsage(),
    clock=ClockQuality.SYNCHRONIZED,
    is_root=True,
    site=SITE,
)
TEXT_PLACES = (
    "/etc/rancher/k3s/config.yaml", "/etc/rancher/k3s/config.yaml.d/50-site.yaml", "/etc/rancher/k3s/registries.yaml",
    "/etc/rancher/k3s/admission.yaml", "/etc/rancher/k3s/audit-policy.yaml", "/etc/systemd/system/k3s.service",
    "/etc/systemd/system/k3s.service.d/proxy.conf", "/etc/archipel/agent.toml", "/etc/os-release",
    "/var/lib/rancher/k3s/agent/etc/containerd/config.toml", "/etc/sysctl.d/90-archipel-k3s.conf",
    "/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/site.toml", "/proc/1/mounts",
)  # fmt: skip
COMMANDS = (
    "ip addr",
    "ip route",
    "df -PT",
    "systemctl status",
    "systemctl --failed",
    "journalctl -u",
    "journalctl -k",
    "tail",
)


def planted(place: str) -> tuple[str, list[str]]:
    """Return a text with a secret of every kind, different for each place, and all the secrets."""
    texts: list[str] = []
    secrets: list[str] = []
    for kind, plant in KINDS.items():
        text, inside = plant(f"{place}|{kind}".encode())
        texts.append(f"# {place}\n{text}\n")
        secrets += inside
    return "\n".join([*texts, f"nothing tells that {TOKEN}x is one"]), [*secrets, TOKEN]


def world(
    disk: TreacherousDisk, runner: PrintingRunner, k3s: LoggingK3sHost, kube: AnsweringKubeApi
) -> Ports:
    return Ports(
        clock=VirtualClock(),
        entropy=CountedEntropy(),
        disk=disk,
        runner=runner,
        machine=SystemMachine(Path("/")),
        k3s=k3s,
        kube=kube,
        fetcher=HttpFetcher(),
        privileged=Direct({}),
    )


def bare() -> Ports:
    """A machine on which nothing of all that is there."""
    return world(TreacherousDisk(), PrintingRunner({}), LoggingK3sHost(()), AnsweringKubeApi({}))


def opened(ports: Ports, path: Path) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(ports.disk.read(path)), mode="r:gz") as tar:
        members = {
            one.name.removeprefix("archipel-support/"): tar.extractfile(one) for one in tar if one.isfile()
        }
        return {name: file.read() for name, file in members.items() if file is not None}


def build(ports: Ports, evidence: Evidence = EVIDENCE, **more: Any) -> dict[str, bytes]:
    path = support.build(ports, PATHS, evidence, CHECKS, PATHS.state / "support", NODE_ID, **more)
    return opened(ports, path)


CHECKS = (CheckResult(slug="clock", verdict=Verdict.OK, said="synchronized"),)


def manifest(files: dict[str, bytes]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(files["manifest.json"])
    return read


def decoded(data: bytes) -> bytes:
    """The data, followed by whatever its base64-like runs hold, three layers deep."""
    layers, latest = [data], data
    for _ in range(3):
        runs = re.findall(rb"[A-Za-z0-9+/_-]{12,}={0,2}", latest)
        inside = []
        for run in runs:
            whole = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
            for start in range(4):
                part = whole[start:]
                part = part[: len(part) - 1] if len(part) % 4 == 1 else part
                inside.append(base64.b64decode(part + b"=" * (-len(part) % 4)))
        latest = b"\n".join(inside)
        layers.append(latest)
    return b"\n".join(layers)


def a_full_machine() -> tuple[Ports, Evidence, tuple[CheckResult, ...], set[str]]:
    """Secrets of every kind in every file, log, answer and finding that can get into a bundle."""
    disk, every = TreacherousDisk(), set()

    def plant(place: str) -> str:
        text, secrets = planted(place)
        every.update(secrets)
        return text

    for place in TEXT_PLACES:
        disk.write(Path(place), plant(place).encode())
    disk.write(Path("/var/lib/rancher/k3s/server/token"), f"K10{'0' * 64}::server:{TOKEN}\n".encode())
    disk.write(Path("/etc/rancher/k3s/k3s.yaml"), plant("kubeconfig").encode())
    disk.write(Path("/usr/local/bin/k3s"), b"\x7fELF")
    prints = {command: plant(command) for command in COMMANDS}
    prints["k3s certificate"] = json.dumps({"Certificates": [{"Subject": plant("certificate")}]})
    pod = {
        "metadata": {"name": "web", "namespace": "shop", "annotations": {"note": plant("annotation")}},
        "spec": {"containers": [{"name": "web", "image": "web:1", "args": [plant("args")],
                                 "env": [{"name": "DB_PASSWORD", "value": "plainword"}]}]},
        "status": {"message": plant("pod")},
    }  # fmt: skip
    node = {
        "metadata": {"name": "pump-1", "annotations": {"a": plant("node")}},
        "status": {"x": plant("status")},
    }
    event = {"reason": "Failed", "message": plant("event"), "metadata": {"name": "x"}}
    answers = {
        "/api/v1/pods": json.dumps({"items": [pod]}).encode(),
        "/api/v1/nodes": json.dumps({"items": [node]}).encode(),
        "/api/v1/events": json.dumps({"items": [event]}).encode(),
        "/readyz": plant("readyz").encode(),
    }
    log = plant("k3s log").splitlines()
    finding = Finding(code="x", severity=Severity.PROBLEM, evidence=tuple(plant("evidence").splitlines()))
    checks = (CheckResult(slug="x", verdict=Verdict.FOUND, said=plant("said"), findings=(finding,)),)
    evidence = dataclasses.replace(EVIDENCE, k3s_log=tuple(log), k3s_drop_ins=plant("drop-ins"))
    every.add("plainword")
    return (
        world(disk, PrintingRunner(prints), LoggingK3sHost(log), AnsweringKubeApi(answers)),
        evidence,
        checks,
        every,
    )


@pytest.mark.timeout(120)
def test_none_of_the_secrets_planted_everywhere_is_inside_also_not_encoded() -> None:
    ports, evidence, checks, secrets = a_full_machine()
    path = support.build(ports, PATHS, evidence, checks, PATHS.state / "support", NODE_ID)
    files = opened(ports, path)
    assert len(KINDS) > 20 and len(secrets) > 2000
    assert manifest(files)["missing"] == []
    everything = decoded(b"\n".join([*files.values(), *(name.encode() for name in files)]))
    assert [secret for secret in secrets if secret.encode() in everything] == []
    assert len(re.findall(rb"\[removed\]", everything)) > 1000


def test_a_bundle_holds_what_a_helper_needs_and_its_json_is_json() -> None:
    ports, evidence, checks, _ = a_full_machine()
    files = opened(ports, support.build(ports, PATHS, evidence, checks, PATHS.state / "support", NODE_ID))
    expected = {
        "manifest.json", "report.json", "checks.json", "k3s/config.yaml", "k3s/config.yaml.d/50-site.yaml",
        "k3s/registries.yaml", "containerd/config.toml", "containerd/config-v3.toml.d/site.toml",
        "systemd/k3s.service", "systemd/k3s.service.d/proxy.conf", "settings/etc/archipel/agent.toml",
        "logs/k3s.log", "logs/containerd.log", "logs/agent.log", "logs/kernel.log", "machine/addresses.txt",
        "machine/routes.txt", "machine/disks.txt", "machine/mounts.txt", "kubernetes/nodes.json",
        "kubernetes/pods.json", "kubernetes/events.json", "kubernetes/certificates.json",
    }  # fmt: skip
    assert expected <= set(files)
    for name, data in files.items():
        if name.endswith(".json"):
            json.loads(data)
    assert json.loads(files["kubernetes/pods.json"])[0]["spec"]["containers"] == [
        {"name": "web", "image": "web:1"}
    ]
    assert json.loads(files["report.json"])["site"]["name"] == "pump house"


def test_keys_to_the_cluster_and_files_of_others_are_not_even_listed() -> None:
    ports, evidence, checks, _ = a_full_machine()
    files = opened(ports, support.build(ports, PATHS, evidence, checks, PATHS.state / "support", NODE_ID))
    assert not [name for name in files if re.search(r"k3s\.yaml|token|passwd|identity|\.key|state\.db", name)]


def test_its_name_tells_node_and_time_and_only_root_may_read_it() -> None:
    ports = bare()
    path = support.build(ports, PATHS, EVIDENCE, CHECKS, PATHS.state / "support", NODE_ID)
    assert re.fullmatch(r"archipel-support-pump-1-\d{8}T\d{6}Z\.tar\.gz", path.name)
    assert ports.disk.mode(path) == 0o600 and ports.disk.mode(path.parent) == 0o700


def test_before_there_is_a_site_the_hostname_gives_the_name() -> None:
    evidence = dataclasses.replace(EVIDENCE, site=None)
    ports = bare()
    path = support.build(ports, PATHS, evidence, CHECKS, Path("/media/usb"), NODE_ID)
    assert path.parent == Path("/media/usb") and path.name.startswith("archipel-support-pump-1-")


def test_a_source_that_fails_costs_its_own_part_only_and_the_manifest_says_why() -> None:
    files = build(bare())
    said = {one["source"]: one["why"] for one in manifest(files)["missing"]}
    assert "answered 0" in said["nodes"] and "not installed" in said["ip addr"]
    assert {"report.json", "checks.json", "manifest.json"} <= set(files)
    assert manifest(files)["node_id"] == NODE_ID and manifest(files)["rehearsed"] is False


def test_an_answer_that_is_not_what_it_should_be_costs_only_its_part() -> None:
    ports = dataclasses.replace(
        bare(), kube=AnsweringKubeApi({"/api/v1/pods": b"[1, 2]", "/api/v1/nodes": b"<html>"})
    )
    said = {one["source"] for one in manifest(build(ports))["missing"]}
    assert {"pods", "nodes", "events"} <= said


def test_a_log_without_end_is_cut_at_its_front_and_the_bundle_stays_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundle, "FILE_LIMIT", 50_000)
    monkeypatch.setattr(bundle, "TOTAL_LIMIT", 200_000)
    prints = {command: "level=info msg=x\n" * 9_000 for command in COMMANDS}
    ports = world(TreacherousDisk(), PrintingRunner(prints), LoggingK3sHost(()), AnsweringKubeApi({}))
    files = build(ports)
    texts = [data for name, data in files.items() if name != "manifest.json"]
    assert sum(map(len, texts)) <= 200_000
    assert files["logs/kernel.log"].startswith(b"[the beginning is left out]\nlevel=info")
    assert any("too many" in one["why"] for one in manifest(files)["missing"])


def test_the_largest_bundle_can_be_sent() -> None:
    assert bundle.TOTAL_LIMIT <= 20_000_000


def test_secrets_of_the_caller_are_removed_too() -> None:
    ports = world(
        TreacherousDisk(),
        PrintingRunner({"ip addr": "eth0 Quiet-Meadow-12"}),
        LoggingK3sHost(()),
        AnsweringKubeApi({}),
    )
    assert build(ports, secrets=["Quiet-Meadow-12"])["machine/addresses.txt"] == b"eth0 [removed]"


def test_what_the_machine_holds_as_secret_is_known_from_its_files() -> None:
    disk = TreacherousDisk()
    files = {
        "/var/lib/rancher/k3s/server/token": "K10abc::server:first-secret\n",
        "/var/lib/rancher/k3s/server/cred/passwd": 'second-secret,server,server,"k3s:server"\n',
        "/var/lib/rancher/k3s/server/cred/encryption-config.json": json.dumps(
            {"resources": [{"providers": [{"aescbc": {"keys": [{"name": "k", "secret": "third-secret"}]}}]}]}
        ),
        "/etc/rancher/node/password": "fourth-secret\n",
        "/etc/rancher/k3s/config.yaml": 'node-name: "pump-1"\ntoken: "fifth-secret"\n',
        "/etc/rancher/k3s/config.yaml.d/10.yaml": "agent-token: sixth-secret\n",
        "/var/lib/archipel/kube/identity.json": json.dumps(
            {"token": "seventh-secret", "ca": "public-authority"}
        ),
    }
    for name, text in files.items():
        disk.write(Path(name), text.encode())
    found = known.secrets(disk, PATHS)
    wanted = {f"{n}-secret" for n in ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")}
    assert wanted <= set(found) and "public-authority" not in found and "pump-1" not in found
