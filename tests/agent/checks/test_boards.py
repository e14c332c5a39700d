"""Raspberry Pi and machine checks: boot loader, voltage, heat, swap, cards, vxlan by distribution, copies of firewall rules.

No Raspberry Pi was at hand. The files of /proc and /sys are laid out as the kernel's and Raspberry Pi's documentation
describe them (hwmon/raspberrypi-hwmon, get_throttled, the device tree's chosen/bootloader).
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archipel_agent.checks import boot_loader, clock, disk_kind, iptables, power, swap, temperature, vxlan
from archipel_agent.checks.base import Evidence
from archipel_agent.host import board, hardware
from archipel_agent.host.board import Board, Swap
from archipel_agent.ports import CommandFailed
from archipel_contract.facts import Throttling
from archipel_contract.findings import Verdict
from tests.agent.checks.machines import DISK, FRESH, GOOD, NOW, only, with_facts
from tests.fakes.disk import TreacherousDisk
from tests.fakes.processes import ScriptedRunner

CARD = replace(DISK, device="/dev/mmcblk0p2", kind="sd")
NOTE = "2026-11-22T07:31:02+0000 edge-07 kernel: hwmon hwmon1: Undervoltage detected!"


def answers(answer: str | CommandFailed) -> ScriptedRunner:
    """A Runner that knows one answer."""
    return ScriptedRunner(answer, is_installed=True)


def with_board(evidence: Evidence, board: Board) -> Evidence:
    return replace(evidence, board=board)


def throttled(**changes: bool) -> Evidence:
    return replace(GOOD, usage=replace(GOOD.usage, throttling=replace(GOOD.usage.throttling, **changes)))


# --- the firmware's word and the driver for voltage ------------------------------------------------------------------


def test_the_word_is_read_bit_by_bit() -> None:
    now = hardware.throttling_of(0x50005)
    assert now == Throttling(
        under_voltage=True,
        capped=False,
        throttled=True,
        under_voltage_since_boot=True,
        throttled_since_boot=True,
    )
    past = hardware.throttling_of(0x20000)
    assert (past.capped, past.under_voltage_since_boot, past.throttled_since_boot) == (False, False, True)


@pytest.mark.parametrize("bus", ["soc", "soc@107c000000"])
def test_the_word_is_found_on_boards_old_and_new(tmp_path: Path, bus: str) -> None:
    file = tmp_path / "platform" / bus / f"{bus}:firmware/get_throttled"
    file.parent.mkdir(parents=True)
    file.write_text("50005\n")
    assert hardware.throttling_files(str(tmp_path / "platform"), str(tmp_path / "hwmon")) == (str(file), "")


def test_where_there_is_no_word_the_drivers_alarm_is_found_and_other_sensors_are_not(tmp_path: Path) -> None:
    for number, name in enumerate(("cpu_thermal", "rpi_volt")):
        place = tmp_path / "hwmon" / f"hwmon{number}"
        place.mkdir(parents=True)
        (place / "name").write_text(f"{name}\n")
        (place / "in0_lcrit_alarm").write_text("1\n")
    found = hardware.throttling_files(str(tmp_path / "platform"), str(tmp_path / "hwmon"))
    assert found == ("", str(tmp_path / "hwmon/hwmon1/in0_lcrit_alarm"))


# --- power and heat --------------------------------------------------------------------------------------------------


def test_low_voltage_the_firmware_forgot_is_found_in_the_kernels_log() -> None:
    one = only(power.look(with_board(GOOD, Board(voltage_notes=(NOTE,)))))
    assert (one.code, one.evidence) == ("under-voltage-past", (NOTE,))
    assert power.look(with_board(GOOD, Board(voltage_notes=()))).verdict is Verdict.OK


def test_the_kernels_log_is_asked_for_notes_and_silence_is_told_from_a_failure() -> None:
    disk = TreacherousDisk()

    def read(answer: str | CommandFailed, *, is_pi: bool = True) -> Board:
        return board.board(
            disk, answers(answer), is_pi=is_pi, kernel="", root_is_card=False, count_rules=False
        )

    assert read(NOTE + "\n").voltage_notes == (NOTE,)
    assert read(CommandFailed("journalctl ended with 1", 1)).voltage_notes == ()
    assert read(CommandFailed("journalctl ended with 1", 1, stderr="no journal")).voltage_notes is None
    assert read(NOTE, is_pi=False).voltage_notes is None


def test_heat_of_the_past_is_a_hint_and_not_told_when_the_voltage_was_the_reason() -> None:
    assert only(temperature.look(throttled(throttled_since_boot=True))).code == "heat-throttled-past"
    both = throttled(throttled_since_boot=True, under_voltage_since_boot=True)
    assert temperature.look(both).verdict is Verdict.OK
    assert only(temperature.look(throttled(throttled_since_boot=True, capped=True))).code == "heat-throttled"


# --- the boot loader -------------------------------------------------------------------------------------------------


def test_the_build_time_of_the_boot_loader_is_four_bytes_the_highest_first() -> None:
    disk = TreacherousDisk()
    assert board.bootloader_built(disk) is None
    disk.put(board.BUILT, (1_672_531_200).to_bytes(4, "big"))
    assert board.bootloader_built(disk) == datetime(2023, 1, 1, tzinfo=UTC)
    for nonsense in (b"", b"\0\0\0\0", b"\1"):
        disk.put(board.BUILT, nonsense)
        assert board.bootloader_built(disk) is None


def test_an_old_boot_loader_is_a_hint_whatever_the_clock_says() -> None:
    built = NOW - timedelta(days=4 * 365)
    old = with_board(GOOD, Board(bootloader_built=built))
    assert only(boot_loader.look(old)).code == "bootloader-old"
    in_1970 = replace(old, now=datetime(1970, 1, 1, tzinfo=UTC))
    assert only(boot_loader.look(in_1970)).code == "bootloader-old"
    young = with_board(GOOD, Board(bootloader_built=NOW - timedelta(days=400)))
    assert boot_loader.look(young).verdict is Verdict.OK


def test_a_board_without_one_is_not_looked_at_and_a_pi_that_does_not_tell_is_not_decided() -> None:
    pc = with_board(with_facts(GOOD, raspberry_pi=False, architecture="x86_64"), Board())
    assert "not a Raspberry Pi" in boot_loader.look(pc).said
    assert boot_loader.look(with_board(GOOD, Board())).verdict is Verdict.UNDECIDED


# --- swap and cards --------------------------------------------------------------------------------------------------

SWAPS = b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


@pytest.mark.parametrize(
    ("line", "root_is_card", "on_card"),
    [
        (b"/var/swap                               file\t\t524284\t\t0\t\t-2\n", True, True),
        (b"/var/swap                               file\t\t524284\t\t0\t\t-2\n", False, False),
        (b"/dev/mmcblk0p3                          partition\t524284\t\t0\t\t-2\n", False, True),
        (b"/dev/zram0                              partition\t524284\t\t0\t\t100\n", True, False),
    ],
)
def test_swap_on_a_card_is_told_from_swap_elsewhere(line: bytes, root_is_card: bool, on_card: bool) -> None:
    disk = TreacherousDisk()
    disk.put(board.SWAPS, SWAPS + line)
    swaps = board.swaps(disk, root_is_card)
    assert swaps is not None
    assert [one.on_card for one in swaps] == [on_card]
    result = swap.look(with_board(GOOD, Board(swaps=swaps)))
    assert [one.code for one in result.findings] == (["swap-on-card"] if on_card else [])


def test_no_swap_passes_and_swap_that_could_not_be_read_is_not_decided() -> None:
    disk = TreacherousDisk()
    assert board.swaps(disk, root_is_card=True) is None
    disk.put(board.SWAPS, SWAPS)
    assert board.swaps(disk, root_is_card=True) == ()
    assert swap.look(with_board(GOOD, Board(swaps=()))).said == "none"
    assert swap.look(with_board(GOOD, Board())).verdict is Verdict.UNDECIDED
    assert swap.look(with_board(GOOD, Board(swaps=(Swap("/dev/zram0", False),)))).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("datastore", "drop_in", "code"),
    [
        ("sqlite", "", "disk-sd-card"),
        ("etcd", "", "etcd-on-card"),
        ("sqlite", "cluster-init: true\n", "etcd-wished-on-card"),
        ("", "disable: [traefik]\ncluster-init: 'true'\n", "etcd-wished-on-card"),
        ("", "# cluster-init: true\ncluster-init: false\n", "disk-sd-card"),
    ],
)
def test_etcd_on_a_card_and_the_wish_for_it_are_told(datastore: str, drop_in: str, code: str) -> None:
    evidence = replace(GOOD, disks={"data": CARD}, datastore=datastore, k3s_drop_ins=drop_in)
    assert only(disk_kind.look(evidence)).code == code


def test_etcd_on_an_ssd_is_no_finding() -> None:
    assert disk_kind.look(replace(GOOD, datastore="etcd")).verdict is Verdict.OK


# --- the kernel ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("os_id", "os_name", "pi", "code", "word"),
    [
        ("ubuntu", "Ubuntu 22.04.5 LTS", True, "vxlan-missing-ubuntu-pi", "linux-modules-extra-raspi"),
        ("ubuntu", "Ubuntu 23.10", True, "vxlan-missing-ubuntu-pi", "linux-modules-extra-raspi"),
        ("ubuntu", "Ubuntu", True, "vxlan-missing-ubuntu-pi", "linux-modules-extra-raspi"),
        ("ubuntu", "Ubuntu 24.04.1 LTS", True, "vxlan-missing", "linux-image-$(uname -r)"),
        ("ubuntu", "Ubuntu 22.04.5 LTS", False, "vxlan-missing", "linux-image-$(uname -r)"),
        ("debian", "Debian GNU/Linux 12 (bookworm)", True, "vxlan-missing", "linux-image-$(uname -r)"),
    ],
)
def test_each_distribution_gets_its_own_remedy_for_vxlan(
    os_id: str, os_name: str, pi: bool, code: str, word: str
) -> None:
    machine = with_facts(FRESH, os_id=os_id, os_name=os_name, raspberry_pi=pi, kernel="6.1")
    one = only(
        vxlan.look(replace(machine, modules={"vxlan": False}, board=Board(has_modules_of_kernel=True)))
    )
    assert one.code == code
    assert word in one.next_step


def test_a_kernel_whose_modules_are_gone_is_restarted_before_anything_is_installed() -> None:
    gone = replace(FRESH, modules={"vxlan": False}, board=Board(has_modules_of_kernel=False))
    assert only(vxlan.look(gone)).next_step.endswith("sudo systemctl reboot")
    assert only(vxlan.look(replace(gone, modules={"vxlan": None}))).code == "vxlan-missing-until-restart"
    there = replace(gone, modules={"vxlan": True})
    assert vxlan.look(there).verdict is Verdict.OK


def test_modules_are_gone_only_where_those_of_another_kernel_are() -> None:
    disk = TreacherousDisk()

    def has_modules() -> bool | None:
        runner = answers("")
        seen = board.board(disk, runner, is_pi=False, kernel="6.2", root_is_card=False, count_rules=False)
        return seen.has_modules_of_kernel

    assert has_modules() is None
    disk.put(board.MODULES / "6.1/modules.dep", b"")
    assert has_modules() is False
    disk.put(board.MODULES / "6.2/modules.dep", b"")
    assert has_modules() is True


def test_a_firewall_full_of_copies_is_counted_where_the_version_makes_them() -> None:
    rule = "-A INPUT -m comment --comment KUBE-ROUTER-INPUT -j KUBE-ROUTER-INPUT"
    runner = answers(
        "*filter\n:INPUT ACCEPT [0:0]\n" + f"{rule}\n" * 400 + "-A OUTPUT -j KUBE-FIREWALL\nCOMMIT\n"
    )
    assert board.rule_copies(runner) == 400
    assert board.rule_copies(answers(CommandFailed("not root", 4))) is None
    one = only(iptables.look(with_board(GOOD, Board(rule_copies=400))))
    assert (one.code, one.params["copies"]) == ("iptables-copies", "400")
    assert iptables.look(with_board(GOOD, Board(rule_copies=2))).verdict is Verdict.OK


def test_rules_are_counted_only_where_asked_because_it_takes_a_process() -> None:
    runner = answers("")
    board.board(TreacherousDisk(), runner, is_pi=False, kernel="6.1", root_is_card=False, count_rules=False)
    assert runner.ran == []


def test_a_machine_without_a_battery_clock_says_from_when_on_it_would_start() -> None:
    said = clock.look(with_facts(GOOD, has_rtc=False)).said
    assert said.endswith("synchronised; without power it stops, and is then no earlier than 2026-11-01")
    assert clock.look(GOOD).said.endswith("synchronised")
