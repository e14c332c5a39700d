"""`archipel leave` of a machine that belongs to a fleet: what it leaves first, what it says, and when it leaves nothing."""

from dataclasses import replace

import pytest

from archipel_agent.service import Refused
from archipel_contract.exits import Exit
from archipel_contract.jobs import Job, JobRequest, JobState, Verb
from archipel_contract.status import EnrolmentStatus, Membership
from tests.agent.cli.conftest import Archipel
from tests.fakes.service import NODE_ID, SITE, ScriptedService

FLEET = "Plants of the north"
AT_THE_FLEET = f"archipel fleet decommission {NODE_ID}"


class Leaving(ScriptedService):
    """A machine that may refuse to leave its fleet."""

    stuck: Refused | None = None

    def leave_fleet(self, asked_by: str) -> EnrolmentStatus:
        """See AgentService."""
        if self.stuck is not None:
            raise self.stuck
        return super().leave_fleet(asked_by)


@pytest.fixture
def service() -> Leaving:
    return Leaving()


def member(service: Leaving, state: Membership = Membership.ENROLLED, adopted: bool = True) -> None:
    """Let it be a site that stands so with its fleet."""
    service.known_site = replace(SITE, adopted=adopted)
    service.change(enrolment=EnrolmentStatus(state=state, fleet=FLEET, address="https://fleet.example:8471"))
    service.on_start = lambda: service.run_to(JobState.SUCCEEDED, sentence="given back")


def membership(service: Leaving) -> Membership:
    return service.current.enrolment.state


@pytest.mark.parametrize(
    ("adopted", "asked_for"),
    [
        (True, JobRequest(verb=Verb.LEAVE)),
        (False, JobRequest(verb=Verb.REMOVE, options={"what": "agent-only"})),
    ],
)
def test_it_leaves_the_fleet_first_and_says_what_remains_to_be_done_there(
    agent: Archipel, service: Leaving, adopted: bool, asked_for: JobRequest
) -> None:
    member(service, adopted=adopted)
    at_the_job: list[Membership] = []
    end = service.on_start

    def begin() -> None:
        at_the_job.append(membership(service))
        end()

    service.on_start = begin
    said = agent("leave", "--yes")
    assert said.code == Exit.OK, said.err
    assert at_the_job == [Membership.NONE]
    assert [replace(request, key="") for request, _ in service.requests] == [asked_for]
    assert f"left its fleet ({FLEET}); its keys here are wiped" in said.err
    assert said.err.count(AT_THE_FLEET) == 1


def test_in_a_pipe_nothing_is_left_without_a_yes(agent: Archipel, service: Leaving) -> None:
    member(service)
    said = agent("leave")
    assert said.code == Exit.REFUSED and "--yes" in said.err
    assert membership(service) is Membership.ENROLLED and service.requests == []


def test_one_that_was_never_approved_is_told_of_its_request(agent: Archipel, service: Leaving) -> None:
    member(service, Membership.PENDING)
    said = agent("leave", "--yes")
    assert (said.code, membership(service)) == (Exit.OK, Membership.NONE)
    assert "archipel fleet devices" in said.err and "decommission" not in said.err


def test_damaged_keys_are_wiped_too(agent: Archipel, service: Leaving) -> None:
    member(service, Membership.UNKNOWN)
    said = agent("leave", "--yes")
    assert (said.code, membership(service)) == (Exit.OK, Membership.NONE)
    assert AT_THE_FLEET in said.err


def test_a_machine_without_a_fleet_hears_nothing_of_one(agent: Archipel, service: Leaving) -> None:
    member(service, Membership.NONE)
    said = agent("leave", "--yes")
    assert said.code == Exit.OK and "fleet" not in said.err + said.out


def test_keys_that_cannot_be_wiped_keep_the_site_from_being_left(agent: Archipel, service: Leaving) -> None:
    member(service)
    service.stuck = Refused(
        503, "not-kept", "The keys cannot be wiped: Read-only file system.", "archipel doctor"
    )
    said = agent("leave", "--yes")
    assert said.code != Exit.OK and "cannot be wiped" in said.err
    assert service.requests == [] and "are wiped" not in said.err


def test_while_a_job_runs_nothing_is_left(agent: Archipel, service: Leaving) -> None:
    member(service)
    service.jobs_by_id["j-1"] = Job(id="j-1", verb=Verb.UP, state=JobState.RUNNING)
    said = agent("leave", "--yes")
    assert (said.code, membership(service)) == (Exit.REFUSED, Membership.ENROLLED)
    assert "j-1" in said.err and service.requests == []


def test_the_plan_names_the_fleet_and_leaves_nothing(agent: Archipel, service: Leaving) -> None:
    member(service)
    said = agent("leave", "--plan")
    assert "would leave its fleet first" in said.err
    assert membership(service) is Membership.ENROLLED
    agent("leave", "--plan", "--json").data  # noqa: B018 - one document, whatever was said beside it


def test_a_link_that_was_none_keeps_nobody_from_leaving(agent: Archipel, service: Leaving) -> None:
    member(service, Membership.REFUSED)
    service.stuck = Refused(409, "no-fleet", "This machine belongs to no fleet.", "archipel status")
    said = agent("leave", "--yes")
    assert said.code == Exit.OK and "left its fleet" not in said.err
