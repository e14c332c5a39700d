"""The hosts for the tests of the installer."""

from tests.hosts.fixtures import booted_host, clean_ground, lab

__all__ = ["booted_host", "clean_ground", "lab"]
