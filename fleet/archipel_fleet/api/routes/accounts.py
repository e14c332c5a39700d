"""Accounts and customers: who may log in, and whose sites are whose."""

from typing import Annotated

from fastapi import APIRouter, Path, status
from pydantic import BaseModel, ConfigDict, StringConstraints

from archipel_fleet.accounts.service import AccountInvalid, PasswordUnfit
from archipel_fleet.api.auth import Admin, Asking, Here, OperatorOfAll
from archipel_fleet.api.problems import Refusal, not_found
from archipel_fleet.api.routes.session import Secret
from archipel_fleet.api.routes.shapes import PRINTABLE, Name, SiteName, refusals
from archipel_fleet.order_records import Deed
from archipel_fleet.records import Account, AccountRole, SiteRow

router = APIRouter(tags=["accounts"])

AccountName = Annotated[
    str, Path(description="The account's name.", min_length=1, max_length=100, pattern=PRINTABLE)
]


class Wanted(BaseModel):
    """What an account should be. Without `password` an account that is there keeps its own."""

    model_config = ConfigDict(extra="forbid")
    role: AccountRole
    customer: Name | None = None
    """Whose sites it sees; null for all."""
    disabled: bool = False
    password: Secret | None = None


class NewPassword(BaseModel):
    """A password an admin gives to an account."""

    model_config = ConfigDict(extra="forbid")
    password: Secret


class NewCustomer(BaseModel):
    """A customer to add."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=PRINTABLE)]


class Owner(BaseModel):
    """Whose site it is."""

    model_config = ConfigDict(extra="forbid")
    customer: Name


def _invalid(error: ValueError) -> Refusal:
    word = "password-unfit" if isinstance(error, PasswordUnfit) else "account-invalid"
    return Refusal(422, word, f"{error}.", "Change that and try again.")


def _account(here: Here, name: str) -> Account:
    found = next((one for one in here.accounts.all() if one.name == name), None)
    if found is None:
        raise not_found("account", name)
    return found


@router.get("/accounts", responses=refusals(403), summary="Accounts")
def accounts(here: Here, admin: Admin) -> tuple[Account, ...]:
    """Return every account. `local` stands for whoever may read the controller's data directory."""
    return here.accounts.all()


@router.put("/accounts/{name}", responses=refusals(403), summary="Make or change an account")
def put_account(name: AccountName, wanted: Wanted, here: Here, admin: Admin) -> Account:
    """Make or change an account. Its sessions end."""
    made = Account(name=name, role=wanted.role, customer=wanted.customer, disabled=wanted.disabled)
    try:
        here.accounts.put(made, wanted.password, by=admin.name)
    except (AccountInvalid, PasswordUnfit) as error:
        raise _invalid(error) from error
    return made


@router.post(
    "/accounts/{name}/password",
    responses=refusals(403, 404),
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Give an account a new password",
)
def give_password(name: AccountName, given: NewPassword, here: Here, admin: Admin) -> None:
    """Give an account a new password. Its sessions end."""
    try:
        here.accounts.put(_account(here, name), given.password, by=admin.name)
    except (AccountInvalid, PasswordUnfit) as error:
        raise _invalid(error) from error


@router.delete(
    "/accounts/{name}",
    responses=refusals(403, 404, 409),
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Remove an account",
)
def remove_account(name: AccountName, here: Here, admin: Admin) -> None:
    """Remove an account. Its sessions end."""
    try:
        removed = here.accounts.remove(name, by=admin.name)
    except AccountInvalid as error:
        raise Refusal(409, "account-needed", f"{error}.") from error
    if not removed:
        raise not_found("account", name)


@router.get("/customers", responses=refusals(), summary="Customers")
def customers(here: Here, asking: Asking) -> tuple[str, ...]:
    """Return the customers; an account of one customer sees that one only."""
    if asking.customer is not None:
        return (asking.customer,)
    return here.store.customers()


@router.post(
    "/customers",
    responses=refusals(403, 409),
    status_code=status.HTTP_201_CREATED,
    summary="Add a customer",
)
def add_customer(given: NewCustomer, here: Here, admin: Admin) -> NewCustomer:
    """Add a customer, to whom sites and accounts can then be given."""
    try:
        added = here.accounts.add_customer(given.name, by=admin.name)
    except AccountInvalid as error:
        raise Refusal(422, "customer-invalid", f"{error}.", "Choose another name.") from error
    if not added:
        raise Refusal(409, "customer-exists", f"There is a customer {given.name!r} already.")
    return given


@router.put("/sites/{site}/customer", responses=refusals(403, 404), summary="Give a site to a customer")
def assign(site: SiteName, given: Owner, here: Here, asking: OperatorOfAll) -> SiteRow:
    """Give a site to a customer; from then on that customer's accounts see it, and no other customer's."""
    found = here.store.site(asking.scope, site, here.clock.now())
    if found is None:
        raise not_found("site", site)
    if not here.store.assign(found.site.site_id, given.customer):
        raise not_found("customer", given.customer)
    params = {"from": found.site.customer, "to": given.customer}
    deed = Deed(
        actor=f"fleet:{asking.name}", action="site-assigned", params=params, site_id=found.site.site_id
    )
    here.store.book.record(deed, here.clock.now())
    here.live.publish(frozenset({found.site.site_id}))
    after = here.store.site(asking.scope, found.site.site_id, here.clock.now())
    return found.site if after is None else after.site
