"""Commands that have nodes do something: what is said at once, what comes of it, who may sign."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from archipel_fleet.api.context import Context
from archipel_fleet.order_records import OrderResult, OrderState
from archipel_fleet.records import EVERYTHING, Account, AccountRole
from tests.fakes import fleet_keys
from tests.fakes.fleet_book import FakeBook
from tests.fakes.fleet_context import PASSWORD, fake_context
from tests.fakes.fleet_keys import FakeKeys
from tests.fakes.fleet_sites import node_id
from tests.fleet.cli.conftest import Run


@pytest.fixture
def context() -> Context:
    """A controller with keys."""
    return fake_context(keys=FakeKeys())


def book(context: Context) -> FakeBook:
    found = context.store.book
    assert isinstance(found, FakeBook)
    return found


def test_an_order_to_a_silent_node_says_at_once_when_it_will_run(anna: Run) -> None:
    said = anna("run", node_id(3, 1), "logs")
    assert said.code == Exit.OK
    assert "queued; runs at next contact, due" in said.out
    assert "expires in 7 days" in said.out


def test_an_order_to_a_node_that_is_there_names_itself_and_is_listed(anna: Run, context: Context) -> None:
    said = anna("run", node_id(1, 1), "kubectl", "get", "pods", "-A", "-o", "wide")
    order = book(context).orders(EVERYTHING)[0]
    assert (said.code, order.id in said.out) == (Exit.OK, True)
    assert order.arguments == {"arguments": ["get", "pods", "-A", "-o", "wide"]}
    assert "kubectl get pods -A -o wide" in anna("orders").out
    assert json.loads(anna("orders", "berlin", "--json").out)[0]["id"] == order.id
    assert anna("orders", "aalen", "--json").out == "[]\n"


def test_what_came_of_an_order_is_shown_written_and_ends_the_waiting(
    anna: Run, context: Context, tmp_path: Path
) -> None:
    anna("run", node_id(1, 1), "logs", "--lines", "5")
    order = book(context).orders(EVERYTHING)[0]
    book(context).becomes(
        order.id, OrderState.DONE, OrderResult(media="text/plain", name="", data=b"one\ntwo\x1b\n")
    )
    said = anna("order", order.id)
    assert "one\ntwo?" in said.out
    file = tmp_path / "logs.txt"
    assert anna("order", order.id, "--out", str(file)).code == Exit.OK
    assert file.read_bytes() == b"one\ntwo\x1b\n"
    assert anna("order", order.id, "--out", str(file)).code == Exit.REFUSED
    assert json.loads(anna("order", order.id, "--json").out)["result"] == "one\ntwo\x1b\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run", "nowhere", "logs"), Exit.NOT_OK, "no site and no node"),
        (("run", "berlin", "restart"), Exit.USAGE, "Name one"),
        (("run", "berlin", "dance"), Exit.USAGE, "there is no order 'dance'; there are logs"),
        (("run", "berlin", "logs", "more"), Exit.USAGE, "no further words"),
        (("run", "berlin", "logs", "--expires", "soon"), Exit.USAGE, "12h or 7d"),
        (("run", "berlin", "kubectl", "delete", "pod"), Exit.USAGE, "may only get"),
        (("order", "sign"), Exit.USAGE, "which order"),
        (("order", "burn", "c-1"), Exit.USAGE, "no 'burn'"),
        (("order", "c-none"), Exit.NOT_OK, "no order 'c-none'"),
        (("order", "cancel", "c-none"), Exit.NOT_OK, "no order"),
    ],
)
def test_what_cannot_be_ordered_is_refused_with_the_reason(
    anna: Run, words: tuple[str, ...], code: Exit, said: str
) -> None:
    answer = anna(*words)
    assert (answer.code, said in answer.err) == (code, True), answer.err


def test_waiting_ends_when_the_node_has_answered(anna: Run, context: Context) -> None:
    def node() -> None:
        for _ in range(1000):
            for one in book(context).orders(EVERYTHING):
                result = OrderResult(media="text/plain", name="", data=b"all is well")
                book(context).becomes(one.id, OrderState.DONE, result)
                context.live.publish(frozenset({one.site_id}))
                return
            time.sleep(0.02)

    answering = threading.Thread(target=node)
    answering.start()
    said = anna("run", node_id(1, 1), "doctor", "--wait")
    answering.join()
    assert (said.code, "all is well" in said.out) == (Exit.OK, True)


@pytest.mark.parametrize(
    ("state", "said"), [("revoked", "was revoked"), ("decommissioned", "was taken out of service")]
)
def test_an_order_to_a_device_that_was_ended_is_refused_at_once_with_the_way_back(
    anna: Run, context: Context, state: str, said: str
) -> None:
    book(context).ended[node_id(1, 1)] = state
    refused = anna("run", node_id(1, 1), "logs", "--wait")
    assert (refused.code, said in refused.err) == (Exit.REFUSED, True)
    assert "sudo archipel enrol --again" in refused.err
    assert book(context).orders(EVERYTHING) == ()


def test_waiting_ends_when_the_device_is_revoked_meanwhile(anna: Run, context: Context) -> None:
    def admin() -> None:
        for _ in range(1000):
            for one in book(context).orders(EVERYTHING):
                book(context).becomes(one.id, OrderState.CANCELLED, text="the device was revoked")
                context.live.publish(frozenset({one.site_id}))
                return
            time.sleep(0.02)

    revoking = threading.Thread(target=admin)
    revoking.start()
    said = anna("run", node_id(3, 1), "doctor", "--wait")
    revoking.join()
    assert said.code == Exit.NOT_OK
    assert "Cancelled: the device was revoked" in said.out


def test_a_viewer_orders_nothing(context: Context, as_account: Callable[[str], None], run: Run) -> None:
    as_account("viktor")
    said = run("run", "jena", "logs")
    assert said.code == Exit.NOT_PERMITTED
    assert "role operator" in said.err
    assert book(context).orders(EVERYTHING) == ()


def test_an_order_can_be_taken_back(anna: Run, context: Context) -> None:
    anna("run", node_id(3, 1), "doctor")
    order = book(context).orders(EVERYTHING)[0]
    assert "Cancelled" in anna("order", "cancel", order.id).out
    assert anna("order", "cancel", order.id).code == Exit.REFUSED


def test_two_people_sign_what_cannot_be_taken_back(
    context: Context, as_account: Callable[[str], None], run: Run, tmp_path: Path
) -> None:
    context.accounts.put(Account(name="berta", role=AccountRole.ADMIN), PASSWORD)
    key = tmp_path / "operator.pem"
    key.write_bytes(fleet_keys.pem("operator"))
    key.chmod(0o600)
    as_account("anna")
    said = run("run", node_id(0, 1), "decommission")
    order = book(context).orders(EVERYTHING)[0]
    assert f"archipel fleet order sign {order.id}" in said.out
    assert run("order", "sign", order.id, "--key", str(key)).code == Exit.NOT_PERMITTED
    as_account("berta")
    assert run("order", "sign", order.id).code == Exit.USAGE
    signed = run("order", "sign", order.id, "--key", str(key))
    assert signed.code == Exit.OK, signed.err
    assert "decommission on" in signed.err
    assert book(context).orders(EVERYTHING)[0].state is OrderState.QUEUED


def test_a_site_document_is_set_and_listed(anna: Run, tmp_path: Path) -> None:
    binary = {"path": "/usr/local/bin/k3s", "version": "v1", "sha256": "0"}
    network = {"node_ip": "10.0.0.1", "interface": "eth0"}
    file = tmp_path / "site.json"
    file.write_text(json.dumps({"name": "aalen", "network": network, "k3s": binary, "nodes": []}))
    assert "generation 1 is signed" in anna("document", "set", "aalen", str(file)).out
    assert "anna" in anna("document", "list", "aalen").out
    file.write_text("{")
    assert anna("document", "set", "aalen", str(file)).code == Exit.USAGE


def test_who_did_what_is_listed_and_checked(anna: Run) -> None:
    anna("run", node_id(1, 1), "logs")
    said = anna("audit", "berlin")
    assert (said.code, "Ordered" in said.out, "anna" in said.out) == (Exit.OK, True, True)
    assert "Logged in" in anna("audit").out
    assert "whole" in anna("audit", "--verify").out
