"""`python -m tests.demo`: starts an agent, opens the technician's screen on a terminal, stops all of it on exit.

With `--check` there is no screen: the site comes up, one fault is made, must be explained and must heal; the exit code is
0 only if all of that was seen, within a minute.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from tests.demo.grounds import PROGRAM, Ground, choose
from tests.hosts import shell

LIMIT_SECONDS = 60.0


class NotSeen(Exception):
    """Something the demo promises did not show."""


class Story:
    """Tells what happens with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def tell(self, words: str) -> None:
        """Print one line."""
        print(f"demo {self.seconds:5.1f} s  {words}", flush=True)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def until(self, what: str, seen: Callable[[], str]) -> str:
        """Look until `seen` says something; raise NotSeen when the minute is over."""
        while not (said := seen()):
            if self.seconds > LIMIT_SECONDS:
                raise NotSeen(f"{what}: not seen within {LIMIT_SECONDS:g} s")
            time.sleep(0.3)
        self.tell(f"{what}: {said}")
        return said


def check(ground: Ground, story: Story) -> None:
    """Tell the whole story without a screen; raise NotSeen."""
    story.tell(f"agent started on {ground.title}")
    done = ground.archipel("up", "--json", *ground.up, timeout=LIMIT_SECONDS)
    if done.rc != 0:
        raise NotSeen(f"archipel up ended with {done.rc}: {done.stdout[-600:]} {done.stderr[-1500:]}")
    story.until("the site is up", lambda: _healthy(ground))
    ground.break_it()
    story.tell(f"fault made: {ground.fault}")
    story.until("found", lambda: _title(ground))
    why = ground.archipel("why", ground.code).stdout
    if "remedy" not in why.lower():
        raise NotSeen(f"archipel why {ground.code} names no remedy: {why[:500]}")
    story.tell("explained: " + next(line.strip() for line in why.splitlines() if "remedy" in line.lower()))
    ground.heal_it()
    story.until("healed", lambda: "" if _title(ground) else _healthy(ground))


def _report(ground: Ground) -> dict[str, Any]:
    """Return what `archipel status --json` says now."""
    said = ground.archipel("status", "--json")
    report: dict[str, Any] = json.loads(said.stdout) if said.stdout else {}
    return report


def _healthy(ground: Ground) -> str:
    report = _report(ground)
    return report["sentence"] if report.get("health") == "healthy" else ""


def _title(ground: Ground) -> str:
    found = [one for one in _report(ground).get("findings", []) if one["code"] == ground.code]
    return found[0]["summary"] if found else ""


def show(ground: Ground, story: Story) -> int:
    """Bring the site up in the background and open the screen; return the screen's exit code."""
    story.tell(f"agent started on {ground.title}")
    ground.archipel("up", "--no-wait", "--yes", *ground.up)
    screen = [*PROGRAM, "tui", "--socket", str(ground.socket)]
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        story.tell("no terminal here; open the screen from one with: " + " ".join(screen))
        story.tell("Ctrl-C stops all of it")
        signal.pause()
        return 0
    return shell.attached(screen)


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="no screen; exit 0 only if the whole story was seen"
    )
    parser.add_argument(
        "--rehearsed", action="store_true", help="a simulated machine even if a real k3s could be had"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupted)
    story = Story()
    ground = choose(options.rehearsed)
    try:
        if options.check:
            check(ground, story)
            story.tell("everything promised was seen")
            return 0
        return show(ground, story)
    except NotSeen as error:
        print(f"demo: {error}\n{ground.log()[-3000:]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        ground.close()


if __name__ == "__main__":
    sys.exit(main())
