"""A module that is named and never used costs nothing, and whoever uses it gets the module itself."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.real_process

BEFORE = """
import sys
from archipel_contract.link import mqtt
def is_loaded(): return "tempfile" in sys.modules
assert not is_loaded()
"""
USES = {
    "a name of it": "from urllib.request import Request",
    "the package's": "import urllib.request; assert not is_loaded(); urllib.request.Request",
    "whether it has one": "import urllib.request; assert hasattr(urllib.request, 'getproxies')",
    "one it lacks": "import urllib.request; assert not hasattr(urllib.request, 'nothing')",
    "by name": "import importlib; importlib.import_module('urllib.request').urlopen",
    "at once": (
        "import threading, urllib.request as one\n"
        "threads = [threading.Thread(target=lambda: one.Request('http://a/')) for _ in range(8)]\n"
        "[each.start() for each in threads]; [each.join() for each in threads]"
    ),
}
AFTER = """
assert is_loaded()
import urllib.request
assert urllib.request is sys.modules["urllib.request"] and urllib.request.__file__
print("good")
"""


@pytest.mark.parametrize("use", USES)
def test_what_a_library_names_but_never_uses_is_loaded_by_whoever_does(use: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", BEFORE + USES[use] + AFTER], capture_output=True, text=True, check=False
    )
    assert (said.stdout, said.stderr) == ("good\n", "")


def test_a_module_that_is_loaded_already_stays_as_it_is() -> None:
    program = "import urllib.request as one\nfrom archipel_contract.link import mqtt\nimport urllib.request\n"
    program += "assert urllib.request is one and one.__file__\nprint('good')"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (said.stdout, said.stderr) == ("good\n", "")
