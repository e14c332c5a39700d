"""The few things the sandboxed agent may not do itself, by name: each runs as a transient unit one can see in the journal.

Where nothing confines the agent (no systemd, or run by hand) the same verbs run in its own process. The transient unit
is this module run as a program: the verb as argument, its parameters as JSON on standard input.
"""

import base64
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from archipel_agent.ports import CommandFailed, Disk, Runner

Verb = Callable[[Mapping[str, str]], None]
SANDBOX_MARK = "ARCHIPEL_SANDBOXED"  # set by the agent's unit, which also confines it
TIMEOUT_SECONDS = 120.0
SLOW_SECONDS = 6 * 3600.0  # a large file on its way to a slow stick
SLOW = frozenset({"copy", "share", "remove-tree"})
RESET_SECONDS = 110.0  # below what the transient unit is given; the database of one box is read in seconds


class Direct:
    """Does them in this process."""

    def __init__(self, verbs: Mapping[str, Verb]) -> None:
        """`verbs` is the table of `verbs_for`, or that with `stop-pods` added."""
        self._verbs = verbs

    def call(self, verb: str, **parameters: str) -> None:
        """Do it here."""
        self._verbs[verb](parameters)


class Transient:
    """Does them in a transient unit named after the verb."""

    def __init__(self, runner: Runner, root: Path) -> None:
        """Start units through `runner`; paths hang below `root`."""
        self._runner = runner
        self._root = root

    def call(self, verb: str, **parameters: str) -> None:
        """Do it there."""
        argv = [
            "systemd-run",
            "--wait",
            "--pipe",
            "--collect",
            "--quiet",
            f"--unit=archipel-{verb}-{os.getpid()}",
        ]
        argv += [
            f"--setenv=ARCHIPEL_ROOT={self._root}",
            sys.executable,
            "-m",
            "archipel_agent.privileged",
            verb,
        ]
        try:
            seconds = SLOW_SECONDS if verb in SLOW else TIMEOUT_SECONDS
            self._runner.run(argv, timeout=seconds, stdin=json.dumps(parameters).encode())
        except CommandFailed as error:
            last = error.stderr.strip().splitlines()[-1:] or [str(error)]
            raise CommandFailed(last[0], error.code) from error


def is_sandboxed() -> bool:
    """Whether the agent's unit confines this process."""
    return bool(os.environ.get(SANDBOX_MARK))


def verbs_for(disk: Disk, runner: Runner) -> dict[str, Verb]:
    """Return the verbs about files, kernel settings and the clock."""
    return {
        "write": lambda p: disk.write(Path(p["path"]), base64.b64decode(p["data"]), int(p["mode"], 8)),
        "write-over": lambda p: disk.write(
            Path(p["path"]), base64.b64decode(p["data"]), int(p["mode"], 8), wipes=True
        ),
        "link": lambda p: disk.link(Path(p["target"]), Path(p["path"])),
        "copy": lambda p: disk.copy(Path(p["source"]), Path(p["target"]), int(p["mode"], 8)),
        "share": lambda p: disk.share(
            {Path(path): Path(file) for path, file in json.loads(p["names"]).items()}, int(p["mode"], 8)
        ),
        "remove": lambda p: disk.remove(Path(p["path"])),
        "remove-tree": lambda p: disk.remove_tree(
            Path(p["path"]), frozenset(Path(one) for one in json.loads(p.get("keep", "[]")))
        ),
        "kernel-settings": lambda p: set_kernel(json.loads(p["values"]), runner),
        "reset-etcd": lambda p: reset_etcd(p, runner),
        "vacuum-journal": lambda p: vacuum_journal(int(p["size"]), runner),
        "firewall": lambda p: load_firewall(p["rules"], runner),
        "power-off": lambda _: power_off(runner),
        "set-clock": lambda p: set_clock(int(p["at"]), runner),
    }


def set_kernel(values: Mapping[str, str], runner: Runner) -> None:
    """Set sysctls now; raise CommandFailed naming the first that cannot be set."""
    for name, value in values.items():
        runner.run(["sysctl", "-q", "-w", f"{name}={value}"])


def reset_etcd(parameters: Mapping[str, str], runner: Runner) -> None:
    """Have k3s reset the membership of its etcd, from a snapshot if one is named; it ends by itself; raise CommandFailed.

    Its exit code says nothing (k3s ends with 0 or 1 by version), so whoever calls looks for the flag it leaves.
    """
    argv = [parameters["k3s"], "server", "--cluster-reset", "--data-dir", parameters["data"]]
    if parameters["snapshot"]:
        argv.append(f"--cluster-reset-restore-path={parameters['snapshot']}")
    runner.run(argv, timeout=RESET_SECONDS, ok=(0, 1))


def load_firewall(rules: str, runner: Runner) -> None:
    """Give the kernel a set of rules in one piece, all or nothing; raise CommandFailed with nft's own words."""
    runner.run(["nft", "-f", "-"], stdin=rules.encode())


def vacuum_journal(size: int, runner: Runner) -> None:
    """Have the system's journal keep `size` bytes of what it has closed; raise CommandFailed."""
    runner.run(["journalctl", f"--vacuum-size={size}"])


def power_off(runner: Runner) -> None:
    """Have the machine shut down in order: systemd asks logind, which lets kubelet end the pods in their grace first."""
    runner.run(["systemctl", "poweroff"])


def set_clock(at: int, runner: Runner) -> None:
    """Set the clock to `at` seconds since 1970 UTC, and the battery-backed one where there is one; raise CommandFailed."""
    runner.run(["date", "--utc", f"--set=@{at}"])
    with contextlib.suppress(CommandFailed):  # most boards have none
        runner.run(["hwclock", "--systohc", "--utc"])
