"""Accounts: the first run, logging in, how long a session lasts, and which changes are refused."""

import hashlib

import pytest

from archipel_fleet.accounts import sessions
from archipel_fleet.accounts.passwords import PasswordUnfit
from archipel_fleet.accounts.service import LOCAL, AccountInvalid, Accounts, LoginRefused, TooManyAttempts
from archipel_fleet.api.context import Context
from archipel_fleet.records import Account, AccountRole
from tests.fakes.fleet_context import CHEAP, PASSWORD, CountedEntropy, FakeClock, fake_context, token_of
from tests.fakes.fleet_store import FakeStore

HOUR = 3600.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def context(store: FakeStore, clock: FakeClock) -> Context:
    return fake_context(store, clock)


@pytest.fixture
def accounts(context: Context) -> Accounts:
    return context.accounts


def bare() -> Accounts:
    """Accounts over an empty store."""
    from archipel_fleet.live import Live

    context = Context(
        store=FakeStore(), clock=FakeClock(), live=Live(), entropy=CountedEntropy(), password_cost=CHEAP
    )
    return context.accounts


def test_the_first_run_makes_an_admin_and_says_the_password_once() -> None:
    accounts = bare()
    accounts.local_token()
    password = accounts.first_run()
    assert password is not None
    assert accounts.login("admin", password, "127.0.0.1").account.role is AccountRole.ADMIN
    assert accounts.first_run() is None


def test_a_login_opens_a_session_of_256_random_bits_of_which_only_the_hash_is_stored(
    accounts: Accounts, store: FakeStore
) -> None:
    token = accounts.login("nora", PASSWORD, "127.0.0.1").token
    assert len(token.partition(".")[2]) == 43  # 32 bytes in base 64
    assert list(store._sessions) == [hashlib.sha256(token.encode()).hexdigest()]
    assert accounts.of(token) == Account(name="nora", role=AccountRole.OPERATOR, customer="north")


@pytest.mark.parametrize("name", ["nora", "nobody", "local", "NORA", "", "nora\0", "x" * 5000])
def test_a_wrong_password_and_an_unknown_name_are_the_same_refusal(accounts: Accounts, name: str) -> None:
    with pytest.raises(LoginRefused) as refused:
        accounts.login(name, "wrong wrong wrong", "127.0.0.1")
    assert str(refused.value) == ""


def test_guessing_is_slowed_and_the_right_password_does_not_help_meanwhile(
    accounts: Accounts, clock: FakeClock
) -> None:
    for _ in range(5):
        with pytest.raises(LoginRefused):
            accounts.login("nora", "wrong wrong wrong", "127.0.0.1")
    with pytest.raises(TooManyAttempts):
        accounts.login("nora", PASSWORD, "127.0.0.1")
    clock.pass_by(1.0)
    assert accounts.login("nora", PASSWORD, "127.0.0.1").account.name == "nora"


def test_a_session_lasts_twelve_hours_after_its_last_use(context: Context, clock: FakeClock) -> None:
    token = token_of(context, "nora")
    for _ in range(3):
        clock.pass_by(11 * HOUR)
        assert context.accounts.of(token) is not None
    clock.pass_by(12 * HOUR)
    assert context.accounts.of(token) is None


def test_a_session_ends_after_seven_days_however_much_it_is_used(context: Context, clock: FakeClock) -> None:
    token = token_of(context, "nora")
    for _ in range(7 * 24 - 1):
        clock.pass_by(HOUR)
        assert context.accounts.of(token) is not None
    clock.pass_by(HOUR)
    assert context.accounts.of(token) is None


def test_the_store_is_told_of_a_sessions_use_every_few_minutes_only(
    context: Context, store: FakeStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    real = store.open_session

    def counting(digest: str, name: str, now: int, until: int) -> None:
        told.append(now)
        real(digest, name, now, until)

    token = token_of(context, "nora")
    monkeypatch.setattr(store, "open_session", counting)
    for _ in range(100):
        context.accounts.of(token)
        clock.pass_by(6.0)
    assert len(told) == 2


def test_a_session_cannot_be_made_younger_by_changing_its_token(context: Context, clock: FakeClock) -> None:
    token = token_of(context, "nora")
    secret = token.partition(".")[2]
    clock.pass_by(HOUR)
    assert context.accounts.of(f"{clock.now():x}.{secret}") is None


@pytest.mark.parametrize(
    "text", ["", ".", "x.y", "zz." + "a" * 43, "1" * 40 + "." + "a" * 43, "ü." + "a" * 43]
)
def test_rubbish_is_nobodys_token(accounts: Accounts, text: str) -> None:
    assert accounts.of(text) is None


def test_logging_out_ends_this_session_and_no_other(context: Context) -> None:
    first, second = token_of(context, "nora"), token_of(context, "nora")
    context.accounts.logout(first)
    assert context.accounts.of(first) is None
    assert context.accounts.of(second) is not None


@pytest.mark.parametrize(
    "change", [{"disabled": True}, {"customer": "south"}, {"role": AccountRole.VIEWER}], ids=str
)
def test_changing_an_account_ends_its_sessions(context: Context, change: dict[str, object]) -> None:
    token = token_of(context, "nora")
    given = {"name": "nora", "role": AccountRole.OPERATOR, "customer": "north", **change}
    context.accounts.put(Account(**given), None)  # type: ignore[arg-type]  # each value is of its field's type
    assert context.accounts.of(token) is None


def test_a_disabled_account_cannot_log_in(accounts: Accounts) -> None:
    accounts.put(Account(name="nora", role=AccountRole.OPERATOR, customer="north", disabled=True), None)
    with pytest.raises(LoginRefused):
        accounts.login("nora", PASSWORD, "127.0.0.1")
    accounts.put(Account(name="nora", role=AccountRole.OPERATOR, customer="north"), None)
    assert accounts.login("nora", PASSWORD, "127.0.0.1").account.name == "nora"


def test_a_password_can_be_changed_by_who_knows_the_old_one(accounts: Accounts) -> None:
    with pytest.raises(LoginRefused):
        accounts.change_password("nora", "wrong wrong wrong", "another fine word", "127.0.0.1")
    accounts.change_password("nora", PASSWORD, "another fine word", "127.0.0.1")
    assert accounts.login("nora", "another fine word", "127.0.0.1").account.name == "nora"


@pytest.mark.parametrize(
    ("account", "why"),
    [
        (Account(name="Nora", role=AccountRole.VIEWER), "small letters"),
        (Account(name="a/b", role=AccountRole.VIEWER), "small letters"),
        (Account(name=LOCAL, role=AccountRole.VIEWER), "data directory"),
        (Account(name="x", role=AccountRole.ADMIN, customer="north"), "all customers"),
        (Account(name="x", role=AccountRole.VIEWER, customer="west"), "no customer 'west'"),
    ],
)
def test_an_account_that_cannot_be_is_refused_with_the_reason(
    accounts: Accounts, account: Account, why: str
) -> None:
    with pytest.raises(AccountInvalid, match=why):
        accounts.put(account, PASSWORD)


def test_a_new_account_needs_a_password_and_a_fitting_one(accounts: Accounts) -> None:
    with pytest.raises(AccountInvalid):
        accounts.put(Account(name="new", role=AccountRole.VIEWER), None)
    with pytest.raises(PasswordUnfit):
        accounts.put(Account(name="new", role=AccountRole.VIEWER), "short")


def test_the_last_admin_can_be_neither_removed_nor_demoted_nor_disabled(accounts: Accounts) -> None:
    accounts.local_token()
    for attempt in (
        Account(name="anna", role=AccountRole.VIEWER),
        Account(name="anna", role=AccountRole.ADMIN, disabled=True),
    ):
        with pytest.raises(AccountInvalid, match="last admin"):
            accounts.put(attempt, None)
    with pytest.raises(AccountInvalid, match="last admin"):
        accounts.remove("anna")
    accounts.put(Account(name="second", role=AccountRole.ADMIN), PASSWORD)
    assert accounts.remove("anna")


def test_the_token_of_the_data_directory_outlives_days_and_ends_with_the_next_one(
    accounts: Accounts, clock: FakeClock
) -> None:
    first = accounts.local_token()
    clock.pass_by(300 * 24 * HOUR)
    who = accounts.of(first)
    assert who is not None and (who.name, who.role) == (LOCAL, AccountRole.ADMIN)
    second = accounts.local_token()
    assert accounts.of(first) is None
    assert accounts.of(second) is not None


def test_the_account_of_the_data_directory_stays(accounts: Accounts) -> None:
    accounts.local_token()
    with pytest.raises(AccountInvalid):
        accounts.remove(LOCAL)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0", "x" * 70, " north"])
def test_a_customer_without_a_proper_name_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountInvalid):
        accounts.add_customer(name)


def test_the_form_token_is_bound_to_its_session_and_does_not_give_it_away() -> None:
    first, second = sessions.form_token("one"), sessions.form_token("two")
    assert first != second
    assert first not in (hashlib.sha256(b"one").hexdigest(), "one")


def test_a_clock_that_was_set_back_does_not_stop_renewals() -> None:
    renewals = sessions.Renewals()
    assert renewals.due("d", 10_000_000)
    assert not renewals.due("d", 10_000_001)
    assert renewals.due("d", 1_000_000)
