"""Threads share one heap where a program asks for that, and have one each where it does not."""

import subprocess
import sys

import pytest

BUSY = """
import ctypes, threading
from archipel_contract.memory import share_heap
{first}
libc, gate = ctypes.CDLL(None), threading.Barrier(4)
def work():
    held = [bytes(2000) for _ in range(100)]  # larger than what Python's own allocator hands out
    gate.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for one in threads: one.start()
for one in threads: one.join()
libc.malloc_stats()
"""


def heaps(first: str) -> int:
    """Return how many heaps a program with four busy threads has in the end, as glibc counts them."""
    argv = [sys.executable, "-c", BUSY.format(first=first)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20)
    return done.stderr.count("Arena ")


@pytest.mark.real_process
def test_threads_share_the_heap_that_a_program_asked_them_to_share() -> None:
    assert heaps("") > 1
    assert heaps("share_heap()") == 1
