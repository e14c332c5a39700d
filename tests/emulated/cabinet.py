"""A box in a cabinet, emulated: the machine, the stick prepared for it, and somebody who comes with a serial cable once it
has done what it does by itself. What is done and seen is printed; that is the transcript.

Used by the tests of this package. What is awaited is looked for from outside, on the stick, as long as nobody is to type.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from archipel_contract.exits import Exit
from tests.e2e.maker import FILE, PUBLIC
from tests.emulated.desk import ANSWERS, prepared_stick
from tests.emulated.machine import Machine
from tests.emulated.stick import Stick
from tests.hosts.offers import K3S
from tests.hosts.shell import Completed

RESULT = "archipel-result"
KEYS = "/etc/archipel/bundle-keys"
SITE_SECONDS = (
    1500.0  # one hundred on two idle processors; an emulated one shares them with whatever else runs
)
LOOK_SECONDS = 2.0
PODS = (K3S, "kubectl", "get", "nodes,pods", "--all-namespaces")


class Cabinet:
    """See the module."""

    def __init__(self, desk: Path, place: Path, stick: Stick) -> None:
        """A box that is off, without its stick, whose image trusts the key made at this desk."""
        self.stick = stick
        self.machine = Machine("edge", place, {f"{KEYS}/{PUBLIC}": (desk / PUBLIC).read_bytes()})
        self._begun = time.monotonic()

    @classmethod
    def at(cls, place: Path, answers: str) -> Self:
        """A box and the stick for it, both made in this empty directory."""
        desk, machine = place / "desk", place / "box"
        desk.mkdir()
        machine.mkdir()
        made = cls(desk, machine, prepared_stick(desk, answers))
        made.notes(f"{ANSWERS} on the stick, beside {FILE}:\n{indented(answers)}")
        return made

    def notes(self, text: str) -> None:
        """Write into the transcript what happens, with the seconds since its beginning."""
        print(f"[{time.monotonic() - self._begun:6.1f} s] {text}", flush=True)

    # -- hands -----------------------------------------------------------------------------------------------
    def is_switched_on(self, clock: str = "utc") -> None:
        """Switch it on; its cable is out."""
        if not self.machine.kernel_log():
            self._begun = time.monotonic()  # the first time
        told = "" if clock == "utc" else f"; its battery-backed clock says {clock}"
        self.notes(f"power on, without a cable{told}")
        self.machine.switch_on(clock=clock)

    def has_started(self) -> None:
        """Wait until systemd has nothing left to start: some commands want the agent."""
        self.machine.run(["systemctl", "is-system-running", "--wait"], timeout=600)
        self.notes("it has started")

    def plugs_stick(self) -> None:
        """Put the stick in."""
        self.machine.plug("stick", self.stick)
        self.notes("the stick is plugged in")

    def pulls_stick(self) -> None:
        """Pull the stick."""
        self.machine.pull("stick")
        self.notes("the stick is pulled")

    def loses_power(self) -> None:
        """Cut its power."""
        self.machine.power_cut()
        self.notes("the power is cut")

    # -- what is seen from outside ---------------------------------------------------------------------------
    def result(self) -> dict[str, Any]:
        """The result on the stick as it is now; empty while there is none, or half of one."""
        try:
            said: dict[str, Any] = json.loads(self.stick.read(f"{RESULT}.json"))
        except ValueError:
            return {}
        return said

    def awaits(self, wanted: Callable[[], bool], what: str, seconds: float = SITE_SECONDS) -> None:
        """Look every other second until it is so."""
        deadline = time.monotonic() + seconds
        while not wanted():
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}\n{self._said()}"
            time.sleep(LOOK_SECONDS)

    def has_done(self, deed: str) -> None:
        """Wait until the stick says that this was done."""
        self.awaits(
            lambda: deed in {one["deed"] for one in self.result().get("done", [])}, f"{deed} on the stick"
        )
        self.shows_result()

    def shows_result(self) -> None:
        """Copy what the stick tells people into the transcript."""
        self.notes(f"{RESULT}.txt on the stick:\n{indented(self.stick.read(f'{RESULT}.txt'))}")

    # -- at the serial console -------------------------------------------------------------------------------
    def types(self, *words: str, timeout: float = 600.0, shown: bool = True) -> Completed:
        """Type a command; what it says is shown, but for what only counts."""
        begun = time.monotonic()
        done = self.machine.run(words, timeout=timeout)
        if shown:
            lines = [one for one in (done.stdout + done.stderr).splitlines() if ": waiting for " not in one]
            head = f"edge# {' '.join(words)}   ({time.monotonic() - begun:.1f} s, exit code {done.rc})"
            self.notes("\n".join([head, indented("\n".join(lines))]))
        return done

    def findings(self) -> dict[str, dict[str, Any]]:
        """What the doctor finds, by code."""
        done = self.types("archipel", "doctor", "--json", shown=False)
        results = json.loads(done.stdout.splitlines()[-1])["results"]
        return {one["code"]: one for result in results for one in result["findings"]}

    def is_well(self, seconds: float = SITE_SECONDS) -> None:
        """Wait until the node is Ready, its pod runs and the box says that it is healthy, and show it."""

        def wanted() -> bool:
            # What the API tells of node and pod may be from before a power cut, until k3s has started.
            if self.types("systemctl", "is-active", "k3s", shown=False).rc != 0:
                return False
            seen = self.types(*PODS, shown=False).stdout
            is_up = " Ready " in seen and " 1/1 " in seen
            return is_up and self.types("archipel", "status", shown=False).rc == Exit.OK

        self.awaits(wanted, "Ready with its pod, and healthy in its own words", seconds)
        self.types(*PODS)

    def _said(self) -> str:
        """For the message of a failure."""
        self.shows_result()
        script = "journalctl -u archipel-agent -n 40 -o short-monotonic; journalctl -u k3s -n 25 -o cat"
        self.types("sh", "-c", f"timedatectl; archipel status; {script}")
        return self.machine.kernel_log()[-2000:]


def indented(text: str) -> str:
    """The text, set in by four."""
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines())
