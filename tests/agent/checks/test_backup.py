"""The check of backups: silent where none are planned, plain where they fail, are overdue or were never tried."""

from dataclasses import replace

import pytest

from archipel_agent.checks import backup
from archipel_agent.checks.base import BackupSeen
from archipel_contract.findings import Severity, Verdict
from tests.agent.checks.machines import GOOD

WELL = BackupSeen(last="2026-11-21T02:00:00Z", place="/media/usb", drilled=True)


def found(seen: BackupSeen) -> list[str]:
    return [one.code for one in backup.look(replace(GOOD, backup=seen)).findings]


def test_without_a_plan_there_is_nothing_to_say() -> None:
    assert backup.look(replace(GOOD, backup=BackupSeen(planned=False))).verdict is Verdict.OK
    assert backup.look(replace(GOOD, backup=None)).verdict is Verdict.UNDECIDED


def test_one_that_arrived_and_was_practised_with_is_good() -> None:
    assert found(WELL) == []


@pytest.mark.parametrize(
    "code", ["backup-target-away", "backup-target-full", "backup-no-recipients", "job-failed"]
)
def test_what_the_last_try_failed_with_is_the_finding(code: str) -> None:
    seen = replace(WELL, code=code, problem="there is no /media/usb")
    assert found(seen) == [code]
    (one,) = backup.look(replace(GOOD, backup=seen)).findings
    assert "there is no /media/usb" in " ".join((*one.evidence, one.summary))


def test_one_that_is_overdue_is_a_warning_with_the_time_of_the_last() -> None:
    seen = replace(WELL, overdue=True)
    assert found(seen) == ["backup-overdue"]
    (one,) = backup.look(replace(GOOD, backup=seen)).findings
    assert one.severity is Severity.WARNING and WELL.last in one.summary


def test_one_that_was_never_tried_is_a_hint() -> None:
    seen = replace(WELL, drilled=False)
    assert found(seen) == ["backup-not-drilled"]
    assert backup.look(replace(GOOD, backup=seen)).findings[0].severity is Severity.HINT


def test_before_the_first_nobody_asks_for_practice() -> None:
    assert found(BackupSeen(place="/media/usb")) == []


def test_a_place_on_the_disk_of_the_site_is_a_warning_that_names_the_disk() -> None:
    seen = replace(WELL, same_disk=("mmcblk0",))
    assert found(seen) == ["backup-same-disk"]
    (one,) = backup.look(replace(GOOD, backup=seen)).findings
    assert one.severity is Severity.WARNING and one.params == {"place": "/media/usb", "device": "mmcblk0"}
