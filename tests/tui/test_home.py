"""The home screen."""

from dataclasses import replace

from archipel_contract.facts import ClockQuality
from archipel_contract.status import EnrolmentStatus, Health, LinkMode, LinkState, LinkStatus, Membership
from tests.fakes.agent_server import FakeAgent
from tests.tui import scenes
from tests.tui.conftest import Opened


async def test_a_healthy_box_says_so_with_its_node_pods_and_hardware(opened: Opened) -> None:
    async with opened() as session:
        text = await session.until("+ Healthy")
        assert "edge-07, server, Ready" in text
        assert "+ 3 of 3 ready" in text
        assert "v1.34.2+k3s1  running" in text
        assert "192.168.4.27  1000 Mb/s" in text
        assert "CPU      ########" in text and "41 %" in text
        assert "58 °C  ! power was low" in text
        assert "wlan0    ! no cable" in text
        assert "Everything is as it should be." in text
        assert "REHEARSAL" not in text


async def test_a_sick_box_names_the_worst_finding_with_its_remedy_and_the_keys_that_help(
    opened: Opened, agent: FakeAgent
) -> None:
    agent.push(scenes.sick())
    async with opened() as session:
        text = await session.until("x 2 problems")
        assert "x The power supply is too weak (since 01:04)" in text
        assert "Use the supply made for this board, with a short cable." in text
        assert "F Fix" in text and "W Why" in text
        assert "1 more: press 2" in text
        assert "! line-b/camera-7d9f8b6c5d-et7k2" in text and "ImagePullBackOff" in text


async def test_a_bare_box_says_that_nothing_was_changed_and_which_key_sets_it_up(
    opened: Opened, agent: FakeAgent
) -> None:
    agent.push(scenes.bare())
    async with opened() as session:
        text = await session.until("Not set up yet")
        assert "Nothing has been changed on it." in text
        assert "Press U" in text and "U Set up" in text


async def test_a_stopped_box_offers_to_start_it(opened: Opened, agent: FakeAgent) -> None:
    agent.push(replace(scenes.healthy(), health=Health.STOPPED))
    async with opened() as session:
        assert "U Start" in await session.until("k3s was stopped on purpose.")


async def test_a_report_that_is_pushed_is_on_the_screen_without_a_key(
    opened: Opened, agent: FakeAgent
) -> None:
    async with opened() as session:
        await session.until("+ Healthy")
        agent.push(scenes.sick())
        await session.until("x 2 problems")
        await session.until("Everything is as it should be.", absent=True)


async def test_a_clock_that_cannot_be_trusted_carries_a_mark(opened: Opened, agent: FakeAgent) -> None:
    good = scenes.healthy()
    agent.push(replace(good, node=replace(good.node, clock=ClockQuality.WRONG)))
    async with opened() as session:
        await session.until("x WRONG")


async def test_what_is_not_known_is_said_to_be_unknown_and_never_shown_as_nought(
    opened: Opened, agent: FakeAgent
) -> None:
    good = scenes.healthy()
    bare = replace(good.node, usage=type(good.node.usage)(), facts=replace(scenes.FACTS, nics=()))
    agent.push(replace(good, node=bare, cluster=replace(good.cluster, reachable=False, nodes=(), pods=())))
    async with opened() as session:
        text = await session.until("? not known")
        assert "0 %" not in text
        assert "Pods     ? not known" in text


async def test_a_rehearsed_box_says_so_on_every_screen(opened: Opened, agent: FakeAgent) -> None:
    agent.push(replace(scenes.sick(), rehearsed=True))
    for language in ("en", "de"):
        async with opened(language=language) as session:
            await session.until("REHEARSAL")
            for key in ("0", "1", "2", "4", "6", "8", "u", "s", "h"):
                await session.press(key)
                assert "REHEARSAL" in session.text(), (language, key)
            await session.press("1", "w")
            assert "REHEARSAL" in session.text()


async def test_the_name_of_a_box_cannot_steer_the_terminal(opened: Opened, agent: FakeAgent) -> None:
    good = scenes.healthy()
    agent.push(replace(good, node=replace(good.node, node_name="a\x1b[2Jb"), sentence="one\x1b]0;x\x07two"))
    async with opened(wait="ab") as session:
        assert "onetwo" in await session.until("onetwo")


CONNECTED = LinkStatus(
    mode=LinkMode.ALWAYS_ON,
    state=LinkState.CONNECTED,
    broker="mqtt://127.0.0.1:1883",
    last_answer_at="2026-01-02T03:03:05Z",
)


async def test_a_box_without_a_fleet_says_nothing_of_one(opened: Opened) -> None:
    async with opened() as session:
        assert "Fleet" not in await session.until("+ Healthy")


async def test_a_box_with_a_fleet_tells_how_the_link_stands_and_when_it_was_last_heard(
    opened: Opened, agent: FakeAgent
) -> None:
    agent.push(replace(scenes.healthy(), link=CONNECTED))
    async with opened() as session:
        assert "last word 1 min" in await session.until("+ connected,")
        agent.push(replace(scenes.healthy(), link=replace(CONNECTED, state=LinkState.UNANSWERED)))
        await session.until("! controller silent")
        agent.push(replace(scenes.healthy(), link=LinkStatus(state=LinkState.UNKNOWN)))
        await session.until("? not known")


async def test_an_away_broker_is_told_with_what_waits_and_what_was_lost_and_the_box_stays_healthy(
    opened: Opened, agent: FakeAgent
) -> None:
    away = replace(CONNECTED, state=LinkState.AWAY, last_answer_at="", waiting=12, dropped=3)
    agent.push(replace(scenes.healthy(), link=away))
    async with opened() as session:
        text = await session.until("! broker away")
        assert "no word yet" in text and "12 waiting" in text and "3 dropped" in text and "+ Healthy" in text


async def test_a_box_that_dials_in_tells_when_it_calls_next_in_german_too(
    opened: Opened, agent: FakeAgent
) -> None:
    quiet = replace(CONNECTED, state=LinkState.PLANNED_QUIET, next_call_at="2026-01-02T04:00:00Z")
    agent.push(replace(scenes.healthy(), link=quiet))
    async with opened(language="de") as session:
        text = await session.until("+ still wie geplant,")
        assert "Flotte" in text and "Anruf" in text and "vor 1 min" in text


PENDING = EnrolmentStatus(
    state=Membership.PENDING,
    address="https://fleet.example:8471",
    claim="7k2m-9qxf-04hv",
    code="identity-pending",
)


async def test_a_box_that_waits_for_its_fleet_shows_the_code_to_compare_large_enough_to_read(
    opened: Opened, agent: FakeAgent
) -> None:
    agent.push(replace(scenes.healthy(), enrolment=PENDING))
    async with opened() as session:
        text = await session.until("7 k 2 m - 9 q x f - 0 4 h v")
        assert "! waits for approval," in text and "code" in text and "7k2m-9qxf-04hv" in text
    async with opened(language="de") as session:
        assert "! wartet auf Aufnahme," in await session.until("7k2m-9qxf-04hv")


async def test_a_box_of_a_fleet_says_whose_it_is_and_how_long_its_certificate_holds(
    opened: Opened, agent: FakeAgent
) -> None:
    enrolled = replace(
        PENDING,
        state=Membership.ENROLLED,
        claim="",
        code="",
        fleet="Plants of the north",
        display_name="Edge 7",
        certificate_until="2027-11-22T07:00:00Z",
    )
    agent.push(replace(scenes.healthy(), enrolment=enrolled))
    async with opened() as session:
        text = await session.until("Plants of the north")
        assert "as Edge 7" in text and "2027-11-22" in text and "7 k 2 m" not in text


async def test_what_is_written_how_worn_the_disk_is_and_a_machine_on_battery_stand_with_the_hardware(
    opened: Opened, agent: FakeAgent
) -> None:
    report = scenes.healthy()
    usage = replace(report.node.usage, written_mb_per_day=2310, wear_percent=90, supply="battery")
    agent.push(replace(report, node=replace(report.node, usage=usage)))
    async with opened() as session:
        text = await session.until("2310 MB a day")
        assert "! 90 % used" in " ".join(text.split())
        assert "! on battery" in text


async def test_a_box_that_has_no_node_yet_is_called_by_its_host_name(
    opened: Opened, agent: FakeAgent
) -> None:
    bare = scenes.bare()
    agent.push(replace(bare, node=replace(bare.node, node_name="")))
    async with opened() as session:
        text = await session.until(scenes.FACTS.hostname)
        assert f" {scenes.FACTS.hostname}  Home" in text
