"""`archipel fleet token`, `devices`, `approve` and the others, against a controller's API."""

import json
import re
from collections.abc import Callable

import pytest

from archipel_contract.exits import Exit
from archipel_contract.trust.token import invitation
from archipel_fleet.api.context import Context
from archipel_fleet.cli import complete
from archipel_fleet.cli.devices import code_of
from archipel_fleet.device_records import DeviceState
from archipel_fleet.records import EVERYTHING
from tests.fakes.fleet_context import ENROL_ADDRESS
from tests.fakes.fleet_devices import ACTIVE, CLAIM, PENDING
from tests.fleet.cli.conftest import Run


def state_of(context: Context, node_id: str) -> DeviceState:
    row = context.store.devices.device(node_id)
    assert row is not None
    return row.state


def test_a_new_token_is_a_link_a_token_and_the_next_command(anna: Run, context: Context) -> None:
    said = anna("token", "new", "--uses", "12", "--label", "shelf", "--hold")
    assert said.code == Exit.OK
    link, token = said.out.split()
    assert link == f"{ENROL_ADDRESS}/#{token}"
    found = invitation(link).token
    assert found is not None
    assert f"sudo archipel enrol '{link}'" in said.err
    assert "12 device(s)" in said.err
    kept = context.store.devices.tokens(EVERYTHING)[0]
    assert (kept.id, kept.uses, kept.label, kept.rule, kept.made_by) == (
        found.id,
        12,
        "shelf",
        "hold",
        "anna",
    )
    assert kept.digest == found.digest
    listed = anna("token", "list").out
    assert found.id in listed
    assert found.secret not in listed + anna("token", "list", "--json").out


def test_a_token_as_json_has_no_words_around_it(anna: Run) -> None:
    said = anna("token", "new", "--json")
    made = json.loads(said.out)
    assert set(made) == {"shown", "link", "token"}
    assert "digest" not in made["shown"]
    assert said.err == ""


def test_a_qr_code_is_drawn_with_characters_and_fits_a_terminal() -> None:
    drawn = code_of(f"{ENROL_ADDRESS}/#{'a' * 8}.{'b' * 26}.{'c' * 26}")
    assert set(re.sub(r"\x1b\[[0-9;]*m", "", drawn)) <= set(" █▀▄\n")
    assert max(len(line) for line in drawn.splitlines()) <= 80
    assert len(drawn.splitlines()) <= 40


def test_a_token_is_removed_once(anna: Run) -> None:
    assert anna("token", "remove", "7k2m9qxf").code == Exit.OK
    assert anna("token", "remove", "7k2m9qxf").code == Exit.NOT_OK
    assert "7k2m9qxf" not in anna("token", "list").out


def test_the_list_begins_with_who_waits_and_says_what_next(anna: Run) -> None:
    said = anna("devices")
    assert said.code == Exit.OK
    lines = said.out.splitlines()
    assert "waits" in lines[1] and "active" in said.out and "revoked" in said.out
    assert "archipel fleet approve " in said.err
    pending = anna("devices", "--pending").out
    assert CLAIM in pending
    assert "crane" not in pending
    assert "crane" in anna("devices", "--text", "crane").out
    rows = json.loads(anna("devices", "--json").out)["rows"]
    assert {row["state"] for row in rows} == {"pending", "active", "revoked"}
    german = anna("devices", "--lang", "de").out
    assert "wartet" in german


def test_a_device_is_let_in_by_its_code_renamed_and_taken_out(anna: Run, context: Context) -> None:
    assert anna("approve", PENDING).code == Exit.REFUSED, "only its code says that it is the right one"
    assert "new-pi" in anna("approve", CLAIM).out
    assert state_of(context, PENDING) is DeviceState.ACTIVE
    assert anna("approve", CLAIM).code == Exit.NOT_OK
    assert "gate-3" in anna("rename", "new-pi", "gate-3").out
    assert anna("rename", "gate-3", "gate").code == Exit.REFUSED
    assert anna("decommission", "gate-3").code == Exit.OK
    assert state_of(context, PENDING) is DeviceState.DECOMMISSIONED


def test_a_device_is_revoked_and_its_key_counts_no_more(anna: Run, context: Context) -> None:
    assert context.store.devices.keys(ACTIVE[0])
    said = anna("revoke", "gate")
    assert said.code == Exit.OK
    assert context.store.devices.keys(ACTIVE[0]) == ()
    assert anna("revoke", "gate").code == Exit.REFUSED


def test_a_request_is_refused(anna: Run, context: Context) -> None:
    assert anna("refuse", CLAIM).code == Exit.OK
    row = context.store.devices.request(EVERYTHING, CLAIM)
    assert row is not None
    assert row.state is DeviceState.REFUSED


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("otto", ("revoke", "gate"), Exit.NOT_PERMITTED),
        ("otto", ("decommission", "gate"), Exit.NOT_PERMITTED),
        ("otto", ("token", "new"), Exit.OK),
        ("nora", ("approve", CLAIM), Exit.NOT_OK),
        ("nora", ("rename", "gate", "x"), Exit.NOT_OK),
        ("nora", ("token", "new", "--customer", "south"), Exit.NOT_OK),
        ("nora", ("token", "new"), Exit.OK),
        ("viktor", ("approve", CLAIM), Exit.NOT_PERMITTED),
        ("viktor", ("token", "list"), Exit.NOT_PERMITTED),
        ("viktor", ("devices",), Exit.OK),
    ],
)
def test_roles_and_customers_bound_what_one_may_do(
    as_account: Callable[[str], None], run: Run, name: str, words: tuple[str, ...], code: Exit
) -> None:
    as_account(name)
    assert run(*words).code == code


def test_a_customers_token_makes_its_own_devices(
    as_account: Callable[[str], None], run: Run, context: Context
) -> None:
    as_account("nora")
    run("token", "new", "--site", "emden")
    assert context.store.devices.tokens(EVERYTHING)[0].customer == "north"
    assert run("token", "new", "--site", "berlin").code == Exit.NOT_OK


def test_the_shell_completes_devices_codes_and_tokens(anna: Run) -> None:
    assert complete.devices("cr") == ["crane"]
    assert complete.requests(CLAIM[:3]) == [CLAIM]
    assert complete.tokens("7") == ["7k2m9qxf"]
    assert complete.devices("none") == []
