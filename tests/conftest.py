"""What every test gets: the guards, longer times for tests on real parts, and settings of the property tests.

Virtual time, fakes and test hosts are fixtures of the folders that use them.
"""

import gc

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

# Examples of a property test that names no number of its own: in `make test`, and in `make prove`, which runs it again.
FEW, MANY = 30, 300
# A slow machine is not a failing property, so no deadline per example; what fails can be repeated from the
# printed blob.
hypothesis.settings.register_profile("archipel", deadline=None, print_blob=True, max_examples=FEW)
hypothesis.settings.register_profile("prove", hypothesis.settings.get_profile("archipel"), max_examples=MANY)
hypothesis.settings.load_profile("archipel")


def _proves(config: pytest.Config) -> bool:
    return bool(config.option.markexpr == "prove")


def _names_no_number(item: pytest.Item) -> bool:
    """Whether this is a property test with as many examples as the profile says."""
    test = getattr(item, "obj", None)
    chosen = getattr(test, "_hypothesis_internal_use_settings", None)
    return chosen is not None and bool(chosen.max_examples == MANY)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the number of examples before the first test module is read."""
    if _proves(config):
        hypothesis.settings.load_profile("prove")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have `make prove` run property tests with many examples, and give tests on real parts the time those need."""
    for item in items if _proves(config) else []:
        if _names_no_number(item):
            item.add_marker("prove")
    for item in items:
        if item.get_closest_marker("timeout"):
            continue
        for marker, seconds in TIMEOUTS.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.timeout(seconds))
                break


def pytest_collection_finish() -> None:
    """Have the garbage collector leave alone what stays to the end, which it would walk through again and again."""
    gc.collect()
    gc.freeze()
