"""Files of k3s that a power cut left empty: seen, judged, and put right by a repair that knows what it may remove."""

from dataclasses import replace
from pathlib import Path

from archipel_agent.checks import empty_files
from archipel_agent.checks.fixes import FIXES
from archipel_agent.host.disk import SystemDisk
from archipel_agent.k3s.files import empty_files as find_empty
from archipel_agent.paths import Paths
from archipel_agent.steps.fix import REPAIRS
from archipel_agent.steps.repair import REPAIRS as REPAIRS_OF_K3S
from archipel_contract.findings import Verdict
from tests.agent.checks.machines import GOOD, only


def test_no_empty_file_passes_and_not_looking_is_not_decided() -> None:
    assert empty_files.look(replace(GOOD, empty_files=())).verdict is Verdict.OK
    assert empty_files.look(replace(GOOD, empty_files=None)).verdict is Verdict.UNDECIDED


def test_empty_files_are_named_the_first_three_and_counted_beyond() -> None:
    names = tuple(f"/var/lib/rancher/k3s/agent/{name}.key" for name in "abcde")
    one = only(empty_files.look(replace(GOOD, empty_files=names)))
    assert one.code == "k3s-files-empty"
    assert one.evidence == names
    assert one.params["files"].endswith("c.key and 2 more")


def test_only_what_k3s_makes_itself_is_looked_at(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    data = paths.k3s_data
    made_by_k3s = [
        data / "agent/client-kubelet.key",
        data / "server/token",
        data / "server/tls/server-ca.key",
    ]
    made_by_k3s.append(paths.at("etc/rancher/node/password"))
    of_the_site = [
        data / "agent/etc/containerd/config-v3.toml.d/site.yaml",
        data / "agent/images/.cache.json",
    ]
    of_the_site += [paths.k3s_settings / "config.yaml.d/10.yaml", data / "agent/pod-manifests/mine.yaml"]
    for path in (*made_by_k3s, *of_the_site):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    whole = data / "server/tls/client-ca.crt"
    whole.write_bytes(b"certificate")
    assert find_empty(SystemDisk(), paths) == tuple(sorted(made_by_k3s))


def test_every_finding_that_offers_a_repair_has_its_steps_and_the_reverse() -> None:
    assert set(FIXES) == {*REPAIRS, *REPAIRS_OF_K3S}
    assert not set(REPAIRS) & set(REPAIRS_OF_K3S)
    assert all(FIXES[code].code == code for code in FIXES)
