"""The hosts' fixtures for the tests of the test ground itself."""

from tests.hosts.fixtures import (
    allowances,
    booted_host,
    clean_ground,
    lab,
    plain_host,
    real_k3s,
)

__all__ = [
    "allowances",
    "booted_host",
    "clean_ground",
    "lab",
    "plain_host",
    "real_k3s",
]
