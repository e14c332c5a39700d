"""The installer below a directory of its own: repeatable, never half-done, and its refusals name the way out."""

import os
import re
import shutil
import time
from pathlib import Path

import pytest

from tests.hosts import shell
from tests.images import small_wheel

SYSTEMD = small_wheel.SYSTEMD
INSTALLER = Path(__file__).resolve().parents[2] / "images/install.sh"
NO_BODY = 65534
STICKS = (
    Path("/usr/lib/archipel/stick"),
    Path("/usr/lib/systemd/system/archipel-stick@.service"),
    Path("/usr/lib/udev/rules.d/90-archipel-sticks.rules"),
)

pytestmark = pytest.mark.timeout(90)


class Target:
    """A root to install into, and the wheels to install from."""

    def __init__(self, place: Path) -> None:
        self.root = place / "root"
        self.wheels = place / "wheels"
        self.root.mkdir()

    def install(self, *words: str, path: str = "") -> shell.Completed:
        argv = ["sh", str(INSTALLER), "--root", str(self.root), "--wheels", str(self.wheels), *words]
        return shell.run(argv, env={"PATH": path or os.environ["PATH"], "HOME": "/nonexistent"}, timeout=80)

    def says(self) -> str:
        """What the installed command prints."""
        return shell.run([str(self.root / "opt/archipel/current/bin/archipel")]).stdout.strip()

    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.root / "opt/archipel/versions").iterdir())


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Target:
    """Version 1.0 in place; tests that take this leave it so."""
    made = Target(tmp_path_factory.mktemp("installed"))
    small_wheel.write(made.wheels, "1.0")
    made.install().ok()
    return made


def stand_in(tmp_path: Path, name: str, script: str) -> str:
    """A PATH on which the command `name` is this script."""
    place = tmp_path / "bin"
    place.mkdir(exist_ok=True)
    (place / name).write_text(f"#!/bin/sh\n{script}\n")
    (place / name).chmod(0o755)
    return f"{place}:{os.environ['PATH']}"


@pytest.mark.parametrize("tool", [["shellcheck", "--shell=sh"], ["dash", "-n"]], ids=["shellcheck", "dash"])
def test_the_installer_is_clean_shell(tool: list[str]) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"no {tool[0]} on this machine")
    done = shell.run([*tool, str(INSTALLER)])
    assert (done.rc, done.stdout) == (0, "")


def test_what_is_installed_runs_and_everything_is_in_its_place(installed: Target) -> None:
    root = installed.root
    assert installed.says() == "archipel 1.0"
    assert os.readlink(root / "opt/archipel/current") == "versions/1.0"
    assert os.readlink(root / "usr/local/bin/archipel") == "/opt/archipel/current/bin/archipel"
    for place in ("etc/systemd/system/archipel-agent.service", "usr/lib/sysusers.d/archipel.conf",
                  "usr/lib/tmpfiles.d/archipel.conf", *(str(one.relative_to("/")) for one in STICKS),
                  "etc/systemd/system/multi-user.target.wants/archipel-agent.service"):  # fmt: skip
        assert (root / place).is_file(), place
    assert not list(root.rglob("*archipel-new*"))
    assert list(
        root.glob("opt/archipel/current/lib/python3*/site-packages/archipel_contract/__pycache__/*.pyc")
    )


def test_doing_it_again_changes_nothing(installed: Target) -> None:
    program = (installed.root / "opt/archipel/current/bin/archipel").stat()
    done = installed.install().ok()
    assert "there already" in done.stdout and "version 1.0 is installed" in done.stdout
    assert (installed.root / "opt/archipel/current/bin/archipel").stat().st_mtime_ns == program.st_mtime_ns


def test_a_newer_version_takes_over_and_the_one_before_stays_as_the_way_back(target: Target) -> None:
    for version in ("1.0", "1.1", "1.10"):
        small_wheel.write(target.wheels, version)
        target.install().ok()
    assert target.says() == "archipel 1.10" and target.versions() == ["1.1", "1.10"]
    target.install("--version", "1.1").ok()
    assert target.says() == "archipel 1.1"


def test_going_back_to_a_version_that_mounts_no_sticks_takes_the_rule_away(target: Target) -> None:
    small_wheel.write(target.wheels, "1.1")
    small_wheel.write(
        target.wheels, "1.0", without=tuple(one.name for one in SYSTEMD.iterdir() if "stick" in one.name)
    )
    target.install("--version", "1.1").ok()
    there = [(target.root / place.relative_to("/")).exists() for place in STICKS]
    target.install("--version", "1.0").ok()
    left = [(target.root / place.relative_to("/")).exists() for place in STICKS]
    assert (there, left) == ([True] * 3, [False] * 3) and target.says() == "archipel 1.0"


def test_the_same_version_with_other_content_does_not_touch_the_one_in_use(target: Target) -> None:
    small_wheel.write(target.wheels, "1.0", says="first")
    target.install().ok()
    small_wheel.write(target.wheels, "1.0", says="second")
    target.install().ok()
    assert target.says() == "archipel 1.0 second" and target.versions() == ["1.0", "1.0.1"]


@pytest.mark.parametrize("defect", ["needs a package that is not there", "is no wheel"])
def test_a_version_that_cannot_be_installed_leaves_the_one_before_in_use(
    installed: Target, defect: str
) -> None:
    broken = small_wheel.write(installed.wheels, "2.0", needs="package-that-is-not-there")
    if defect == "is no wheel":
        broken.write_bytes(b"PK\x03\x04 cut off")
    done = installed.install()
    broken.unlink()
    assert done.rc == 4 and "version 1.0 stays in use" in done.stderr
    assert installed.says() == "archipel 1.0" and installed.versions() == ["1.0"]


def test_cut_off_at_any_moment_it_leaves_a_working_version_and_the_next_run_succeeds(target: Target) -> None:
    small_wheel.write(target.wheels, "1.0")
    target.install().ok()
    small_wheel.write(target.wheels, "2.0")
    for moment in (0.2, 0.8, 2.0):
        running = shell.spawn(
            ["sh", str(INSTALLER), "--root", str(target.root), "--wheels", str(target.wheels)]
        )
        time.sleep(moment)
        shell.kill_group(running.pid)
        running.wait(10)
        assert target.says() in ("archipel 1.0", "archipel 2.0")
    target.install().ok()
    assert target.says() == "archipel 2.0" and target.versions() == ["1.0", "2.0"]


def test_removing_it_leaves_no_file(target: Target) -> None:
    small_wheel.write(target.wheels, "1.0")
    target.install().ok()
    target.install("--remove").ok()
    assert [path for path in target.root.rglob("*") if not path.is_dir()] == []


def test_on_a_site_the_installer_refuses_to_remove_and_names_the_command(installed: Target) -> None:
    config = installed.root / "etc/rancher/k3s/config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("# Written by Archipel for site s-0\n")
    done = installed.install("--remove")
    config.unlink()
    assert done.rc == 3 and "sudo archipel remove" in done.stderr and installed.says() == "archipel 1.0"


@pytest.mark.parametrize(
    ("command", "script", "named"),
    [
        ("uname", "echo armv7l", "x86_64 and aarch64"),
        ("df", "echo head; echo / 9 9 20480 9 /", "only 20 MB are free"),
        ("python3", "[ $1 = -V ] && echo Python 3.9.2; exit 1", "3.11 or newer"),
    ],
)
def test_a_machine_that_does_not_fit_is_refused_with_the_reason(
    target: Target, tmp_path: Path, command: str, script: str, named: str
) -> None:
    small_wheel.write(target.wheels, "1.0")
    path = stand_in(tmp_path, command, script)
    for other in ("python3.11", "python3.12", "python3.13", "python3.14"):
        if command == "python3":
            stand_in(tmp_path, other, "exit 1")
    done = target.install(path=path)
    assert done.rc == 3 and named in done.stderr
    assert list(target.root.iterdir()) == []


def test_missing_environments_are_named_with_the_line_that_brings_them(
    target: Target, tmp_path: Path
) -> None:
    small_wheel.write(target.wheels, "1.0")
    script = 'case "$*" in *ensurepip*) exit 1 ;; *) exit 0 ;; esac'
    done = target.install(path=stand_in(tmp_path, "python3", script))
    assert done.rc == 3
    assert (
        "apt-get install --yes --no-install-recommends python3-venv" in done.stderr
        or "package manager" in done.stderr
    )


def test_a_directory_without_the_wheel_is_refused(target: Target) -> None:
    target.wheels.mkdir()
    assert "holds no archipel-VERSION" in target.install().stderr
    assert "holds no archipel-9.9" in target.install("--version", "9.9").stderr


def test_a_command_of_somebody_else_is_not_overwritten(target: Target) -> None:
    small_wheel.write(target.wheels, "1.0")
    other = target.root / "usr/local/bin/archipel"
    other.parent.mkdir(parents=True)
    other.write_text("not ours\n")
    done = target.install()
    assert done.rc == 3 and "somebody else" in done.stderr and other.read_text() == "not ours\n"


@pytest.mark.parametrize("words", [["--color"], ["--wheels"], ["--version", ""]])
def test_a_wrong_option_is_named_and_nothing_is_done(words: list[str]) -> None:
    done = shell.run(["sh", str(INSTALLER), *words])
    assert done.rc == 2 and words[0] in done.stderr and "usage:" in done.stderr


def test_the_help_names_every_option() -> None:
    shown = shell.run(["sh", str(INSTALLER), "--help"]).ok().stdout
    options = set(re.findall(r"^    (--[a-z-]+)[ )|]", INSTALLER.read_text(), re.MULTILINE))
    assert options and all(option in shown for option in options)


def test_without_root_the_line_to_run_is_shown(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv, to give root up")
    drop = ["setpriv", f"--reuid={NO_BODY}", f"--regid={NO_BODY}", "--clear-groups"]
    # From standard input, since the checkout may lie where only root may look.
    done = shell.run([*drop, "sh", "-s", "--", "--version", "1.0"], stdin=INSTALLER, cwd=Path("/"))
    assert done.rc == 3 and "sudo sh" in done.stderr
