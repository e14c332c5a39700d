"""A controller as it starts by default: with keys of its own, a broker that asks for certificates, and the listener that
gives them. Real processes, real TLS.
"""

import base64
import json
import socket
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_contract.link import envelope
from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import CarrierFailed
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.link.secure import client_context
from archipel_contract.trust.enrolment import TRUST
from archipel_contract.trust.store import TrustStore
from archipel_fleet.securing import _Once
from tests.brokers.servers import await_true, free_port
from tests.fleet.controllers import RealController

PLACE = Path("keys")


def secured(directory: Path) -> RealController:
    """A controller with all defaults but its ports."""
    one = RealController(directory)
    one.enrol_port = free_port()
    one.words = [word for word in one.words if word not in ("--security", "loopback")]
    one.words += ["--enrol-listen", f"127.0.0.1:{one.enrol_port}"]
    return one


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[RealController]:
    """It runs."""
    one = secured(tmp_path)
    one.start()
    yield one
    one.stop()


def answer(controller: RealController) -> dict[str, object]:
    """What anybody is told at the listener."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = f"https://127.0.0.1:{controller.enrol_port}{TRUST}"
    with urllib.request.urlopen(address, context=context, timeout=10) as reply:
        said: dict[str, object] = json.load(reply)
    return said


def trust(said: dict[str, object]) -> TrustStore:
    """The trust document in an answer."""
    return TrustStore.first(envelope.frame_from(base64.b64decode(str(said["trust"]))))


@pytest.mark.real_process
@pytest.mark.broker
@pytest.mark.timeout(90)
def test_a_first_start_makes_keys_that_stay_and_lets_nobody_in_without_a_certificate(
    controller: RealController,
) -> None:
    first = answer(controller)
    fleet = trust(first).document
    assert fleet.version == 1 and len(fleet.authorities) == 1
    authorities = tuple(fleet.authorities)
    url = BrokerUrl("127.0.0.1", controller.broker_port, scheme="mqtts")
    stranger = MqttCarrier(
        url, "n-0123456789abcdef", tls=lambda: client_context(authorities, None, None, check_time=True)
    )
    with pytest.raises(CarrierFailed) as refused:
        stranger.open(timeout=10.0)
    assert refused.value.code == "link-tls-refused"
    private = list((controller.data / PLACE).rglob("*.key"))
    assert private and all(path.stat().st_mode & 0o077 == 0 for path in private)
    controller.stop()
    controller.start()
    assert trust(answer(controller)).document == fleet


@pytest.mark.real_process
@pytest.mark.broker
@pytest.mark.timeout(90)
def test_a_controller_that_is_killed_comes_back_with_the_same_keys(controller: RealController) -> None:
    before = trust(answer(controller)).document
    assert controller.process is not None
    controller.process.kill()
    controller.process.wait(10)
    controller.process = None
    await_true(lambda: _is_free(controller.broker_port), 20.0, controller.logged)
    controller.start()
    assert trust(answer(controller)).document == before


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_many_who_want_the_same_work_share_runs_that_began_after_they_asked() -> None:
    begun, go = threading.Event(), threading.Event()
    runs: list[int] = []

    def work() -> None:
        runs.append(len(runs))
        begun.set()
        assert go.wait(10)

    once = _Once(work)
    threads = [threading.Thread(target=once) for _ in range(20)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert 2 <= len(runs) <= 20


def test_work_that_fails_is_told_to_who_ran_it_and_does_not_stop_the_next() -> None:
    fails = [True]

    def work() -> None:
        if fails.pop() if fails else False:
            raise RuntimeError("no")

    once = _Once(work)
    with pytest.raises(RuntimeError, match="no"):
        once()
    once()
