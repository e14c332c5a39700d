"""The two kinds of host come up, go down, and lose to a power cut what a real machine would lose."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hosts import clean, shell
from tests.hosts.booted import BootedHost
from tests.hosts.host import Host
from tests.hosts.lab import Lab
from tests.hosts.places import CHECKOUT, interpreter, runs
from tests.hosts.plain import PlainHost

pytestmark = [pytest.mark.real_process, pytest.mark.own_network]

_WRITE = """
import os, sys
for name, sync in (("/var/lib/synced", True), ("/var/lib/unsynced", False)):
    fd = os.open(name, os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"x" * 100)
    if sync:
        os.fsync(fd)
        os.fsync(os.open("/var/lib", os.O_RDONLY))
"""


@pytest.mark.booted
def test_a_booted_host_runs_systemd_and_no_unit_has_failed(booted_host: BootedHost) -> None:
    assert booted_host.settle() == "running"
    assert booted_host.failed_units() == []


@pytest.mark.booted
def test_a_booted_host_has_a_name_an_id_and_an_address_of_its_own(booted_host: BootedHost) -> None:
    assert booted_host.run(["hostname"]).ok().stdout.strip() == "edge"
    assert booted_host.get("/etc/machine-id") != Path("/etc/machine-id").read_bytes()
    assert f"inet {booted_host.ip}/24" in booted_host.run(["ip", "addr", "show", "host0"]).ok().stdout
    assert set(booted_host.links()) == {"lo", "host0"}
    assert booted_host.listeners() == []


@pytest.mark.booted
def test_a_file_outlives_the_reboot_of_a_booted_host(booted_host: BootedHost) -> None:
    before = booted_host.get("/proc/sys/kernel/random/boot_id")
    booted_host.put(b"kept", "/var/lib/kept")
    booted_host.reboot()
    assert booted_host.get("/var/lib/kept") == b"kept"
    assert booted_host.get("/proc/sys/kernel/random/boot_id") != before
    assert booted_host.settle() == "running"
    assert booted_host.failed_units() == []


@pytest.mark.booted
def test_a_booted_host_loses_in_a_power_cut_only_what_was_not_synced(booted_host: BootedHost) -> None:
    _lose_power(booted_host)
    assert booted_host.settle() == "running"


def test_a_plain_host_loses_in_a_power_cut_only_what_was_not_synced(plain_host: PlainHost) -> None:
    _lose_power(plain_host)


def _lose_power(host: Host) -> None:
    host.run([_python(host), "-c", _WRITE]).ok()
    host.power_cut()
    assert not host.is_up
    host.boot()
    assert host.get("/var/lib/synced") == b"x" * 100
    # The name may be there or not, but nobody had asked for the content to be kept.
    assert host.run(["test", "-s", "/var/lib/unsynced"]).rc != 0


def _python(host: Host) -> str:
    return "python3" if isinstance(host, BootedHost) else interpreter()


@pytest.mark.booted
def test_kernel_settings_of_a_host_are_its_own_until_it_restarts(booted_host: BootedHost) -> None:
    setting = Path("/proc/sys/vm/overcommit_memory")
    before = setting.read_text()
    other = b"1" if before.strip() != "1" else b"2"
    booted_host.run(["sysctl", "-w", f"vm.overcommit_memory={other.decode()}"]).ok()
    assert booted_host.get(str(setting)).strip() == other
    assert setting.read_text() == before
    booted_host.reboot()
    assert booted_host.get(str(setting)).decode() == before


@pytest.mark.booted
def test_the_version_1_controllers_of_a_booted_host_can_be_written(booted_host: BootedHost) -> None:
    script = "for d in /sys/fs/cgroup/*/; do mkdir $d/probe && rmdir $d/probe || exit 1; done"
    booted_host.run(["sh", "-c", script]).ok()


def test_what_a_plain_host_writes_does_not_reach_this_machine(plain_host: PlainHost) -> None:
    for path in (
        "/usr/local/bin/archipel-probe",
        "/etc/archipel/probe",
        "/run/archipel-probe",
        "/tmp/archipel-probe",
    ):
        plain_host.put(b"x", path)
        assert plain_host.get(path) == b"x"
        assert not Path(path).exists()
    assert "/usr/local/bin/archipel-probe" in plain_host.snapshot_files()


def test_a_plain_host_reaps_orphans(plain_host: PlainHost) -> None:
    plain_host.run(["sh", "-c", "(sh -c 'sleep 0.05 & exec true') & wait"]).ok()
    time.sleep(0.2)
    assert "Z" not in plain_host.run(["ps", "-eo", "stat="]).ok().stdout


def test_the_host_ends_with_the_process_that_made_it(lab: Lab, tmp_path: Path) -> None:
    program = "\n".join(
        [
            "import time",
            "from tests.hosts.lab import Lab",
            "from tests.hosts.plain import PlainHost",
            "lab = Lab()",
            "host = PlainHost('orphan', lab)",
            "host.boot()",
            "print(host.leader, lab.pid, flush=True)",
            "time.sleep(60)",
        ]
    )
    said = tmp_path / "said"
    maker = shell.spawn(
        [sys.executable, "-c", program], output=said, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}
    )
    _until(lambda: len(said.read_text().split()) == 2, maker.output)
    leader, network = (int(word) for word in said.read_text().split())
    maker.signal(signal.SIGKILL)
    maker.wait(10)
    _until(lambda: not Path(f"/proc/{leader}").exists() and not Path(f"/proc/{network}").exists())
    clean.clean()
    assert not list(runs().glob("orphan-*"))


def _until(condition: Callable[[], bool], said: Callable[[], str] = str, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, said()
        time.sleep(0.02)
