"""The gate before every route of the application: nothing is answered without a login except what `auth.PUBLIC` names.

An ASGI middleware over API, pages and whatever else is mounted, so that a route that forgets to ask stays closed. It also
bounds what a request may send, refuses writes that another site's page made the browser send, and adds the security headers.
"""

from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from archipel_fleet.api import auth, problems
from archipel_fleet.api.context import Context
from archipel_fleet.api.problems import Refusal
from archipel_fleet.ports import Clock, StoreFailed
from archipel_fleet.records import Account

MAX_BODY_BYTES = 65_536  # the largest form or request of ours is below 2 kB
NOW_HEADER = "Archipel-Now"  # milliseconds since 1970 UTC by the controller's clock
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Everything comes from this server and nothing is inline (OWASP Secure Headers); pages cannot be framed or sniffed.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Gate:
    """The middleware."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        guarded = _with_headers(scope, send, self._context.clock)
        try:
            await self._admit(scope, headers)
        except Refusal as refusal:
            await _refused(scope, headers, refusal)(scope, receive, guarded)
            return
        await self._app(scope, _bounded(receive), guarded)

    async def _admit(self, scope: Scope, headers: Headers) -> None:
        """Note who asks in the scope; raise Refusal for a request that goes no further."""
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            raise _too_large()
        token, by_cookie = _token(headers)
        public = is_public(scope["path"])
        if scope["method"] not in SAFE_METHODS and (by_cookie or public) and _from_elsewhere(headers):
            raise Refusal(
                403,
                "other-origin",
                "This request was sent by a page of another origin.",
                "Use the page itself.",
            )
        account = await self._account(token, public) if token else None
        if account is not None:
            scope[auth.ACCOUNT_KEY] = account
            scope[auth.TOKEN_KEY] = token
        elif not public:
            raise problems.not_logged_in()

    async def _account(self, token: str, public: bool) -> Account | None:
        try:
            return await run_in_threadpool(self._context.accounts.of, token)
        except StoreFailed as error:
            if public:
                return None
            raise problems.store_failed(error) from error


def is_public(path: str) -> bool:
    """Whether this path answers without a login."""
    return path in auth.PUBLIC or (path.startswith(auth.PUBLIC_BELOW) and ".." not in path)


def _token(headers: Headers) -> tuple[str, bool]:
    """Return the token of the request and whether a cookie brought it; the header wins, as no browser adds it by itself."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and given:
        return given.strip(), False
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(auth.COOKIE)
    except CookieError:
        return "", False
    return (morsel.value, True) if morsel else ("", False)


def _from_elsewhere(headers: Headers) -> bool:
    """Whether a browser says that another origin's page sent this; a client that says neither is no browser.

    Browsers send `Sec-Fetch-Site` since 2023 and `Origin` with every POST for longer (Fetch standard, section 3.2).
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


def _too_large() -> Refusal:
    return Refusal(413, "too-large", f"A request has at most {MAX_BODY_BYTES} bytes.")


def _refused(scope: Scope, headers: Headers, refusal: Refusal) -> Response:
    path, page = scope["path"], not scope["path"].startswith(("/api/", "/metrics"))
    if refusal.status == 401 and page and scope["method"] in SAFE_METHODS:
        query = scope.get("query_string", b"").decode("latin-1")
        target = auth.login_address(path + (f"?{query}" if query else ""))
        if (
            headers.get("hx-request") == "true"
        ):  # htmx follows a redirect into the fragment; this moves the whole page
            return Response(status_code=401, headers={"HX-Redirect": auth.LOGIN_PAGE})
        return RedirectResponse(target, status_code=303)
    return problems.response(refusal.status, refusal.problem, refusal.headers)


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY_BYTES:
            raise HTTPException(413)  # the one error that FastAPI passes on while it reads a body
        return message

    return counting


def _with_headers(scope: Scope, send: Send, clock: Clock) -> Send:
    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            if scope["path"].startswith("/api/"):
                # Ages are reckoned by the clock that the times are from.
                headers[NOW_HEADER] = str(clock.now())
            if not scope["path"].startswith(auth.PUBLIC_BELOW):
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return adding
