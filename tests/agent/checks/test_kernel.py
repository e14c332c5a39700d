"""The checks of control groups, modules, kernel settings and iptables."""

from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.checks import (
    cgroup_version,
    cgroup_writable,
    iptables,
    kernel_modules,
    kernel_settings,
    memory_cgroup,
    selinux,
    vxlan,
)
from archipel_agent.checks.base import Evidence, Phase
from archipel_agent.host.boot_line import BootLine
from archipel_contract.facts import Cgroups
from archipel_contract.findings import Severity, Verdict
from tests.agent.checks.machines import BLIND, FRESH, GOOD, only, with_facts, with_log

V1 = Cgroups(version=1, controllers=("cpu", "cpuset", "memory", "pids"))
REFUSED = (
    'E1122 "Failed to start ContainerManager" err="[invalid kernel flag: vm/panic_on_oom, '
    'expected value: 0, actual value: 1]"'
)


def without_memory(evidence: Evidence, pi: bool) -> Evidence:
    groups = Cgroups(version=2, controllers=("cpu", "cpuset", "pids"))
    return with_facts(evidence, cgroups=groups, raspberry_pi=pi)


def test_all_controllers_pass() -> None:
    assert memory_cgroup.look(FRESH).verdict is Verdict.OK
    assert memory_cgroup.look(with_facts(FRESH, cgroups=V1)).verdict is Verdict.OK


def test_a_pi_without_memory_control_is_told_which_line_to_change() -> None:
    finding = only(memory_cgroup.look(without_memory(FRESH, pi=True)))
    assert finding.code == "memory-cgroup-off-pi"
    assert finding.next_step.endswith("sudo archipel doctor --fix memory-cgroup-off-pi")
    assert any(line.startswith("kernel command line: console=tty1") for line in finding.evidence)


def test_a_pi_whose_line_asks_already_is_told_to_restart_and_one_whose_kernel_does_not_listen_to_change_that() -> (
    None
):
    line = BootLine(Path("/boot/firmware/cmdline.txt"), b"quiet cgroup_memory=1 cgroup_enable=memory\n")
    waiting = replace(without_memory(FRESH, pi=True), boot_line=line)
    finding = only(memory_cgroup.look(waiting))
    assert (finding.code, finding.params["path"]) == ("memory-cgroup-waits", str(line.path))
    deaf = replace(waiting, kernel_command_line="quiet cgroup_memory=1 cgroup_enable=memory")
    assert only(memory_cgroup.look(deaf)).code == "memory-cgroup-ignored"
    two = replace(waiting, boot_line=BootLine(line.path, b"quiet\ncgroup_memory=1 cgroup_enable=memory\n"))
    assert only(memory_cgroup.look(two)).code == "memory-cgroup-off-pi"


def test_a_pc_without_memory_control_is_told_of_grub() -> None:
    finding = only(memory_cgroup.look(without_memory(FRESH, pi=False)))
    assert finding.code == "memory-cgroup-off"
    assert "update-grub" in finding.next_step


def test_another_missing_controller_is_named() -> None:
    groups = Cgroups(version=2, controllers=("cpu", "memory", "pids"))
    finding = only(memory_cgroup.look(with_facts(FRESH, cgroups=groups)))
    assert (finding.code, finding.params["controllers"]) == ("cgroup-controllers-missing", "cpuset")


def test_controllers_that_cannot_be_read_are_not_decided() -> None:
    assert memory_cgroup.look(BLIND).verdict is Verdict.UNDECIDED


def test_version_2_passes_and_version_1_is_refused() -> None:
    assert cgroup_version.look(FRESH).verdict is Verdict.OK
    finding = only(cgroup_version.look(with_facts(FRESH, cgroups=V1)))
    assert (finding.code, finding.severity) == ("cgroup-v1", Severity.PROBLEM)


def test_a_drop_in_of_the_site_makes_version_1_a_hint() -> None:
    allowed = replace(with_facts(FRESH, cgroups=V1), k3s_drop_ins="kubelet-arg+:\n  - fail-cgroupv1=false\n")
    finding = only(cgroup_version.look(allowed))
    assert (finding.code, finding.severity) == ("cgroup-v1-allowed", Severity.HINT)


def test_a_drop_in_that_is_commented_out_allows_nothing() -> None:
    commented = replace(with_facts(FRESH, cgroups=V1), k3s_drop_ins="# kubelet-arg: fail-cgroupv1=false\n")
    assert only(cgroup_version.look(commented)).code == "cgroup-v1"


def test_the_drop_in_that_the_runbook_gives_is_the_one_that_is_recognised() -> None:
    text = 'kubelet-arg+: ["fail-cgroupv1=false"]\n'
    finding = only(cgroup_version.look(replace(with_facts(FRESH, cgroups=V1), k3s_drop_ins=text)))
    assert finding.code == "cgroup-v1-allowed"


def test_an_older_kubernetes_accepts_version_1() -> None:
    old = replace(with_facts(FRESH, cgroups=V1), binary="/usr/local/bin/k3s: k3s version v1.34.8+k3s1 (abc)")
    assert cgroup_version.look(old).verdict is Verdict.OK


def test_an_unread_version_is_not_decided() -> None:
    assert cgroup_version.look(BLIND).verdict is Verdict.UNDECIDED


def test_read_only_control_groups_are_found_in_the_log() -> None:
    line = 'E1122 "Failed to start ContainerManager" err="mkdir /sys/fs/cgroup/x: read-only file system"'
    assert only(cgroup_writable.look(with_log(line))).code == "cgroup-read-only"


def test_missing_modules_are_named_together() -> None:
    modules: dict[str, bool | None] = {"overlay": False, "br_netfilter": False, "nf_conntrack": True}
    assert (
        only(kernel_modules.look(replace(FRESH, modules=modules))).params["modules"] == "br_netfilter overlay"
    )


@pytest.mark.parametrize("modules", [{}, {"overlay": True, "br_netfilter": None, "nf_conntrack": True}])
def test_modules_nobody_could_look_for_are_not_decided(modules: dict[str, bool | None]) -> None:
    assert kernel_modules.look(replace(FRESH, modules=modules)).verdict is Verdict.UNDECIDED


def test_vxlan_is_judged_by_the_module_and_by_what_flannel_said() -> None:
    assert vxlan.look(FRESH).verdict is Verdict.OK
    assert only(vxlan.look(replace(FRESH, modules={"vxlan": False}))).code == "vxlan-missing"
    assert vxlan.look(replace(FRESH, modules={})).verdict is Verdict.UNDECIDED
    said = 'level=fatal msg="flannel exited: failed to register: operation not supported"'
    assert only(vxlan.look(with_log(said))).evidence


def test_right_kernel_settings_pass_with_tabs_and_newlines_around_them() -> None:
    settings: dict[str, str | None] = {name: f"{value}\n" for name, value in GOOD.kernel_settings.items()}
    assert kernel_settings.look(replace(GOOD, kernel_settings=settings)).verdict is Verdict.OK


def test_a_wrong_kernel_setting_names_both_values_and_the_command() -> None:
    wrong = replace(GOOD, kernel_settings={**GOOD.kernel_settings, "vm.panic_on_oom": "1"})
    finding = only(kernel_settings.look(wrong))
    assert (finding.code, finding.severity) == ("kernel-setting-wrong", Severity.PROBLEM)
    assert "vm.panic_on_oom=1" in finding.summary
    assert "sudo sysctl -w vm.panic_on_oom=0" in finding.next_step


def test_before_the_start_a_different_setting_is_only_said_because_up_sets_it() -> None:
    wrong = replace(
        GOOD, phase=Phase.PREFLIGHT, kernel_settings={**GOOD.kernel_settings, "kernel.panic": "0"}
    )
    assert only(kernel_settings.look(wrong)).severity is Severity.HINT


def test_a_setting_that_cannot_be_read_is_taken_from_what_kubelet_said() -> None:
    evidence = replace(with_log(REFUSED), kernel_settings={})
    finding = only(kernel_settings.look(evidence))
    assert finding.params["found"] == "vm.panic_on_oom=1"
    assert finding.evidence


def test_a_setting_put_right_since_is_no_longer_held_against_it() -> None:
    assert kernel_settings.look(with_log(REFUSED)).verdict is Verdict.OK


def test_unread_kernel_settings_are_not_decided() -> None:
    assert kernel_settings.look(BLIND).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("text", ["v1.8.0 (nf_tables)", "v1.8.4 (legacy)", "v1.6.1 (nf_tables)"])
def test_versions_of_iptables_that_pile_up_rules_are_named(text: str) -> None:
    finding = only(iptables.look(replace(FRESH, iptables=f"iptables {text}\n")))
    assert finding.params["version"] == text


@pytest.mark.parametrize("text", ["v1.8.5 (nf_tables)", "v1.8.9 (nf_tables)", "v1.6.1", "v1.4.21"])
def test_other_versions_of_iptables_pass(text: str) -> None:
    assert iptables.look(replace(FRESH, iptables=f"iptables {text}\n")).verdict is Verdict.OK


def test_a_bad_iptables_does_not_matter_when_k3s_uses_its_own() -> None:
    drop_in = replace(
        FRESH, iptables="iptables v1.8.2 (nf_tables)", k3s_drop_ins="prefer-bundled-bin: true\n"
    )
    assert iptables.look(drop_in).verdict is Verdict.OK
    assert iptables.look(replace(FRESH, iptables="")).verdict is Verdict.OK


@pytest.mark.parametrize("text", [None, "iptables: command not found"])
def test_an_iptables_without_a_version_is_not_decided(text: str | None) -> None:
    assert iptables.look(replace(FRESH, iptables=text)).verdict is Verdict.UNDECIDED


def test_selinux_unknown_to_k3s_is_a_warning() -> None:
    line = (
        'level=warning msg="SELinux is enabled on this host, but k3s has not been started with --selinux - x"'
    )
    assert only(selinux.look(with_log(line))).severity is Severity.WARNING
