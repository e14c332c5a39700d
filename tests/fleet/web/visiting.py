"""A visitor of the pages without a browser: keeps cookies, follows nothing by itself, knows the form token of a page."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from archipel_fleet.api.context import Context
from archipel_fleet.ports import Keys
from tests.fakes.fleet_context import PASSWORD, FakeClock, fake_context
from tests.fakes.fleet_store import FakeStore
from tests.fleet.api.asking import ORIGIN, whole_app


@dataclass
class House:
    """A controller's HTTP side with fakes behind it; its people are those of `fleet_context`."""

    store: FakeStore = field(default_factory=FakeStore)
    clock: FakeClock = field(default_factory=FakeClock)
    keys: Keys | None = None
    context: Context = field(init=False)
    app: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        """Put it together."""
        self.context = fake_context(self.store, self.clock, self.keys)
        self.app = whole_app(self.context)

    def visitor(self, name: str = "") -> "Visitor":
        """Return somebody in front of the login page, or logged in as `name`."""
        visitor = Visitor(self.app)
        if name:
            answer = visitor.post("/login", name=name, password=PASSWORD)
            assert answer.status_code == 303, answer.text
        return visitor


class Visitor:
    """One browser's worth of cookies."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self.cookies = httpx.Cookies()

    def get(self, address: str, **headers: str) -> httpx.Response:
        """Ask for a page."""
        return self._ask("GET", address, headers, None)

    def post(self, address: str, /, fetch_site: str = "", **fields: str) -> httpx.Response:
        """Send a form as it is given; a browser says in `fetch_site` which page sent it."""
        return self._ask("POST", address, {"sec-fetch-site": fetch_site} if fetch_site else {}, fields)

    def send(self, page: str, address: str, /, **fields: str) -> httpx.Response:
        """Send a form of `page`, with that page's token."""
        return self.post(address, form_token=self.token(page), **fields)

    def token(self, page: str) -> str:
        """Return the form token that stands in a page."""
        found = re.search(r'name="form_token" value="([^"]+)"', self.get(page).text)
        assert found is not None
        return found[1]

    def _ask(self, method: str, address: str, headers: dict[str, str], data: Any) -> httpx.Response:
        return asyncio.run(self._asked(method, address, headers, data))

    async def _asked(self, method: str, address: str, headers: dict[str, str], data: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, cookies=self.cookies) as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = await client.request(method, address, headers=named, data=data)
            self.cookies = client.cookies
            return answer
