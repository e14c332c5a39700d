"""Logging in and out, and changing accounts. Called by the API, the pages, the commands' calls and `serve`.

Blocks (hashing, database): call it from a worker thread. Who may change what is decided by the callers.
"""

import re
from dataclasses import dataclass

from archipel_fleet.accounts import passwords, sessions
from archipel_fleet.accounts.attempts import Attempts, TooManyAttempts
from archipel_fleet.accounts.passwords import Entropy, Passwords, PasswordUnfit
from archipel_fleet.order_records import Deed
from archipel_fleet.ports import Clock, Store
from archipel_fleet.records import Account, AccountRole

FIRST = "admin"
LOCAL = "local"  # whoever may read the controller's data directory; has no password
LOCAL_DAYS = 3650  # its token lasts as long as the process that wrote it, and is replaced by the next
NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}")
CUSTOMER = re.compile(r"[\w][\w .&()/+-]{0,62}")


class LoginRefused(Exception):
    """Name and password do not belong together; it is not said which is wrong."""


class AccountInvalid(ValueError):
    """An account like this cannot be; the message says why."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who has come in, with which token, and until when it lasts if nothing comes of it."""

    account: Account
    token: str
    until: int


class Accounts:
    """Everything about who may log in."""

    def __init__(
        self, store: Store, clock: Clock, entropy: Entropy, hashing: Passwords | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._passwords = hashing or Passwords(entropy)
        self._attempts = Attempts()
        self._renewals = sessions.Renewals()

    def login(self, name: str, password: str, address: str) -> Login:
        """Open a session; raise LoginRefused, or TooManyAttempts before the password is looked at."""
        self._attempts.begin(name, address, self._clock.monotonic())
        stored = self._store.password_hash(name) if NAME.fullmatch(name) else None
        account = self._named(name)
        # The store gives no hash for a disabled account.
        if not self._passwords.fits(password, stored) or account is None or account.disabled:
            if account is not None:
                self._did(name, "login", account.customer, outcome="refused", address=address)
            raise LoginRefused
        self._attempts.succeeded(name, address)
        now = self._clock.now()
        self._did(name, "login", account.customer, outcome="done", address=address)
        token = sessions.new(self._entropy, now)
        self._store.open_session(token.digest, name, now, token.until(now))
        return Login(account, token.text, token.until(now))

    def of(self, text: str) -> Account | None:
        """Return whose session this token is; using it makes it last on, up to its longest life."""
        token = sessions.read(text)
        now = self._clock.now()
        if token is None:
            return None
        account = self._store.session(token.digest, now)
        if account is None or account.disabled:
            return None
        return account if self._kept(token, account, now) else None

    def still(self, text: str) -> Account | None:
        """Return whose session this token is, as `of`, but without making it last on: a stream is no use of it."""
        token = sessions.read(text)
        return None if token is None else self._store.session(token.digest, self._clock.now())

    def _kept(self, token: sessions.Token, account: Account, now: int) -> bool:
        if account.name == LOCAL:
            return True
        if now >= token.end:
            return False
        if self._renewals.due(token.digest, now):
            self._store.open_session(token.digest, account.name, now, token.until(now))
        return True

    def logout(self, text: str) -> None:
        """End a session; nothing happens if there is none."""
        self._store.close_session(sessions.digest(text))

    def all(self) -> tuple[Account, ...]:
        """Return every account."""
        return self._store.accounts()

    def put(self, account: Account, password: str | None, by: str = LOCAL) -> None:
        """Make or change an account; None keeps its password. Its sessions end. `by` is the account that does it. Raise
        AccountInvalid, PasswordUnfit.
        """
        self._check(account)
        before = self._named(account.name)
        if password is None and before is None:
            raise AccountInvalid("a new account needs a password")
        if before is not None and _rules(before) and not _rules(account):
            self._keep_an_admin(account.name)
        if password is not None:
            passwords.check_fitness(password, account.name)
        self._store.put_account(account, None if password is None else self._passwords.hashed(password))
        action = "account-added" if before is None else "account-changed"
        given = {"password": "new"} if before is not None and password is not None else {}
        self._did(by, action, account.customer, account=account.name, role=str(account.role), **given)

    def change_password(self, name: str, old: str, new: str, address: str) -> None:
        """Change one's own password; raise as `login` and `put` do."""
        self._attempts.begin(name, address, self._clock.monotonic())
        if not self._passwords.fits(old, self._store.password_hash(name)):
            raise LoginRefused
        self._attempts.succeeded(name, address)
        account = self._named(name)
        if account is None:
            raise LoginRefused
        self.put(account, new, by=name)

    def remove(self, name: str, by: str = LOCAL) -> bool:
        """Remove an account with its sessions; False if there is none. `by` is the account that does it. Raise
        AccountInvalid for the last admin.
        """
        if name == LOCAL:
            raise AccountInvalid(f"{LOCAL} stands for the controller's data directory and stays")
        account = self._named(name)
        if account is not None and _rules(account):
            self._keep_an_admin(name)
        removed = self._store.remove_account(name)
        if removed:
            self._did(by, "account-removed", account.customer if account is not None else None, account=name)
        return removed

    def _did(self, name: str, action: str, customer: str | None, outcome: str = "", **params: str) -> None:
        deed = Deed(actor=f"fleet:{name}", action=action, outcome=outcome, params=params, customer=customer)
        self._store.book.record(deed, self._clock.now())

    def _named(self, name: str) -> Account | None:
        return next((one for one in self._store.accounts() if one.name == name), None)

    def _keep_an_admin(self, name: str) -> None:
        if not any(_rules(one) and one.name not in (name, LOCAL) for one in self._store.accounts()):
            raise AccountInvalid(f"{name} is the last admin; make another one first")

    def _check(self, account: Account) -> None:
        if not NAME.fullmatch(account.name):
            raise AccountInvalid(
                "a name has 1 to 63 small letters, digits and . _ @ -, and begins with a letter or digit"
            )
        if account.name == LOCAL:
            raise AccountInvalid(f"{LOCAL} stands for the controller's data directory and cannot be changed")
        if account.role is AccountRole.ADMIN and account.customer is not None:
            raise AccountInvalid("an admin looks after all customers; an operator can belong to one")
        if account.customer is not None and account.customer not in self._store.customers():
            raise AccountInvalid(f"there is no customer {account.customer!r}")

    def first_run(self) -> str | None:
        """Make the account `admin` if nobody could log in yet, and return its password; None if somebody can."""
        if any(one.name != LOCAL for one in self._store.accounts()):
            return None
        password = passwords.made_up(self._entropy)
        self._store.put_account(Account(name=FIRST, role=AccountRole.ADMIN), self._passwords.hashed(password))
        return password

    def local_token(self) -> str:
        """Return a new token for whoever may read the data directory; the one before it ends."""
        self._store.put_account(Account(name=LOCAL, role=AccountRole.ADMIN), None)
        now = self._clock.now()
        token = sessions.new(self._entropy, now)
        self._store.open_session(token.digest, LOCAL, now, now + LOCAL_DAYS * 86_400_000)
        return token.text

    def add_customer(self, name: str, by: str = LOCAL) -> bool:
        """Add a customer; False if it is there. Raise AccountInvalid for a name that cannot be one."""
        if not CUSTOMER.fullmatch(name) or name != name.strip():
            raise AccountInvalid("a customer's name has 1 to 63 letters, digits, spaces and . & ( ) / + -")
        added = self._store.add_customer(name)
        if added:
            self._did(by, "customer-added", None, added=name)
        return added


def _rules(account: Account) -> bool:
    return account.role is AccountRole.ADMIN and not account.disabled


__all__ = [
    "FIRST",
    "LOCAL",
    "AccountInvalid",
    "Accounts",
    "Login",
    "LoginRefused",
    "PasswordUnfit",
    "TooManyAttempts",
]
