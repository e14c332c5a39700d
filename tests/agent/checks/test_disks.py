"""The checks of space, medium and whether anything can be written."""

from dataclasses import replace

import pytest

from archipel_agent.checks import disk_kind, disk_pressure, disk_space, disk_writable
from archipel_agent.checks.base import Evidence
from archipel_contract.findings import Severity, Verdict
from tests.agent.checks.machines import BLIND, DISK, FRESH, GB, GOOD, only, with_log


def with_free(evidence: Evidence, free: int, size: int = 29 * GB) -> Evidence:
    disk = replace(DISK, free_bytes=free, size_bytes=size)
    return replace(evidence, disks={"data": disk, "state": replace(disk, path="/var/lib/archipel")})


def test_enough_room_passes_before_and_after_the_start() -> None:
    assert disk_space.look(FRESH).verdict is Verdict.OK
    assert disk_space.look(GOOD).verdict is Verdict.OK


def test_less_than_a_gigabyte_and_a_half_refuses_a_start_and_says_what_is_needed() -> None:
    finding = only(disk_space.look(with_free(FRESH, 1_400_000_000)))
    assert (finding.code, finding.severity) == ("disk-too-small", Severity.PROBLEM)
    assert (finding.params["free"], finding.params["need"]) == ("1.4 GB", "1.5 GB")


def test_a_small_disk_with_room_to_start_is_only_a_warning() -> None:
    assert only(disk_space.look(with_free(FRESH, 3 * GB))).severity is Severity.WARNING


def test_a_running_site_may_use_most_of_a_small_disk() -> None:
    assert disk_space.look(with_free(GOOD, 1 * GB, 8 * GB)).verdict is Verdict.OK


@pytest.mark.parametrize(("free", "code"), [(2 * GB, "disk-low"), (1 * GB, "disk-full"), (0, "disk-full")])
def test_a_running_site_is_judged_by_the_share_that_is_left(free: int, code: str) -> None:
    assert only(disk_space.look(with_free(GOOD, free))).code == code


def test_our_own_full_disk_is_found_when_it_is_another_one() -> None:
    state = replace(DISK, path="/var/lib/archipel", device="/dev/sdb1", free_bytes=0)
    result = disk_space.look(replace(GOOD, disks={"data": DISK, "state": state}))
    assert only(result).params["path"] == "/var/lib/archipel"


def test_space_that_cannot_be_read_is_not_decided() -> None:
    assert disk_space.look(BLIND).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("kind", "code", "severity"),
    [
        ("sd", "disk-sd-card", Severity.HINT),
        ("emmc", "disk-sd-card", Severity.HINT),
        ("memory", "disk-in-memory", Severity.WARNING),
        ("network", "disk-on-network", Severity.WARNING),
    ],
)
def test_media_that_wear_forget_or_go_away_are_named(kind: str, code: str, severity: Severity) -> None:
    finding = only(disk_kind.look(replace(GOOD, disks={"data": replace(DISK, kind=kind)})))
    assert (finding.code, finding.severity) == (code, severity)


def test_an_ssd_passes_and_an_unknown_medium_is_not_decided() -> None:
    assert disk_kind.look(GOOD).verdict is Verdict.OK
    assert (
        disk_kind.look(replace(GOOD, disks={"data": replace(DISK, kind="unknown")})).verdict
        is Verdict.UNDECIDED
    )


def test_a_read_only_disk_is_named_by_its_path() -> None:
    disks = {"data": DISK, "state": replace(DISK, path="/var/lib/archipel", read_only=True)}
    finding = only(disk_writable.look(replace(GOOD, disks=disks)))
    assert (finding.code, finding.params["path"]) == ("disk-read-only", "/var/lib/archipel")


def test_one_read_only_disk_for_both_is_one_finding() -> None:
    disks = {"data": replace(DISK, read_only=True), "state": replace(DISK, read_only=True)}
    assert only(disk_writable.look(replace(GOOD, disks=disks))).code == "disk-read-only"


def test_writability_needs_both_disks_to_be_known() -> None:
    assert disk_writable.look(replace(GOOD, disks={"data": DISK})).verdict is Verdict.UNDECIDED
    assert disk_writable.look(GOOD).verdict is Verdict.OK


def test_a_failed_write_in_the_log_is_disk_pressure() -> None:
    line = 'E1122 "Failed" err="write /var/lib/kubelet/x: no space left on device"'
    assert only(disk_pressure.look(with_log(line))).evidence == (line,)


def test_disk_pressure_is_over_once_there_is_room_and_every_pod_runs_whatever_the_log_still_holds() -> None:
    line = 'E1122 "Failed" err="write /var/lib/kubelet/x: no space left on device"'
    healed = with_log(line, ready=True)
    assert disk_pressure.look(healed).verdict is Verdict.OK
    assert only(disk_pressure.look(with_free(healed, 1 * GB))).code == "disk-pressure"
