"""What a storm of enrolments needed once is given back, and a controller at rest is left alone."""

from archipel_contract.memory import resident
from archipel_fleet.host.memory import GROWN_BYTES, Tidying


def test_memory_is_given_back_where_much_has_come_and_only_there() -> None:
    now = [100 << 20]
    given: list[int] = []

    def give_back() -> None:
        given.append(now[0])
        now[0] -= 1 << 20

    tidying = Tidying(give_back, lambda: now[0])
    assert tidying.look()
    assert not tidying.look()
    now[0] += GROWN_BYTES - 1
    assert not tidying.look()
    now[0] += 1
    assert tidying.look()
    assert len(given) == 2


def test_the_real_thing_gives_back_what_was_freed() -> None:
    held = [bytearray(1000) for _ in range(60_000)]
    high = resident()
    keep = held[::600]  # so that the heap's end stays in use, as it does in a program
    del held
    Tidying().look()
    assert len(keep) == 100
    assert resident() < high - (30 << 20)
