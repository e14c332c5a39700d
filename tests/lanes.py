"""`python -m tests.lanes`: all tests in three lanes side by side on two cores, because those of two lanes mostly wait.

One lane has the folders of REAL, one those of WAITING, the third all the rest. Each lane's output
is printed when it ends; the last line counts all. With arguments it is plain pytest with those.

Three lanes on two cores make real parts slow. So at most FILES_ALONE files with a failure are run once more, whole and
alone; the last line names each that passed only then. What fails alone too has failed.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Hosts that start, and k3s on them.
REAL = ("tests/e2e", "tests/hosts", "tests/images", "tests/systemd")
# Brokers, databases, controllers as processes, terminals, and the one k3s of the contract.
WAITING = (
    "tests/agent/contract_k3s",
    "tests/brokers",
    "tests/docs",
    "tests/fleet",
    "tests/guards",
    "tests/tui",
)
FILES_ALONE = 3
_FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/[\w/]+\.py)", re.MULTILINE)
_COUNT = re.compile(r"(\d+) (passed|failed|error|errors|skipped|deselected|warnings?)\b")


def lanes() -> dict[str, list[str]]:
    """Return the arguments of each lane's pytest."""
    return {
        "real hosts": list(REAL),
        "brokers, fleet and screens": list(WAITING),
        "everything else": ["tests", *(f"--ignore={folder}" for folder in (*REAL, *WAITING))],
    }


def counted(output: str) -> dict[str, int]:
    """Return what the last summary line of a pytest run counts."""
    summary = next(
        (line for line in reversed(output.splitlines()) if " in " in line and _COUNT.search(line)), ""
    )
    return {
        word.removesuffix("s") if word == "errors" else word: int(number)
        for number, word in _COUNT.findall(summary)
    }


def main() -> int:
    """Run all lanes; return 0 only if all are good."""
    if sys.argv[1:]:
        return subprocess.run([sys.executable, "-m", "pytest", *sys.argv[1:]], check=False).returncode
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="archipel-lanes-") as directory:
        logs = {name: Path(directory) / f"{number}.log" for number, name in enumerate(lanes())}
        running = {name: _start(arguments, logs[name]) for name, arguments in lanes().items()}
        codes: dict[str, int] = {}
        try:
            while running:
                for name in [one for one, process in running.items() if process.poll() is not None]:
                    codes[name] = running.pop(name).returncode
                    took = f"{time.monotonic() - began:.0f} s"
                    print(
                        f"\n===== lane: {name}, {took} =====\n{logs[name].read_text(errors='replace')}",
                        flush=True,
                    )
                time.sleep(0.5)
        finally:
            for process in running.values():
                process.terminate()
                process.wait()
        totals: dict[str, int] = {}
        for log in logs.values():
            for word, count in counted(log.read_text(errors="replace")).items():
                totals[word] = totals.get(word, 0) + count
        failed = sorted(
            {file for log in logs.values() for file in _FAILED.findall(log.read_text(errors="replace"))}
        )
    told = ", ".join(f"{count} {word}" for word, count in totals.items() if count)
    code = max(codes.values())
    if code == 1 and 0 < len(failed) <= FILES_ALONE:
        print(f"\n===== once more, alone: {' '.join(failed)} =====", flush=True)
        code = subprocess.run([sys.executable, "-m", "pytest", *failed], check=False).returncode
        told += f"; {'then failed' if code else 'then passed'} alone: {' '.join(failed)}"
    print(f"===== {told} in {time.monotonic() - began:.0f}s, in three lanes =====")
    return code


def _start(arguments: list[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        argv = [sys.executable, "-m", "pytest", "--durations=15", *arguments]
        return subprocess.Popen(argv, stdout=output, stderr=output)


if __name__ == "__main__":
    sys.exit(main())
