"""The one door to subprocesses: argv lists, a clean environment, a timeout that ends the whole process group.

Everything the agent starts goes through here; lint bans `subprocess` elsewhere. A command that ends badly becomes a
CommandFailed whose message a person can read.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from archipel_agent.ports import CommandFailed, Completed

ADMIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RECORD_SECONDS = 5.0
GRACE_SECONDS = 2.0  # between SIGTERM and SIGKILL for a command that overstayed

# Nothing else of our environment reaches a child: no proxy, no locale and no KUBECONFIG decides by accident.
INHERITED = ("HOME", "TERM")


class SystemRunner:
    """Runs commands of this machine."""

    def __init__(self, search_path: str | None = None) -> None:
        """Look for commands on the administrator's path, then on `search_path` (the PATH of whoever started us)."""
        extra = os.environ.get("PATH", "") if search_path is None else search_path
        self._path = f"{ADMIN_PATH}:{extra}" if extra else ADMIN_PATH

    def find(self, command: str) -> Path | None:
        """Return where `command` is, None if it is nowhere."""
        # As shutil.which, which holds two compressors in memory for as much as this.
        folders = self._path.split(":") if "/" not in command else [""]
        places = (os.path.join(folder, command) for folder in folders)
        return next((Path(one) for one in places if os.path.isfile(one) and os.access(one, os.X_OK)), None)

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        timeout: float = 30.0,
        stdin: bytes = b"",
        ok: tuple[int, ...] = (0,),
        environment: dict[str, str] | None = None,
    ) -> Completed:
        """Run argv to its end; see ports.Runner."""
        words = [str(word) for word in argv]
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=clean_environment(self._path, environment),
                start_new_session=True,
            )
        except OSError as error:
            raise CommandFailed(f"{words[0]} cannot be started: {error.strerror or error}") from error
        with process:
            try:
                out, err = process.communicate(stdin, timeout=timeout)
            except subprocess.TimeoutExpired as late:
                end_group(process)
                raise CommandFailed(
                    f"{_named(words)} did not finish within {timeout:g} s and was ended"
                ) from late
            except BaseException:
                end_group(process)
                raise
        done = Completed(
            argv=tuple(words),
            code=process.returncode,
            stdout=out.decode(errors="replace"),
            stderr=err.decode(errors="replace"),
        )
        if done.code not in ok:
            raise CommandFailed(_explained(done), done.code, done.stdout, done.stderr)
        return done


def clean_environment(path: str = ADMIN_PATH, extra: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment a child gets: PATH, a UTF-8 locale, the few inherited names, and `extra`."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {"PATH": path, "LANG": "C.UTF-8", **kept, **(extra or {})}


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """End the process with everything it started: SIGTERM, a grace, SIGKILL; its pipes are drained and closed."""
    for sign, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        try:
            process.communicate(timeout=patience)
            # The leader is gone and its pipes are closed; what still holds the group gets the second signal too.
        except subprocess.TimeoutExpired:
            continue
    for stream in (process.stdout, process.stderr, process.stdin):
        if stream is not None:
            stream.close()


# The process writes down who it is before it becomes the program: were we to do it, our own end in between would leave a
# program that nobody knows. Field 22 of stat is the start time (proc_pid_stat(5)); `exec` changes neither it nor the pid.
RECORDED = (
    'record=$1; shift; echo "$$ $(cut -d" " -f22 /proc/$$/stat)" >"$record.new" && mv "$record.new" "$record"'
)
PLAIN = "shift"
DETACHED = 'log=$1; shift; sh -c "$@" </dev/null >>"$log" 2>&1 & echo $!'


def spawn_detached(
    argv: Sequence[str | Path],
    log: Path,
    environment: dict[str, str] | None = None,
    record: Path | None = None,
) -> int:
    """Start argv as a process of its own session that outlives us, output appended to `log`; return its pid.

    A shell in between starts it and ends, so that the process belongs to process 1, which reaps it: we may end first.
    `record` then holds "PID START_TICKS" before argv runs. Raises CommandFailed when it cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    inner = f'{RECORDED if record else PLAIN}; exec "$@"'
    program = [str(word) for word in argv]
    words = ["/bin/sh", "-c", DETACHED, "sh", str(log), inner, "sh", str(record or "-"), *program]
    try:
        started = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=clean_environment(extra=environment),
            start_new_session=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CommandFailed(f"{program[0]} cannot be started: {error}") from error
    pid = int(started.stdout)
    if record is not None:
        _await_record(record, pid)
    return pid


def _await_record(record: Path, pid: int) -> None:
    """Return once `pid` has written its record, so that whoever looks next finds it; raise CommandFailed if it does not."""
    deadline = time.monotonic() + RECORD_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if record.read_text().split()[:1] == [str(pid)]:
                return
        time.sleep(0.002)
    raise CommandFailed(f"the process {pid} did not record itself in {record}")


class Companion:
    """A process that talks with us by lines and lives no longer than we do: when we go, its standard input ends.

    Its group is its own, so that a Ctrl-C in our terminal reaches us alone.
    """

    def __init__(
        self, argv: Sequence[str | Path], log: Path, environment: dict[str, str] | None = None
    ) -> None:
        """Start argv, its standard error appended to `log`; raise CommandFailed when it cannot be started."""
        words = [str(word) for word in argv]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            try:
                self._process = subprocess.Popen(
                    words,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=clean_environment(extra=environment),
                    start_new_session=True,
                )
            except OSError as error:
                raise CommandFailed(f"{words[0]} cannot be started: {error.strerror or error}") from error
        self.pid = self._process.pid
        self._rest = b""

    def fileno(self) -> int:
        """Return the descriptor of its standard output, for a selector."""
        assert self._process.stdout is not None  # asked for above
        return self._process.stdout.fileno()

    def say(self, line: str) -> bool:
        """Send it one line; False when it is gone."""
        assert self._process.stdin is not None  # asked for above
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def heard(self) -> list[str] | None:
        """Return the whole lines it has said, waiting for it to say something; None when it says no more."""
        said = os.read(self.fileno(), 1 << 16)
        if not said:
            return None
        *lines, self._rest = (self._rest + said).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def let_go(self) -> None:
        """End its standard input, which asks it to end."""
        assert self._process.stdin is not None  # asked for above
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def end(self, grace_seconds: float) -> int:
        """Let it go, end what is left of its group after the grace, and return its exit code."""
        self.let_go()
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            for sign in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(self.pid, sign)
                    self._process.wait(GRACE_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return int(self._process.wait())


def replace_process(argv: Sequence[str | Path], environment: dict[str, str]) -> None:
    """Become argv (for `archipel kubectl`, whose terminal, signals and exit code are then kubectl's own)."""
    words = [str(word) for word in argv]
    os.execve(words[0], words, {**os.environ, **environment})


def _named(words: list[str]) -> str:
    return " ".join(words[:3])


def _explained(done: Completed) -> str:
    if done.code < 0:
        return f"{_named(list(done.argv))} was ended by {signal.Signals(-done.code).name}"
    last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
    return f"{_named(list(done.argv))} ended with code {done.code}" + (
        f": {last.strip()[:300]}" if last else ""
    )
