"""The simulated k3s and the real one keep the same contract, so that what is proven on one holds on the other."""

import time
from collections.abc import Callable

import pytest

from tests.agent.contract_k3s.clauses import CLAUSES
from tests.agent.contract_k3s.ground import Ground, RealMachine, SimulatedMachine
from tests.hosts.plain import PlainHost

Clause = Callable[[Ground], None]


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__.replace("_", "-"))
def test_the_simulated_k3s_keeps_the_clause(clause: Clause) -> None:
    clause(Ground(SimulatedMachine()))


def test_the_simulated_k3s_keeps_every_clause_after_all_others() -> None:
    ground = Ground(SimulatedMachine())
    for clause in CLAUSES:
        clause(ground)


@pytest.mark.real_process
@pytest.mark.own_network
@pytest.mark.real_k3s
@pytest.mark.usefixtures("real_k3s")
def test_the_real_k3s_keeps_every_clause_after_all_others(plain_host: PlainHost) -> None:
    machine = RealMachine(plain_host, time.sleep)
    ground = Ground(machine)
    broken = []
    for clause in CLAUSES:
        began = time.monotonic()
        try:
            clause(ground)
        except AssertionError as broke:
            broken.append(f"{clause.__name__}: {broke}")
        print(f"{time.monotonic() - began:6.1f} s  {clause.__name__.replace('_', ' ')}")
    machine.driver.close()
    assert broken == []
