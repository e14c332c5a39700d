"""The hosts' fixtures, for the half of the suite that needs a real k3s."""

import pytest

from tests.hosts.fixtures import allowances, clean_ground, lab, plain_host, real_k3s

# A clause that breaks shows its values, as an assert in a test does.
pytest.register_assert_rewrite("tests.agent.contract_k3s.clauses", "tests.agent.contract_k3s.ground")

__all__ = ["allowances", "clean_ground", "lab", "plain_host", "real_k3s"]
