"""What every test gets: the guards, longer times for tests on real parts, and settings of the property tests.

Virtual time, fakes and test hosts are fixtures of the folders that use them.
"""

import hypothesis
import pytest

pytest_plugins = [
    "pytester",
    "tests.guards.violations",
    "tests.guards.processes",
    "tests.guards.sockets",
    "tests.guards.blocking",
    "tests.guards.leftovers",
    "tests.guards.skips",
    "tests.brokers.fixtures",
]

# Seconds for tests on real parts; everything else has the 20 s of pyproject.toml, and a test may name its
# own.
TIMEOUTS = {"prove": 7200, "booted": 600, "real_k3s": 600, "tmux": 60}

# A slow machine is not a failing property, so no deadline per example; what fails can be repeated from the
# printed blob.
hypothesis.settings.register_profile("archipel", deadline=None, print_blob=True)
hypothesis.settings.load_profile("archipel")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests on real parts the time those need."""
    for item in items:
        if item.get_closest_marker("timeout"):
            continue
        for marker, seconds in TIMEOUTS.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.timeout(seconds))
                break
