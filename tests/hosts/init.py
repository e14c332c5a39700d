"""Process 1 of a test host: reaps every orphan and ends with whoever holds its standard input.

Started by `ground.py`, `lab.py` and `plain.py` as a script of its own, with nothing but the standard
library, because it runs inside namespaces. It starts nothing. With the word `forever` it ignores its
standard input and ends on SIGTERM only. When it ends as process 1 of a process namespace, the kernel kills
everything in that namespace.
"""

import os
import select
import signal
import sys


def reap() -> None:
    """Collect every child that has ended."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


def main() -> None:
    """Say "ready", then wait for the end."""
    awake, wake = os.pipe()
    os.set_blocking(awake, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    watched = [awake] if "forever" in sys.argv else [awake, 0]
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select(watched, [], [])
        if 0 in readable and not os.read(0, 4096):
            return
        if awake in readable and signal.SIGTERM in os.read(awake, 4096):
            return
        reap()


if __name__ == "__main__":
    main()
