"""How the agent comes by its keeper: only where there is a fleet, from what was left for it, reported by its core."""

import subprocess
import sys
from pathlib import Path

import pytest

from archipel_agent.compose import WayIn, open_core
from archipel_agent.core import Core
from archipel_agent.host.disk import SystemDisk
from archipel_agent.identity import making
from archipel_agent.paths import Paths, token_file
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.service import Refused
from archipel_agent.settings import Settings
from archipel_agent.state.database import StateUnusable
from archipel_agent.support.known import secrets
from archipel_contract.api import EnrolmentWish
from archipel_contract.status import Membership
from tests.agent.identity.devices import ADDRESS, Device
from tests.fakes.clock import VirtualClock
from tests.fakes.enrolment import FakeEnroller, FakeFleet

NOTHING_LOADED = """
import sys
from pathlib import Path
from archipel_agent import compose, daemon
from archipel_agent.paths import Paths
from archipel_agent.settings import Settings
from archipel_agent.host.disk import SystemDisk
class Bare:
    store, paths, wake = object(), Paths(Path("/nowhere")), None
    class ports: disk = SystemDisk()
way_in = compose.open_way_in(Bare(), Settings())
assert way_in is not None and way_in.status().state == "none"
way_in.look()
way_in.stop()
ours = ("cryptography", "archipel_agent.identity", "archipel_contract.trust.")
print(*[name for name in sys.modules if name.startswith(ours)])
"""


@pytest.mark.real_process
def test_without_a_fleet_nothing_of_the_identity_is_loaded() -> None:
    said = subprocess.run([sys.executable, "-c", NOTHING_LOADED], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == ""


def core(root: Path, settings: Settings) -> Core:
    """A rehearsed agent with these settings."""
    paths = Paths(root)
    ports = rehearse(paths, Scenario(), VirtualClock()).ports
    made, _ = open_core(paths, ports, settings)
    return made


def way_in(one: Core, settings: Settings, fleet: FakeFleet) -> WayIn:
    """The way into `fleet`, with whatever takes long done at once."""
    enroller = FakeEnroller(fleet)
    enroller.peer = one.node_id
    made = WayIn(one, settings, SystemDisk(), enroller)
    one.way_in = made
    return made


def settle(made: WayIn) -> None:
    """Do what is due, and wait for it."""
    made.look()
    made.stop()


def test_a_link_from_the_api_enrols_and_the_report_says_so(tmp_path: Path, fleet: FakeFleet) -> None:
    one = core(tmp_path, Settings())
    made = way_in(one, Settings(), fleet)
    assert made.keeper is None
    assert one.turn().enrolment.state is Membership.NONE
    one.enrol(EnrolmentWish(link=f"{ADDRESS}/#{fleet.token().text}"), "anna")
    settle(made)
    assert one.report(fresh=False).enrolment.state is Membership.ENROLLED  # before the next turn
    report = one.turn(close=True)
    assert (report.enrolment.state, report.enrolment.display_name) == (Membership.ENROLLED, "Edge 7")
    assert not [finding for finding in report.findings if finding.code.startswith("identity")]
    assert fleet.requests[0].rehearsed
    assert fleet.requests[0].fingerprint


def test_leaving_on_site_stands_in_the_journal_by_who_did_it(tmp_path: Path, fleet: FakeFleet) -> None:
    one = core(tmp_path, Settings())
    made = way_in(one, Settings(), fleet)
    one.enrol(EnrolmentWish(link=f"{ADDRESS}/#{fleet.token().text}"), "anna")
    settle(made)
    assert one.leave_fleet("carla").state is Membership.NONE
    page = one.audit(10, verify=True)
    told = [(entry.actor, entry.action, entry.outcome) for entry in page.entries][-2:]
    assert told == [("local:anna", "enrol", "started"), ("local:carla", "fleet", "left")]
    assert page.verified and page.entries[-1].params == {"address": ADDRESS}


def test_what_goes_wrong_is_a_finding_with_words(tmp_path: Path, fleet: FakeFleet) -> None:
    one = core(tmp_path, Settings())
    made = way_in(one, Settings(), fleet)
    fleet.refuses = "enrol-token-expired"
    one.enrol(EnrolmentWish(link=f"{ADDRESS}/#{fleet.token().text}"), "anna")
    settle(made)
    [finding] = [one for one in one.turn().findings if one.code.startswith("identity")]
    assert finding.code == "identity-token-refused"
    assert "enrol-token-expired" in finding.evidence[0]
    assert finding.summary == "The fleet does not take this token"


def test_a_claim_code_is_in_the_report_at_once(tmp_path: Path, fleet: FakeFleet) -> None:
    one = core(tmp_path, Settings())
    made = way_in(one, Settings(), fleet)
    one.turn()
    fleet.approves = False
    one.enrol(EnrolmentWish(link=ADDRESS), "anna")
    settle(made)
    assert not one.rests
    report = one.turn()
    assert report.enrolment.claim
    [finding] = [one for one in report.findings if one.code == "identity-pending"]
    assert report.enrolment.claim in finding.summary


def test_a_machine_whose_state_cannot_be_used_refuses_to_enrol(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.database.mkdir(parents=True)
    one, _ = open_core(paths, rehearse(paths, Scenario(), VirtualClock()).ports, Settings())
    with pytest.raises(Refused, match="cannot enrol"):
        one.enrol(EnrolmentWish(link=ADDRESS), "anna")


@pytest.mark.parametrize("whole", [True, False])
def test_a_token_that_was_left_is_taken_over_and_the_file_says_so(
    tmp_path: Path, fleet: FakeFleet, whole: bool
) -> None:
    token = fleet.token().text
    settings = Settings() if whole else Settings(fleet=ADDRESS)
    one = core(tmp_path, settings)
    place = token_file(one.paths)
    left = f"{ADDRESS}/#{token}" if whole else token
    one.ports.disk.write(place, f"# by the image\n{left}\n".encode())
    made = way_in(one, settings, fleet)
    assert token.encode() not in one.ports.disk.read(place)
    assert b"taken over" in one.ports.disk.read(place)
    assert one.ports.disk.mode(place) == 0o600
    settle(made)
    assert made.status().state is Membership.ENROLLED
    again = way_in(core(tmp_path, settings), settings, fleet)
    assert again.status().state is Membership.ENROLLED
    assert len(fleet.requests) == 1


def test_the_setting_alone_asks_by_claim_code_once(tmp_path: Path, fleet: FakeFleet) -> None:
    fleet.approves = False
    settings = Settings(fleet=ADDRESS)
    made = way_in(core(tmp_path, settings), settings, fleet)
    settle(made)
    shown = made.status()
    assert (shown.state, shown.address) == (Membership.PENDING, ADDRESS)
    again = way_in(core(tmp_path, settings), settings, fleet)
    settle(again)
    assert again.status().claim == shown.claim


@pytest.mark.parametrize(
    ("left", "setting", "problem"),
    [
        ("nonsense", ADDRESS, "three parts"),
        ("7k2m.9qxf.04hv", "", "does not say where to enrol"),
        ("https://fleet.example/somewhere", "", "does not belong there"),
    ],
)
def test_rubbish_that_was_left_is_a_finding_and_the_agent_runs_on(
    tmp_path: Path, fleet: FakeFleet, left: str, setting: str, problem: str
) -> None:
    settings = Settings(fleet=setting)
    one = core(tmp_path, settings)
    one.ports.disk.write(token_file(one.paths), left.encode())
    way_in(one, settings, fleet)
    report = one.turn()
    assert (report.enrolment.state, report.enrolment.code) == (
        Membership.REFUSED,
        "identity-token-unusable",
    )
    assert problem in report.enrolment.message
    assert left in one.ports.disk.read(token_file(one.paths)).decode()


def test_what_waits_to_enrol_is_a_secret_that_no_bundle_shows(tmp_path: Path, fleet: FakeFleet) -> None:
    one = core(tmp_path, Settings())
    made = way_in(one, Settings(), fleet)
    fleet.refuses = "enrol-refused"
    waiting, left = fleet.token(), fleet.token()
    one.enrol(EnrolmentWish(link=f"{ADDRESS}/#{waiting.text}"), "anna")
    settle(made)
    one.ports.disk.write(token_file(one.paths), left.text.encode())
    assert {waiting.secret, left.secret} <= set(secrets(one.ports.disk, one.paths))


def test_a_thread_of_its_own_does_the_asking_and_ends(tmp_path: Path, fleet: FakeFleet) -> None:
    device = Device(FakeEnroller(fleet))
    seen: list[object] = []
    device.keeper._apart = seen.append
    device.keeper.invite(f"{ADDRESS}/#{fleet.token().text}")
    device.keeper.look()
    assert len(seen) == 1  # a second one is not begun while the first is under way
    seen[0]()  # type: ignore[operator]  # the work
    assert device.keeper.status().state is Membership.ENROLLED


def test_a_disk_that_keeps_nothing_of_the_time_does_not_keep_the_machine_out(
    tmp_path: Path, fleet: FakeFleet
) -> None:
    one = core(tmp_path, Settings())

    class Full:
        """A store whose disk has filled up."""

        def value(self, name: str) -> str | None:
            """What was kept can still be read."""
            assert one.store is not None
            return one.store.value(name)

        def keep(self, **facts: str | None) -> None:
            """Nothing new is."""
            raise StateUnusable("disk-full", one.paths.database, "no space left on device")

    making._believe(Full(), one.ports, int(fleet.now.timestamp() * 1000))  # type: ignore[arg-type]  # a fake
