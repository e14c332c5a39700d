"""Failed pods in whose place another was made are remains: a site is not ill of them."""

from archipel_agent.k3s.parse import standing
from archipel_contract.status import Pod


def pod(name: str, phase: str = "Running", namespace: str = "default") -> Pod:
    return Pod(namespace=namespace, name=name, phase=phase, ready=phase == "Running")


def names(*pods: Pod) -> list[str]:
    return [one.name for one in standing(pods)]


def test_evicted_pods_of_an_owner_that_has_another_are_left_out() -> None:
    evicted = (pod("worker-7875cd854-22ntl", "Failed"), pod("worker-7875cd854-4qlnv", "Failed"))
    assert names(*evicted, pod("worker-7875cd854-zx6kx")) == ["worker-7875cd854-zx6kx"]
    assert names(*evicted, pod("worker-7875cd854-zx6kx", "Pending")) == ["worker-7875cd854-zx6kx"]


def test_a_failed_pod_that_nothing_stands_in_for_is_shown() -> None:
    alone = pod("worker-7875cd854-22ntl", "Failed")
    assert names(alone) == [alone.name]
    assert names(alone, pod("worker-7875cd854-zx6kx", namespace="plant")) == [
        alone.name,
        "worker-7875cd854-zx6kx",
    ]
    assert names(alone, pod("other-7875cd854-zx6kx")) == ["other-7875cd854-zx6kx", alone.name]


def test_a_failed_pod_with_a_name_of_its_own_is_never_taken_for_remains() -> None:
    assert names(pod("load-1", "Failed"), pod("load-2")) == ["load-1", "load-2"]
    assert names(pod("database", "Failed"), pod("web")) == ["database", "web"]
