"""The hosts' fixtures, for the half of the suite that needs a real k3s."""

from tests.hosts.fixtures import allowances, clean_ground, lab, plain_host, real_k3s

__all__ = ["allowances", "clean_ground", "lab", "plain_host", "real_k3s"]
