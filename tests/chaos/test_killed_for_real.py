"""SIGKILL of the real agent and the real k3s at random moments leaves the same end state each time."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.chaos.victims import Victims
from tests.hosts import requirements
from tests.hosts.fixtures import clean_ground, skip_without
from tests.hosts.lab import Lab
from tests.hosts.plain import PlainHost

__all__ = ["clean_ground"]

pytestmark = [pytest.mark.real_k3s, pytest.mark.real_process, pytest.mark.own_network]
SEED = int(os.environ.get("ARCHIPEL_SEED") or random.SystemRandom().randrange(1 << 31))
KILLS_A_ROUND = 12


@pytest.fixture
def victims(clean_ground: None) -> Iterator[Victims]:
    """A light host with a stock k3s, its agent about to be killed."""
    skip_without(requirements.missing_for_plain())
    skip_without(requirements.missing_for_k3s())
    with Lab() as lab, PlainHost("victim", lab) as host:
        host.offer_k3s()
        host.offer_images()
        host.allow()
        yield Victims(host, SEED)


def test_a_dozen_kills_of_agent_and_k3s_leave_the_same_end_state(victims: Victims) -> None:
    print(f"seed {SEED}")
    victims.round(KILLS_A_ROUND)
    print(f"killed: {victims.tally}")
    assert victims.tally.total >= KILLS_A_ROUND - 3  # the last may find nothing to kill: the agent has left


@pytest.mark.prove
def test_two_hundred_kills_of_agent_and_k3s_leave_the_same_end_state(victims: Victims) -> None:
    print(f"seed {SEED}")
    rounds = 0
    while victims.tally.total < 200:
        victims.round(KILLS_A_ROUND)
        rounds += 1
        print(f"round {rounds}: {victims.tally.total} kills: {victims.tally}", flush=True)
