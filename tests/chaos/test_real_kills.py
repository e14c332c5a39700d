"""Real agent, real k3s, real SIGKILL: whatever is killed at whatever moment of `up`, `down` or `remove`, the job
comes to the end it comes to when nobody is killed.

`ARCHIPEL_SEED` repeats a run's moments. A dozen kills run always, 200 with `make prove`.
"""

import itertools
import os
import random
import time
from collections.abc import Iterator

import pytest

from tests.chaos.kills import AGENT, DOWN, K3S, REMOVE, UP, Box, Usual, differences, moments
from tests.hosts import requirements
from tests.hosts.fixtures import clean_ground, lab, skip_without
from tests.hosts.lab import Lab
from tests.hosts.plain import PlainHost

__all__ = ["clean_ground", "lab"]
pytestmark = [pytest.mark.real_k3s, pytest.mark.real_process, pytest.mark.own_network]

# A round is one life of a site; behind each job, who is killed during it. The rounds take turns.
LONG = (
    ("up", UP, (AGENT, K3S, AGENT)),
    ("down", DOWN, (AGENT, AGENT)),
    ("remove stopped", REMOVE, (AGENT,)),
)
SHORT = (("up", UP, (AGENT, K3S, AGENT)), ("remove", REMOVE, (AGENT, K3S, AGENT)))
DOZEN = 12


@pytest.fixture
def box(lab: Lab) -> Iterator[Box]:
    """A light host with a stock k3s and image archives."""
    skip_without(requirements.missing_for_k3s())
    with PlainHost("light", lab) as host:
        host.offer_k3s()
        host.offer_images()
        host.allow()
        yield Box(host)


def check_end(box: Box, name: str) -> list[str]:
    """What is not as this job promises."""
    if name == "up":
        why_not = box.await_ready()
        return [why_not] if why_not else []
    left = box.k3s_processes()
    if name.startswith("remove"):
        box.wait_gone()
        left += box.person.processes("archipel")
        return [f"left running: {left}"] * bool(left) + differences(box.bare, box.picture())
    report = box.person.status()
    return [f"left running: {left}"] * bool(left) + [f"health {report['health']}"] * (
        report["health"] != "stopped"
    )


def undisturbed(box: Box) -> Usual:
    """One round in which nobody is killed."""
    usual = Usual()
    box.keep_agent()
    for name, words, _ in LONG:
        ran = box.job(words, [])
        assert ran.state == "succeeded", ran.state
        assert check_end(box, name) == []
        usual.seconds[name], usual.pictures[name] = ran.seconds, box.picture()
    # Removing a site that runs is stopping it and then removing the rest.
    usual.seconds["remove"] = usual.seconds["down"] + usual.seconds["remove stopped"]
    usual.pictures["remove"] = usual.pictures["remove stopped"]
    print(f"undisturbed: {', '.join(f'{name} {seconds:.1f} s' for name, seconds in usual.seconds.items())}")
    return usual


def kill(box: Box, kills: int) -> tuple[int, list[str]]:
    """Run rounds until so many were killed; returns how many were, and every end that was not as without a kill."""
    seed = int(os.environ.get("ARCHIPEL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    print(f"\nARCHIPEL_SEED={seed}")
    chance = random.Random(seed)
    usual = undisturbed(box)
    killed = 0
    wrong: list[str] = []
    begun = time.monotonic()
    rounds = itertools.cycle((LONG, SHORT))
    while killed < kills and not wrong:
        box.keep_agent()
        for name, words, victims in next(rounds):
            ran = box.job(words, moments(chance, usual.seconds[name], victims))
            killed += sum("killed" in fell for fell in ran.fell)
            bad = check_end(box, name) if ran.state == "succeeded" else [ran.state]
            bad = bad or differences(usual.pictures[name], box.picture())
            print(
                f"{killed:4} {name:14} {'; '.join(ran.fell)}: {'as ever' if not bad else bad[:5]}, {ran.seconds:.1f} s"
            )
            if bad:
                wrong.append(f"{name}, {ran.fell}: {bad}")
                break
    took = time.monotonic() - begun
    print(f"{killed} kills in {took:.0f} s, {len(wrong)} wrong ends, ARCHIPEL_SEED={seed}")
    return killed, wrong


@pytest.mark.timeout(900)
def test_a_dozen_killed_agents_and_k3s_change_nothing_about_the_end(box: Box) -> None:
    killed, wrong = kill(box, DOZEN)
    assert wrong == []
    assert killed >= DOZEN


@pytest.mark.prove
def test_two_hundred_killed_agents_and_k3s_change_nothing_about_the_end(box: Box) -> None:
    killed, wrong = kill(box, 200)
    assert wrong == []
    assert killed >= 200
