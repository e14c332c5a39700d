"""Followers are told which sites changed, from any thread, and a follower that never asks costs nothing."""

import asyncio
import threading

from archipel_fleet.live import EVERY_SITE, NAMED, Live


async def test_a_change_published_by_another_thread_wakes_the_reader() -> None:
    live = Live()
    subscription = live.subscribe()
    teller = threading.Thread(target=live.publish, args=(frozenset({"site-a"}),))
    teller.start()
    assert await subscription.next(5.0) == {"site-a"}
    teller.join()
    subscription.close()


async def test_changes_between_two_looks_come_together_and_each_only_once() -> None:
    live = Live()
    subscription = live.subscribe()
    for name in ("a", "b", "a"):
        live.publish(frozenset({name}))
    assert await subscription.next(5.0) == {"a", "b"}
    assert await subscription.next(0.01) == frozenset()


async def test_every_reader_is_told() -> None:
    live = Live()
    readers = [live.subscribe(), live.subscribe()]
    live.publish(frozenset({"a"}))
    assert [await reader.next(5.0) for reader in readers] == [{"a"}, {"a"}]


async def test_a_reader_that_never_asks_holds_a_bounded_set_and_is_then_told_to_look_at_everything() -> None:
    live = Live()
    subscription = live.subscribe()
    for number in range(NAMED + 1):
        live.publish(frozenset({f"site-{number}"}))
    live.publish(frozenset({"one-more"}))
    assert await subscription.next(5.0) == EVERY_SITE


async def test_a_closed_subscription_is_told_nothing_more() -> None:
    live = Live()
    subscription = live.subscribe()
    subscription.close()
    live.publish(frozenset({"a"}))
    assert live.readers == 0
    assert await subscription.next(5.0) == frozenset()


async def test_the_end_of_the_controller_ends_waiting_readers_and_those_to_come() -> None:
    live = Live()
    subscription = live.subscribe()
    waiting = asyncio.create_task(subscription.next(5.0))
    await asyncio.sleep(0)
    live.close()
    assert await waiting == frozenset()
    assert subscription.closed
    assert live.subscribe().closed


def test_a_reader_whose_loop_is_gone_is_forgotten() -> None:
    live = Live()

    async def leave_without_closing() -> None:
        live.subscribe()

    asyncio.run(leave_without_closing())
    live.publish(frozenset({"a"}))
    assert live.readers == 0
