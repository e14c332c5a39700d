"""The device's own enrolling against the fleet's real listener, over real TLS: from a bare device to a renewed one."""

import asyncio
import dataclasses
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archipel_agent.host.disk import SystemDisk
from archipel_agent.host.enroller import HttpsEnroller
from archipel_agent.service import Refused
from archipel_contract.api import VoucherWish
from archipel_contract.status import Membership
from archipel_contract.trust.keys import new_device_key, to_pem
from archipel_fleet.device_records import Approval, Spoken
from archipel_fleet.enrolment.listener import enrolment_server, server_context
from archipel_fleet.host.server import listening_socket
from archipel_fleet.trust import authoring, founding
from archipel_fleet.trust.keyring import FleetKeys
from tests.agent.identity.devices import Device
from tests.fakes.enrolment import NODE
from tests.fakes.fleet_context import CountedEntropy, FakeClock
from tests.fleet.enrolment.applicant import ANNA, BROKERS, Fleet
from tests.fleet.trust.changing import next_version

HOST = "127.0.0.1"
SITE, OTHER = "s-0000000000000001", "n-0000000000000001"
HALF_A_LIFE = 215 * 86_400.0


@dataclass
class Pair:
    """A fleet whose listener runs, and a device that knows nobody. Both see the same time."""

    fleet: Fleet
    device: Device
    address: str

    def link(self, **more: object) -> str:
        """A link with a new token."""
        return f"{self.address}/#{self.fleet.token(**more)}"

    def pass_time(self, seconds: float) -> None:
        """Let time pass at both ends."""
        self.fleet.clock.pass_by(seconds)
        self.device.pass_time(seconds)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> FleetKeys:
    """Keys of a fleet."""
    directory = tmp_path_factory.mktemp("fleet") / "keys"
    return FleetKeys.first(directory, "Harbour", FakeClock(), CountedEntropy())


@pytest.fixture
def pair(tmp_path: Path, keys: FleetKeys) -> Iterator[Pair]:
    """Both ends, in the present of the machine, by which OpenSSL judges dates."""
    server_key, now = new_device_key(), datetime.now(UTC)
    (tmp_path / "server.crt").write_bytes(keys.authority.server([HOST], server_key.public_key(), now).pem)
    (tmp_path / "server.key").write_bytes(to_pem(server_key))
    with opened(tmp_path, keys, tmp_path / "server.crt", tmp_path / "server.key") as made:
        yield made


@contextmanager
def opened(tmp_path: Path, keys: FleetKeys, certificate: Path, key: Path) -> Iterator[Pair]:
    """Both ends, with these files for the listener."""
    now = datetime.now(UTC)
    fleet = Fleet(tmp_path, keys)
    fleet.clock.milliseconds = int(time.time() * 1000)
    authorities = keys.trust.document.authorities
    context = server_context(certificate, key, authorities)
    bound, ready = listening_socket(HOST, 0), threading.Event()
    server = enrolment_server(fleet.enrolment, context, ready.set)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])), name="enrolment")
    thread.start()
    try:
        assert ready.wait(10)
        device = Device(HttpsEnroller(timeout=5.0), tmp_path / "root", SystemDisk())
        device.clock.jump(now)
        yield Pair(fleet, device, f"https://{HOST}:{bound.getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join(10)
        bound.close()
        fleet.store.close()


def test_by_token_a_device_is_in_at_once_and_renews_at_half_of_its_certificates_life(pair: Pair) -> None:
    shown = pair.device.keeper.invite(pair.link())
    assert shown.state is Membership.ENROLLED, shown
    assert (shown.fleet, pair.device.identity.fleet.brokers) == ("Harbour", BROKERS)
    row = pair.fleet.store.devices.device(NODE)
    assert row is not None
    assert row.key_id == pair.device.identity.signer.key_id
    assert shown.display_name == row.name
    first = pair.device.identity.newest
    pair.pass_time(HALF_A_LIFE)
    assert pair.device.identity.newest.serial != first.serial, pair.device.keeper.status()
    assert pair.device.identity.newest.public != first.public


def test_by_claim_code_both_ends_show_the_same_and_a_person_decides(pair: Pair) -> None:
    shown = pair.device.keeper.invite(pair.address)
    assert shown.state is Membership.PENDING, shown
    pair.fleet.care.approve(ANNA, shown.claim)
    pair.pass_time(40)
    assert pair.device.keeper.status().state is Membership.ENROLLED


def test_a_token_that_was_used_is_worth_nothing_to_the_next_device(pair: Pair, tmp_path: Path) -> None:
    link = pair.link()
    assert pair.device.keeper.invite(link).state is Membership.ENROLLED
    other = Device(HttpsEnroller(timeout=5.0), tmp_path / "other", SystemDisk())
    other.identity.node_id = "n-0000000000000001"
    shown = other.keeper.invite(link)
    assert (shown.state, shown.code) == (Membership.REFUSED, "identity-token-refused")


def neighbour(tmp_path: Path) -> Device:
    """Another machine, which knows nobody and is no site."""
    return Device(HttpsEnroller(timeout=5.0), tmp_path / "other", SystemDisk(), OTHER)


def in_its_site(pair: Pair) -> None:
    """Enrol the device, which is a site, and have it heard by the fleet."""
    pair.device.site = SITE
    assert pair.device.keeper.invite(pair.link()).state is Membership.ENROLLED
    spoken = Spoken(NODE, pair.device.identity.signer.key_id, SITE)
    pair.fleet.store.devices.seen([spoken], pair.fleet.clock.now())


def test_a_node_vouches_for_a_later_one_of_its_site_which_is_in_without_anybody_at_the_fleet(
    pair: Pair, tmp_path: Path
) -> None:
    in_its_site(pair)
    other = neighbour(tmp_path)
    other.clock.jump(pair.device.clock.now())
    given = pair.device.keeper.vouch(VoucherWish(request=other.keeper.request()))
    assert other.keeper.invite(given.link).state is Membership.ENROLLED, other.keeper.status()
    row = pair.fleet.store.devices.device(OTHER)
    assert row is not None
    assert (row.site_id, row.approval, row.approved_by) == (SITE, Approval.VOUCHER, NODE)
    assert row.key_id == other.identity.signer.key_id


def test_a_voucher_is_good_for_the_key_it_names_only_and_as_long_as_its_giver_counts(
    pair: Pair, tmp_path: Path
) -> None:
    in_its_site(pair)
    other, thief = (
        neighbour(tmp_path),
        Device(HttpsEnroller(timeout=5.0), tmp_path / "thief", SystemDisk(), "n-0000000000000002"),
    )
    link = pair.device.keeper.vouch(VoucherWish(request=other.keeper.request())).link
    for one in (other, thief):
        one.clock.jump(pair.device.clock.now())
    assert thief.keeper.invite(link).state is Membership.REFUSED
    pair.fleet.care.revoke(ANNA, NODE)
    assert other.keeper.invite(link).state is Membership.REFUSED
    assert pair.fleet.store.devices.device(OTHER) is None


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"node_id": NODE}, "not-vouched"),
        ({"key_id": "k-1"}, "not-vouched"),
        ({"site_id": "s-0000000000000009"}, "not-vouched"),
    ],
)
def test_what_is_no_request_of_another_machine_of_the_site_is_not_vouched_for(
    pair: Pair, tmp_path: Path, changed: dict[str, str], code: str
) -> None:
    in_its_site(pair)
    wish = VoucherWish(request=dataclasses.replace(neighbour(tmp_path).keeper.request(), **changed))
    with pytest.raises(Refused) as refused:
        pair.device.keeper.vouch(wish)
    assert refused.value.problem.error == code


def test_who_is_in_no_fleet_is_no_site_or_knows_no_time_vouches_for_nobody(
    pair: Pair, tmp_path: Path
) -> None:
    wish = VoucherWish(request=neighbour(tmp_path).keeper.request())
    said = []
    for prepare in (
        lambda: None,
        lambda: pair.device.keeper.invite(pair.link()),
        lambda: in_its_site_already(pair),
    ):
        prepare()
        with pytest.raises(Refused) as refused:
            pair.device.keeper.vouch(wish)
        said.append(refused.value.problem.error)
    assert said == ["no-fleet", "no-site", "clock-unsure"]
    with pytest.raises(Refused) as refused:
        pair.device.keeper.request()
    assert refused.value.problem.error == "enrolled"


def in_its_site_already(pair: Pair) -> None:
    pair.device.site, pair.device.checks_dates = SITE, False


def test_a_machine_of_another_site_takes_no_voucher(pair: Pair, tmp_path: Path) -> None:
    in_its_site(pair)
    other = neighbour(tmp_path)
    link = pair.device.keeper.vouch(VoucherWish(request=other.keeper.request())).link
    other.site = "s-0000000000000009"
    with pytest.raises(Refused) as refused:
        other.keeper.invite(link)
    assert refused.value.problem.error == "other-site"


def test_who_leaves_on_site_wipes_the_keys_and_may_come_again_by_a_person_only(pair: Pair) -> None:
    in_its_site(pair)
    pair.device.keeper.leave()
    assert pair.device.keeper.status().state is Membership.NONE
    assert not pair.device.identity.has_certificate
    with pytest.raises(Refused) as refused:
        pair.device.keeper.leave()
    assert refused.value.problem.error == "no-fleet"
    assert pair.device.keeper.invite(pair.link()).state is Membership.PENDING


@pytest.mark.parametrize("way", ["token", "claim"])
def test_while_the_fleet_exchanges_its_ca_a_device_comes_in_by_a_new_token_and_by_its_code(
    tmp_path: Path, way: str
) -> None:
    """The listener shows a certificate of the old CA as long as that one counts; so that is the CA a new device learns."""
    keys = FleetKeys.first(
        tmp_path / "keys", "Harbour", FakeClock(milliseconds=int(time.time() * 1000)), CountedEntropy()
    )
    ca = new_device_key()
    new = founding.authority_for(ca, "Harbour", datetime.now(UTC)).pem.decode()
    keys.accept(next_version(keys, authoring.with_authority(keys.trust.document, new)), [ca])
    files = keys.server_files("enrolment", [HOST])
    with opened(tmp_path, keys, files.certificate, files.key) as pair:
        if way == "token":
            assert pair.device.keeper.invite(pair.link()).state is Membership.ENROLLED, (
                pair.device.keeper.status()
            )
            return
        shown = pair.device.keeper.invite(pair.address)
        assert shown.state is Membership.PENDING, shown
        pair.fleet.care.approve(ANNA, shown.claim)
        pair.pass_time(40)
        assert pair.device.keeper.status().state is Membership.ENROLLED


def test_a_copied_card_with_a_key_of_its_own_is_told_that_its_id_is_taken(pair: Pair, tmp_path: Path) -> None:
    assert pair.device.keeper.invite(pair.link()).state is Membership.ENROLLED
    copy = Device(HttpsEnroller(timeout=5.0), tmp_path / "copy", SystemDisk())
    shown = copy.keeper.invite(pair.address)
    assert (shown.state, shown.code) == (Membership.REFUSED, "identity-node-known")


def test_an_answer_that_was_lost_is_given_again_though_the_token_is_spent(pair: Pair) -> None:
    class Lossy(HttpsEnroller):
        """Loses the first answer to a request for a certificate."""

        lost = 0

        def ask(self, address: str, path: str, *rest: object) -> bytes:
            """See ports.Enroller."""
            said = super().ask(address, path, *rest)  # type: ignore[arg-type]  # passed on as it came
            if path.endswith("enrol") and not self.lost:
                self.lost = 1
                raise OSError("the power went")
            return said

    pair.device.enroller = Lossy(timeout=5.0)
    pair.device.boot()
    assert pair.device.keeper.invite(pair.link()).state is Membership.WAITING
    pair.device.boot()
    pair.pass_time(30)
    assert pair.device.keeper.status().state is Membership.ENROLLED


def test_a_revoked_device_learns_it_when_it_renews(pair: Pair) -> None:
    pair.device.keeper.invite(pair.link())
    pair.fleet.care.revoke(ANNA, NODE)
    pair.pass_time(HALF_A_LIFE)
    shown = pair.device.keeper.status()
    assert (shown.state, shown.code) == (Membership.ENROLLED, "identity-renewal-stuck")
    assert shown.message
