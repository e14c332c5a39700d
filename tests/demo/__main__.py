"""`python -m tests.demo`: a fleet on this machine. A controller with its broker and web page, this machine's agent, and ten
rehearsed sites of three nodes of which some are silent. Prints where to look; Ctrl-C stops all of it.

With `--check` nobody looks: every promise is checked within a minute, and the exit code is 0 only if all were kept.
"""

import argparse
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from tests.demo import check
from tests.demo.fleet import Fleet, NotStarted
from tests.demo.grounds import Ground, choose
from tests.demo.story import NotSeen, Story
from tests.hosts import shell


def show(fleet: Fleet, ground: Ground, story: Story) -> None:
    """Print where to look, and wait for Ctrl-C."""
    command = Path(sys.executable).with_name("archipel")
    print()
    print(f"  The fleet's page:         {fleet.address}")
    print(f"                            {fleet.first_words}")
    print(
        f"  The fleet, by command:    ARCHIPEL_FLEET_DATA={fleet.data} ARCHIPEL_FLEET_URL={fleet.address} \\"
    )
    print(f"                            {command} fleet sites")
    print(f"  The technician's screen:  {command} tui --socket {ground.socket}")
    print(f"  Make trouble:             {command} rehearse ctl {fleet.stage} cut rehearsed-001")
    print("                            (and `heal` instead of `cut` to end it)")
    print()
    story.tell("Ctrl-C stops all of it")
    while True:
        signal.pause()


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="nobody looks; exit 0 only if every promise was seen kept"
    )
    parser.add_argument(
        "--rehearsed", action="store_true", help="a simulated machine even if a real k3s could be had"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupted)
    story = Story()
    fleet: Fleet | None = None
    ground: Ground | None = None
    try:
        fleet = Fleet()
        story.tell(f"the controller serves {fleet.address}")
        fleet.rehearse()
        ground = choose(options.rehearsed, fleet.ports)
        story.tell(f"this machine's agent started on {ground.title}")
        ground.enrol(fleet.invitation())
        story.tell("this machine's agent has a certificate of the fleet")
        _up(ground, story)
        if options.check:
            check.check(fleet, ground, story)
            story.tell("everything promised was seen")
        else:
            show(fleet, ground, story)
        return 0
    except (NotSeen, NotStarted, shell.CommandFailed) as error:
        said = (fleet.said() if fleet else "") + (ground.log()[-3000:] if ground else "")
        print(f"demo: {error}\n{said}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        for one in (ground, fleet):
            if one is not None:
                one.close()


def _up(ground: Ground, story: Story) -> None:
    """Make the site in the background; what goes wrong is told."""

    def work() -> None:
        done = ground.archipel("up", "--json", *ground.up, timeout=180.0)
        if done.rc != 0:
            story.tell(f"archipel up ended with {done.rc}: {done.stdout[-600:]} {done.stderr[-1500:]}")

    threading.Thread(target=work, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
