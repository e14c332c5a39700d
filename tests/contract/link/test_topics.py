"""Topics: built and read by one module, and nothing else is read."""

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.link import topics
from archipel_contract.link.topics import Address, Down, TopicInvalid, Up
from archipel_contract.names import ID_ALPHABET

NODE = "n-0123456789abcdef"
node_ids = st.text(ID_ALPHABET, min_size=16, max_size=16).map("n-".__add__)
shards = st.integers(0, topics.SHARDS - 1)


def matches(pattern: str, topic: str) -> bool:
    """Whether a filter hears a topic (MQTT 3.1.1, 4.7)."""
    wanted, levels = pattern.split("/"), topic.split("/")
    if wanted[-1] == "#":
        return len(levels) >= len(wanted) - 1 and all(
            want in ("+", level) for want, level in zip(wanted[:-1], levels, strict=False)
        )
    return len(wanted) == len(levels) and all(
        want in ("+", level) for want, level in zip(wanted, levels, strict=True)
    )


@hypothesis.given(shards, node_ids, st.sampled_from([*Up, *Down]))
def test_a_topic_is_read_as_it_was_built(shard: int, node: str, channel: Up | Down) -> None:
    topic = topics.up(shard, node, channel) if isinstance(channel, Up) else topics.down(shard, node, channel)
    assert topics.parse(topic) == Address(shard, node, channel)


def test_topics_look_as_they_are_written_down() -> None:
    assert topics.up(63, NODE, Up.STATE) == f"archipel/1/3f/{NODE}/up/state"
    assert topics.down(5, NODE, Down.ACK) == f"archipel/1/05/{NODE}/down/ack"


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "archipel/1/controller/presence",
        "archipel/1",
        f"archipel/2/00/{NODE}/up/state",
        f"archipel/1/0/{NODE}/up/state",
        f"archipel/1/40/{NODE}/up/state",
        f"archipel/1/3F/{NODE}/up/state",
        f"archipel/1/00/{NODE}/up",
        f"archipel/1/00/{NODE}/up/",
        f"archipel/1/00/{NODE}/up/state/more",
        f"archipel/1/00/{NODE}/up/state\n",
        f"archipel/1/00/{NODE}/up/ack",
        f"archipel/1/00/{NODE}/down/state",
        f"archipel/1/00/{NODE}/sideways/state",
        f"archipel/1/00/{NODE}/up/STATE",
        f"/archipel/1/00/{NODE}/up/state",
        f"archipel/1/00/{NODE.upper()}/up/state",
        f"archipel/1/00/{NODE}0/up/state",
        "archipel/1/00/n-0123456789abcde/up/state",
        "archipel/1/00/n-0123456789abcdei/up/state",
        "archipel/1/00/s-0123456789abcdef/up/state",
        "archipel/1/00/+/up/state",
        f"archipel/1/00/{NODE}/up/#",
        "archipel/1/٠٠/n-0123456789abcdef/up/state",
    ],
)
def test_every_other_topic_is_refused(topic: str) -> None:
    with pytest.raises(TopicInvalid):
        topics.parse(topic)


@hypothesis.given(st.text() | st.text("archiple/1/0n-123456789abcdefupstate+#", max_size=60))
def test_noise_is_refused_and_never_breaks(noise: str) -> None:
    with pytest.raises(TopicInvalid):
        topics.parse(noise)


def test_the_shard_of_a_site_never_changes() -> None:
    # Pinned: a node that computed another one would talk to another controller.
    assert topics.shard_of("s-0123456789abcdef", NODE) == 13
    assert topics.shard_of("s-zzzzzzzzzzzzzzzz", NODE) == 34
    assert topics.shard_of("", NODE) == 8


@hypothesis.given(node_ids, node_ids)
def test_all_nodes_of_a_site_share_its_shard(one: str, other: str) -> None:
    site = "s-0123456789abcdef"
    assert topics.shard_of(site, one) == topics.shard_of(site, other) in range(topics.SHARDS)


def test_sites_spread_over_all_shards() -> None:
    taken = {topics.shard_of(f"s-{number:016d}", NODE) for number in range(2000)}
    assert taken == set(range(topics.SHARDS))


@hypothesis.given(shards, node_ids, shards, node_ids)
def test_filters_hear_what_they_should_and_no_two_of_one_client_hear_the_same(
    shard: int, node: str, other_shard: int, other: str
) -> None:
    for channel in Up:
        topic = topics.up(shard, node, channel)
        assert matches(topics.ALL_UP, topic) and matches(topics.up_filter(shard), topic)
        assert matches(topics.up_filter(other_shard), topic) == (shard == other_shard)
        assert not matches(topics.down_filter(shard, node), topic)
    for down in Down:
        topic = topics.down(shard, node, down)
        assert matches(topics.down_filter(shard, node), topic)
        assert matches(topics.down_filter(shard, other), topic) == (node == other)
        assert not matches(topics.ALL_UP, topic) and not matches(topics.up_filter(shard), topic)
    assert not matches(topics.ALL_UP, topics.CONTROLLER_PRESENCE)
    assert not matches(topics.down_filter(shard, node), topics.CONTROLLER_PRESENCE)
