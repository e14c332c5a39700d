"""A wall clock that jumps by ten years at any moment: nothing on the device is deleted, restarted or renewed, calls come at
their time, and once the clock is right all is as it was.
"""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from archipel_agent.k3s.restarts import window
from archipel_agent.link.schedule import Schedule
from archipel_agent.observe import World
from archipel_agent.turn import Turner
from archipel_contract.status import Health
from tests.chaos.crashes import UP, prepared
from tests.chaos.node import Node
from tests.fakes.clock import VirtualClock

YEARS = timedelta(days=3653)
JUMPS = st.lists(
    st.tuples(st.sampled_from([-1, 0, 1]), st.sampled_from([True, False, None]), st.floats(1.0, 90_000.0)),
    min_size=1,
    max_size=8,
)
OURS = ("/etc/", "/var/lib/")


def files(node: Node) -> dict[str, object]:
    """All files that outlive a boot, but for the two databases, whose content is looked at by itself."""
    return {
        name: one
        for name, one in node.disk.all().items()
        if name.startswith(OURS) and not name.endswith(("state.db", "state.db-wal"))
    }


@settings(max_examples=12)
@given(JUMPS)
def test_a_device_whose_clock_jumps_keeps_everything_and_is_well_again_once_it_is_right(
    jumps: list[tuple[int, bool | None, float]],
) -> None:
    node = Node(prepared((UP,)))
    node.clock.advance(600.0)
    world = World(
        paths=node.paths, store=node.store, node_id="n-0123456789abcdef", restart_window=window("00:00-23:59")
    )
    turner = Turner(node.ports, world, "n-0123456789abcdef")
    assert turner.turn().health is Health.HEALTHY
    before, site, jobs = files(node), node.store.site(), node.store.jobs()
    identity, pid = node.store.value("node_id"), node.ports.k3s.status().pid
    right = VirtualClock(node.clock.now())
    for direction, synchronized, seconds in jumps:
        node.clock.jump(right.now() + direction * YEARS)
        node.world.state.synchronized = synchronized if direction == 0 else None if synchronized else False
        for _ in range(2):
            assert turner.turn().did == ()
            node.clock.advance(seconds)
            right.advance(seconds)
    node.clock.jump(right.now())
    node.world.state.synchronized = True
    assert turner.turn(close=True).health is Health.HEALTHY
    assert files(node) == before
    assert (node.store.site(), node.store.jobs(), node.store.value("node_id")) == (site, jobs, identity)
    assert node.ports.k3s.status().pid == pid


@given(st.floats(-5e9, 5e9), st.floats(10.0, 90_000.0), st.floats(0.0, 1e9))
def test_the_next_call_comes_within_two_periods_whatever_the_wall_clock_shows(
    wall: float, every: float, now: float
) -> None:
    schedule = Schedule("n-0123456789abcdef", every, lambda: 0.5)
    schedule.called(now, wall)
    assert now <= schedule.next_at <= now + 2 * every
