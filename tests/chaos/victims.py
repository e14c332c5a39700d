"""Real SIGKILLs of agent and k3s at random moments of `up`, `down` and `remove` on a light host with a real k3s.

A dead agent is started again at once, as systemd would; whoever asked for the job is gone and nobody types anything. One
round is up, down, up, remove: after each the machine must be as if nothing had been killed.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.e2e.person import SMALL, Person, from_checkout
from tests.hosts import shell
from tests.hosts.offers import IMAGES
from tests.hosts.plain import PlainHost

SETTLE_SECONDS = 150.0
POLL_SECONDS = 0.2
AGENT, K3S = "agent", "k3s"
# Seconds over which the kills of a job are spread: about as long as it takes undisturbed, so that they hit every step.
SPAN = {"up": 12.0, "down": 3.0, "remove": 3.0}
PROGRAM = {AGENT: "agent run --interval", K3S: "[/]k3s server"}


@dataclass
class Tally:
    """What was killed, and during what."""

    kills: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, verb: str, victim: str) -> None:
        """Count one."""
        self.kills[verb, victim] = self.kills.get((verb, victim), 0) + 1

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.kills.values())

    def __str__(self) -> str:
        return ", ".join(
            f"{count} x {victim} in {verb}" for (verb, victim), count in sorted(self.kills.items())
        )


class Victims:
    """One host whose agent and k3s are killed."""

    def __init__(self, host: PlainHost, seed: int) -> None:
        """Kill at moments that follow from `seed`."""
        self.host = host
        self.person = Person(host, from_checkout())
        self.tally = Tally()
        self._random = random.Random(seed)
        self._agent: shell.Spawned | None = None

    def round(self, kills: int) -> None:
        """Go through up, down, up, remove with that many kills in all."""
        shares = [kills // 4 + (1 if part < kills % 4 else 0) for part in range(4)]
        self._job("up", shares[0], self._up)
        self._until("a healthy site after up", self._healthy)
        self._job("down", shares[1], ("down",))
        self._until("nothing of k3s after down", lambda: self._stopped() and not self._traces())
        self._job("up", shares[2], self._up)
        self._until("a healthy site after the second up", self._healthy)
        self._job("remove", shares[3], ("remove", "--everything", "--yes"))
        self._until("the agent gone after remove", self._gone)
        assert self._traces() == []
        assert self._files() == []

    @property
    def _up(self) -> tuple[str, ...]:
        return ("up", "--yes", "--images", IMAGES, *SMALL)

    def _job(self, verb: str, kills: int, words: tuple[str, ...]) -> None:
        self._ensure_agent()
        asking = self.host.spawn([*from_checkout(), *words])
        self._until("the job begun", lambda: self._jobs(verb) or asking.rc is not None)
        moments = sorted(self._random.uniform(0.0, SPAN[verb]) for _ in range(kills))
        began = time.monotonic()
        for moment in moments:
            time.sleep(max(0.0, began + moment - time.monotonic()))
            first, second = self._random.choice(((AGENT, K3S), (AGENT, K3S), (K3S, AGENT)))
            victim = first if self._kill(first) else second if self._kill(second) else ""
            if victim:
                self.tally.add(verb, victim)
            if not (verb == "remove" and self._gone()):
                self._ensure_agent()
        asking.stop()

    def _kill(self, victim: str) -> bool:
        """SIGKILL it; False when it does not run at the moment (k3s before its start and after its end)."""
        return self.host.run(["pkill", "-KILL", "-f", "--", PROGRAM[victim]]).rc == 0

    def _ensure_agent(self) -> None:
        if self._agent is not None and self._agent.rc is None:
            return
        self._agent = self.host.spawn([*from_checkout(), "agent", "run", "--interval", "1"])
        agent = self._agent
        self._until(
            "the agent answering",
            lambda: agent.rc is not None or self.person.types("agent", "status").rc == 0,
        )

    def _jobs(self, verb: str) -> bool:
        answer = self.person.asks("agent", "jobs")
        return (
            bool(answer.document)
            and answer.document["jobs"][:1] != []
            and answer.document["jobs"][0]["verb"] == verb
        )

    def _healthy(self) -> bool:
        answer = self.person.asks("status")
        return bool(answer.document) and answer.document["health"] == "healthy"

    def _stopped(self) -> bool:
        answer = self.person.asks("status")
        return bool(answer.document) and answer.document["health"] == "stopped"

    def _traces(self) -> list[str]:
        """Return processes, mounts and links of k3s."""
        processes = self.host.run(["pgrep", "-fa", "--", "k3s server|containerd-shim"]).stdout.splitlines()
        mounts = [
            one.point for one in self.host.mounts() if "/run/k3s" in one.point or "kubelet/pods" in one.point
        ]
        return [
            *processes,
            *mounts,
            *(name for name in self.host.links() if name.startswith(("cni", "flannel"))),
        ]

    def _gone(self) -> bool:
        return self._agent is not None and self._agent.rc is not None and not self._files()

    def _files(self) -> list[str]:
        """Return what is left of the agent, of k3s' settings and of its data."""
        places = [
            "/var/lib/archipel",
            "/etc/archipel",
            "/run/archipel",
            "/etc/rancher",
            "/var/lib/rancher/k3s/server",
        ]
        found = self.host.run(["find", *places, "-type", "f", "-not", "-path", "*/config.yaml.d/*"]).stdout
        return found.splitlines()

    def _until(self, what: str, seen: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while not seen():
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{what}: not within {SETTLE_SECONDS:g} s after {self.tally}\n{self._story()}"
                )
            if self._agent is not None and self._agent.rc is not None and not self._leaves(what):
                self._ensure_agent()
            time.sleep(POLL_SECONDS)

    def _leaves(self, what: str) -> bool:
        return "gone" in what and not self._files()

    def _story(self) -> str:
        status = self.person.types("status", "--fresh").stdout
        agent = self._agent.output()[-2000:] if self._agent else ""
        log = self.host.run(["tail", "-n", "15", "/var/lib/archipel/log/k3s.log"]).stdout[-3000:]
        return f"{status}\n{agent}\n{log}\n{self._traces()}\n{self._files()}"
