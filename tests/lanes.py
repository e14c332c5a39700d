"""`python -m tests.lanes`: all tests in two lanes side by side, because the tests on real hosts mostly wait.

One lane has the folders of REAL, the other all the rest. Each lane's output
is printed when it ends; the last line counts both. With arguments it is plain pytest with those.

Two lanes on two cores make real parts slow. So at most FILES_ALONE files with a failure are run once more, whole and alone;
the last line names each that passed only then. What fails alone too has failed.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REAL = ("tests/e2e", "tests/hosts", "tests/chaos", "tests/images", "tests/systemd")
FILES_ALONE = 3
_FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/[\w/]+\.py)", re.MULTILINE)
_COUNT = re.compile(r"(\d+) (passed|failed|error|errors|skipped|deselected|warnings?)\b")


def lanes() -> dict[str, list[str]]:
    """Return the arguments of each lane's pytest."""
    return {
        "real hosts": list(REAL),
        "everything else": ["tests", *(f"--ignore={folder}" for folder in REAL)],
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
    """Run both lanes; return 0 only if both are good."""
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
    print(f"===== {told} in {time.monotonic() - began:.0f}s, in two lanes =====")
    return code


def _start(arguments: list[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        argv = [sys.executable, "-m", "pytest", "--durations=15", *arguments]
        return subprocess.Popen(argv, stdout=output, stderr=output)


if __name__ == "__main__":
    sys.exit(main())
