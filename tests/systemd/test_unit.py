"""The agent's unit: systemd understands it, it is confined, and each directive says why it is there."""

import shutil
from pathlib import Path

import pytest

from archipel_agent.api.roles import TECHNICIAN_GROUP, VIEW_GROUP
from archipel_agent.host.privileged import SANDBOX_MARK
from archipel_agent.paths import Paths
from archipel_agent.steps.leaving import AGENT_UNIT, STICKS, doomed
from tests.hosts import shell

SYSTEMD = Path(__file__).resolve().parents[2] / "systemd"
UNIT = SYSTEMD / AGENT_UNIT
MOST_EXPOSED = 36  # tenths; `systemd-analyze security` gives 96 to a service without any of this


def directives() -> list[tuple[str, str, str]]:
    """Return (section, name, value) of every directive."""
    section, found = "", []
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.append((section, name, value))
    return found


def value(name: str) -> str:
    return " ".join(value for _, one, value in directives() if one == name)


def analyze(*words: str) -> shell.Completed:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine")
    return shell.run(["systemd-analyze", *words])


def test_systemd_understands_every_directive(tmp_path: Path) -> None:
    # Where the agent is not installed, its program is missing, which is the one thing verify may not complain of.
    copy = tmp_path / AGENT_UNIT
    copy.write_text(UNIT.read_text().replace("/opt/archipel/current/bin/archipel agent run", "/bin/true"))
    done = analyze("verify", "--man=no", str(copy))
    assert (done.rc, [line for line in done.stderr.splitlines() if AGENT_UNIT in line]) == (0, [])


def test_the_agent_is_confined() -> None:
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(UNIT))
    assert done.rc == 0, done.stdout.splitlines()[-1]


def test_every_directive_stands_below_its_reason() -> None:
    lines = UNIT.read_text().splitlines()
    plain = {"Description", "WantedBy", "Type", "NotifyAccess", "ExecStart"}
    without = []
    for number, line in enumerate(lines):
        if "=" not in line or line.startswith("#") or line.partition("=")[0] in plain:
            continue
        above = number - 1
        while lines[above] and not lines[above].startswith(("#", "[")):
            above -= 1
        if not lines[above].startswith("# "):
            without.append(line)
    assert without == []


def test_it_starts_what_the_installer_installs_and_says_that_it_is_confined() -> None:
    assert value("ExecStart") == "/opt/archipel/current/bin/archipel agent run"
    assert f"{SANDBOX_MARK}=1" in value("Environment")
    assert value("Type") == "notify" and int(value("WatchdogSec")) >= 30


def test_it_does_not_wait_for_network_or_time() -> None:
    assert "network" not in value("After") and "time" not in value("After") and value("Requires") == ""


def test_files_that_technicians_bring_can_be_seen() -> None:
    assert value("PrivateTmp") == "" and value("ProtectHome") == ""


def test_its_directories_are_the_agent_s_own() -> None:
    paths = Paths()
    assert Path("/var/lib") / value("StateDirectory") == paths.state
    assert Path("/run") / value("RuntimeDirectory") == paths.runtime
    assert Path("/etc") / value("ConfigurationDirectory") == paths.settings
    writable = {place.lstrip("-") for place in value("ReadWritePaths").split()}
    assert writable == {str(paths.k3s_settings.parent), str(paths.k3s_data.parent)}


def test_the_groups_are_those_of_the_local_api() -> None:
    made = [
        line.split()[1]
        for line in (SYSTEMD / "archipel.sysusers.conf").read_text().splitlines()
        if line[0] != "#"
    ]
    assert made == [VIEW_GROUP, TECHNICIAN_GROUP]


def test_systemd_understands_the_groups_and_what_is_swept(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for tool, file in (
        ("systemd-sysusers", "archipel.sysusers.conf"),
        ("systemd-tmpfiles", "archipel.tmpfiles.conf"),
    ):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on this machine")
        extra = ["--create"] if tool == "systemd-tmpfiles" else []
        shell.run([tool, f"--root={tmp_path}", *extra, str(SYSTEMD / file)]).ok()
    assert "archipel-technician:" in (tmp_path / "etc/group").read_text()
    assert not (tmp_path / "var/lib/archipel").exists()


def test_what_is_installed_is_what_a_removal_takes_away() -> None:
    taken = {str(path) for path in doomed(Paths(), keep_state=False)}
    installer = (SYSTEMD.parent / "images/install.sh").read_text()
    for kind in ("sysusers", "tmpfiles"):
        assert f"/usr/lib/{kind}.d/archipel.conf" in taken and f"/usr/lib/{kind}.d/archipel.conf" in installer
    assert [place for place in STICKS if f"/{place}" not in taken or place not in installer] == []
    assert f"/etc/systemd/system/{AGENT_UNIT}" in taken and "/opt/archipel" in taken
