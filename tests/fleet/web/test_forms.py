"""Forms: logging in and out, accounts, rubbish, and forgery."""

import pytest

from archipel_fleet.records import AccountRole, Scope
from tests.fakes.fleet_context import PASSWORD
from tests.fleet.web.visiting import House

NEW = "an even longer secret"


def test_who_logs_in_lands_where_they_wanted_to_go(house: House) -> None:
    visitor = house.visitor()
    asked = visitor.get("/sites?contact=overdue")
    form = visitor.get(asked.headers["location"])
    assert 'name="next" value="/sites?contact=overdue"' in form.text
    answer = visitor.post("/login", name="anna", password=PASSWORD, next="/sites?contact=overdue")
    assert answer.headers["location"] == "/sites?contact=overdue"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert visitor.get("/sites").status_code == 200


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", ""]
)
def test_a_login_never_leads_away(target: str, house: House) -> None:
    answer = house.visitor().post("/login", name="anna", password=PASSWORD, next=target)
    assert answer.headers["location"] == "/sites"


@pytest.mark.parametrize(
    ("name", "password"), [("anna", "wrong"), ("nobody", PASSWORD), ("", ""), ("<b>x", "y")]
)
def test_a_refused_login_says_so_without_saying_what_was_wrong(
    name: str, password: str, house: House
) -> None:
    answer = house.visitor().post("/login", name=name, password=password)
    assert answer.status_code == 401
    assert "Name or password is wrong, or the account is disabled." in answer.text
    assert "<b>x" not in answer.text
    assert 'role="alert"' in answer.text


def test_too_many_attempts_have_to_wait_and_are_told_how_long(house: House) -> None:
    visitor = house.visitor()
    answers = [visitor.post("/login", name="anna", password="wrong") for _ in range(7)]
    assert answers[-1].status_code == 429
    assert "Too many attempts. Wait" in answers[-1].text
    assert int(answers[-1].headers["retry-after"]) >= 1
    house.clock.pass_by(600)
    assert visitor.post("/login", name="anna", password=PASSWORD).status_code == 303


def test_who_is_logged_in_already_is_led_on(house: House) -> None:
    assert house.visitor("anna").get("/login?next=/nodes").headers["location"] == "/nodes"


def test_logging_out_ends_the_session(house: House) -> None:
    visitor = house.visitor("anna")
    kept = dict(visitor.cookies)
    assert visitor.send("/sites", "/logout").headers["location"] == "/login"
    visitor.cookies.update(kept)
    assert visitor.get("/sites").status_code == 303


def test_a_page_of_another_origin_cannot_send_a_form(house: House) -> None:
    visitor = house.visitor("anna")
    token = visitor.token("/sites")
    answer = visitor.post("/logout", "cross-site", form_token=token)
    assert answer.status_code == 403
    assert visitor.get("/sites").status_code == 200


@pytest.mark.parametrize("address", ["/logout", "/accounts", "/accounts/password", "/accounts/remove"])
@pytest.mark.parametrize("token", ["", "rubbish", "ä" * 64])
def test_a_form_without_this_sessions_token_does_nothing(address: str, token: str, house: House) -> None:
    visitor = house.visitor("anna")
    answer = visitor.post(address, form_token=token, name="otto", password=NEW, role="viewer")
    assert answer.status_code == 403
    assert "This form is no longer valid" in answer.text
    assert len(house.context.accounts.all()) == 4
    assert visitor.get("/sites").status_code == 200


def test_the_token_of_one_session_is_none_of_another(house: House) -> None:
    other = house.visitor("otto").token("/sites")
    assert house.visitor("anna").post("/logout", form_token=other).status_code == 403


def test_an_admin_adds_an_account_that_can_log_in_and_sees_its_customer_only(house: House) -> None:
    visitor = house.visitor("anna")
    answer = visitor.send(
        "/accounts", "/accounts", name="emil", password=NEW, role="viewer", customer="south"
    )
    assert answer.status_code == 303
    assert "Account emil was added." in visitor.get(answer.headers["location"]).text
    made = house.visitor()
    assert made.post("/login", name="emil", password=NEW).status_code == 303
    account = next(one for one in house.context.accounts.all() if one.name == "emil")
    assert account.scope == Scope("south")
    assert account.role is AccountRole.VIEWER


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"name": ""}, 422, "A name has 1 to 63 small letters"),
        ({"name": "Böse <script>"}, 422, "A name has 1 to 63 small letters"),
        ({"name": "local"}, 422, "A name has 1 to 63 small letters"),
        ({"name": "otto"}, 409, "There is already an account otto."),
        ({"password": "short"}, 422, "A password has at least 12 characters"),
        ({"password": "ü" * 400}, 422, "at most 512 bytes"),
        ({"password": "emil-emil-emil"}, 422, "A password does not contain the name of its account."),
        ({"role": "king"}, 422, "There is no such role."),
        ({"customer": "nobody"}, 422, "There is no such customer."),
        ({"role": "admin", "customer": "north"}, 422, "An administrator sees all customers"),
        ({"name": "x" * 2000}, 422, "Something in it is missing, too long or of the wrong kind."),
    ],
)
def test_rubbish_in_the_form_is_refused_with_a_sentence_and_changes_nothing(
    fields: dict[str, str], status: int, sentence: str, house: House
) -> None:
    visitor = house.visitor("anna")
    given = {"name": "emil", "password": NEW, "role": "viewer", "customer": "", **fields}
    answer = visitor.send("/accounts", "/accounts", **given)
    assert answer.status_code == status
    assert sentence in answer.text
    assert "<script>" not in answer.text
    assert len(house.context.accounts.all()) == 4


def test_what_was_typed_stands_in_the_form_again_but_never_the_password(house: House) -> None:
    answer = house.visitor("anna").send(
        "/accounts", "/accounts", name="emil", password="short1", role="operator", customer="south"
    )
    assert 'value="emil"' in answer.text
    assert '<option value="operator" selected>' in answer.text
    assert '<option value="south" selected>' in answer.text
    assert "short1" not in answer.text


def test_a_new_password_ends_that_persons_sessions(house: House) -> None:
    anna, otto = house.visitor("anna"), house.visitor("otto")
    answer = anna.send("/accounts", "/accounts/password", name="otto", password=NEW)
    assert "The password of otto was set" in anna.get(answer.headers["location"]).text
    assert otto.get("/sites").status_code == 303
    assert house.visitor().post("/login", name="otto", password=PASSWORD).status_code == 401
    assert house.visitor().post("/login", name="otto", password=NEW).status_code == 303


def test_who_was_removed_is_out_at_once(house: House) -> None:
    anna, otto = house.visitor("anna"), house.visitor("otto")
    answer = anna.send("/accounts", "/accounts/remove", name="otto")
    assert "Account otto was removed" in anna.get(answer.headers["location"]).text
    assert otto.get("/sites").status_code == 303


@pytest.mark.parametrize(
    ("action", "fields", "status", "sentence"),
    [
        ("remove", {"name": "anna"}, 422, "You cannot remove your own account."),
        ("remove", {"name": "nobody"}, 404, "There is no account nobody."),
        ("remove", {"name": "local"}, 404, "There is no account local."),
        ("remove", {}, 404, "There is no account ."),
        ("password", {"name": "nobody", "password": NEW}, 404, "There is no account nobody."),
        ("password", {"name": "otto", "password": "short"}, 422, "A password has at least 12 characters"),
        ("password", {"name": "local", "password": NEW}, 404, "There is no account local."),
    ],
)
def test_what_cannot_be_done_to_an_account_is_refused_with_a_sentence(
    action: str, fields: dict[str, str], status: int, sentence: str, house: House
) -> None:
    answer = house.visitor("anna").send("/accounts", f"/accounts/{action}", **fields)
    assert answer.status_code == status
    assert sentence in answer.text


@pytest.mark.parametrize("name", ["otto", "nora", "viktor"])
def test_accounts_are_for_admins_only_and_the_menu_says_so(name: str, house: House) -> None:
    visitor = house.visitor(name)
    assert 'href="/accounts"' not in visitor.get("/sites").text
    answer = visitor.get("/accounts")
    assert answer.status_code == 403
    assert "Only an administrator can." in answer.text
    refused = visitor.send("/sites", "/accounts", name="emil", password=NEW, role="admin")
    assert refused.status_code == 403
    assert len(house.context.accounts.all()) == 4


def test_the_account_of_the_command_line_is_not_shown(house: House) -> None:
    house.context.accounts.local_token()
    assert ">local" not in house.visitor("anna").get("/accounts").text


def test_a_message_about_what_was_done_cannot_be_made_up(house: House) -> None:
    page = house.visitor("anna").get("/accounts?done=removed&name=%3Cb%3Eotto").text
    assert "was removed" not in page
    assert 'role="status"' not in page


@pytest.mark.parametrize("address", ["/login", "/accounts"])
def test_a_body_far_beyond_any_form_is_refused(address: str, house: House) -> None:
    assert house.visitor("anna").post(address, rubbish="x" * 100_000).status_code == 413
