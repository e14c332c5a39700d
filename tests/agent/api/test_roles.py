"""Who may call what: found from the kernel's credentials and the groups, for every endpoint and every kind of user."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from archipel_agent.api.roles import Caller, Callers, Peer, SystemAccounts, peer_of
from archipel_contract.answers import AnswersWish
from archipel_contract.api import (
    ENDPOINTS,
    AccessRole,
    ClockWish,
    Endpoint,
    EnrolmentWish,
    VoucherRequest,
    VoucherWish,
)
from archipel_contract.client import AgentClient, ApiRefused
from archipel_contract.jobs import JobRequest, Verb
from tests.fakes.service import JOB_ID, ScriptedService
from tests.fakes.serving import connecting_as, serving

ROLES = {
    0: AccessRole.OWNER,
    990: AccessRole.OWNER,
    1000: AccessRole.TECHNICIAN,
    1001: AccessRole.VIEW,
    1002: None,
    4711: None,  # a uid without a user
}
BODIES: dict[type[Any] | None, object] = {
    JobRequest: JobRequest(verb=Verb.UP),
    ClockWish: ClockWish(at="2026-11-22T14:05:00Z"),
    EnrolmentWish: EnrolmentWish(link="https://fleet.example:8471"),
    AnswersWish: AnswersWish(path="/media/stick/archipel.toml"),
    VoucherWish: VoucherWish(
        request=VoucherRequest(node_id="n-0123456789abcdef", key_id="k-0123456789abcdef")
    ),
}


@pytest.mark.parametrize(("uid", "role"), ROLES.items())
def test_the_role_follows_from_uid_and_groups(uid: int, role: AccessRole | None) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        assert connecting_as(uid).caller(connection).role == role


@pytest.mark.parametrize("uid", ROLES)
def test_every_endpoint_lets_in_exactly_the_roles_the_table_names(uid: int, tmp_path: Path) -> None:
    service = ScriptedService()
    with serving(service, tmp_path / "s", callers=connecting_as(0)):
        AgentClient(tmp_path / "s").call("start_job", JobRequest(verb=Verb.UP))
    role = ROLES[uid]
    with serving(service, tmp_path / "s", callers=connecting_as(uid)):
        client = AgentClient(tmp_path / "s")
        for endpoint in ENDPOINTS:
            let_in = role is not None and role >= endpoint.role
            assert status(client, endpoint) == (200 if let_in else 403), endpoint.name


def status(client: AgentClient, endpoint: Endpoint) -> int:
    """Call an endpoint and return the status; of a stream take one event."""
    words = {"job_id": JOB_ID} if "{job_id}" in endpoint.path else {}
    try:
        if endpoint.stream:
            stream = client.stream(endpoint.name, 5, **words)
            next(stream)
            stream.close()
        else:
            client.call(endpoint.name, BODIES.get(endpoint.request), 5, **words)
    except ApiRefused as refused:
        assert refused.problem.error == "not-permitted"
        assert endpoint.role.name.lower() in refused.problem.message
        assert refused.problem.remedy
        return refused.status
    return 200


def test_a_job_carries_the_name_of_who_asked_for_it(tmp_path: Path) -> None:
    service = ScriptedService()
    with serving(service, tmp_path / "s", callers=connecting_as(1000)):
        AgentClient(tmp_path / "s").call("start_job", JobRequest(verb=Verb.DOWN))
    assert service.requests[0][1] == "anna"


def test_the_kernel_says_who_is_at_the_other_end() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_of(ours) == Peer(os.getpid(), os.getuid(), os.getgid())
        assert Callers().caller(ours).role == AccessRole.OWNER


def test_a_uid_without_a_user_is_named_by_its_number() -> None:
    def nobody(connection: socket.socket) -> Peer:
        return Peer(1, 3_999_999, 3_999_999)

    with socket.socket(socket.AF_UNIX) as connection:
        assert Callers(own_uid=1, peer=nobody).caller(connection) == Caller("uid 3999999", None)


def test_the_accounts_of_this_machine_know_root_and_its_group() -> None:
    accounts = SystemAccounts()
    assert accounts.name(0) == "root"
    assert "root" in accounts.groups("root", 0)
    assert accounts.name(3_999_999) is None
