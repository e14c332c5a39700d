"""The controller's API for commands: asks, decodes, and turns whatever goes wrong into a sentence and an exit code."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from archipel_contract import wire
from archipel_contract.exits import Exit
from archipel_fleet.cli.credentials import Credentials
from archipel_fleet.cli.stop import Stop

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

NOW_HEADER = "Archipel-Now"
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
STREAM_SECONDS = 45.0  # a stream is silent for 15 seconds at most: comments keep it going
EXIT_OF_STATUS = {
    401: Exit.NOT_PERMITTED,
    403: Exit.NOT_PERMITTED,
    404: Exit.NOT_OK,
    409: Exit.REFUSED,
    422: Exit.USAGE,
    429: Exit.BUSY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    error: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changed:
    sites: tuple[str, ...] = ()


class ControllerAway(Stop):
    """Nobody answers at the controller's address."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            Exit.AGENT_AWAY,
            f"the controller at {url} does not answer: {why}\n  Start it with: archipel fleet serve",
        )


class FleetClient:
    """Calls of one controller, each on the same kept connection. `now` is the controller's time at its last answer."""

    def __init__(self, credentials: Credentials) -> None:
        import httpx  # takes longer to load than most commands take to run

        self.credentials = credentials
        self.now = 0
        headers = {"Authorization": f"Bearer {credentials.token}"} if credentials.token else {}
        # A proxy of the environment has no business between a command and its own machine. Without TLS nobody is asked for a
        # certificate (redirects are refused), and reading those of all authorities would take most of a command's time.
        self._http = httpx.Client(
            base_url=credentials.url,
            verify=not credentials.url.startswith("http://"),
            headers=headers,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON at `path`; query words that are None or empty are left out."""
        wanted = {name: value for name, value in query.items() if value not in (None, "", ())}
        return self.call("GET", path, params=wanted)

    def one(self, shape: type[T], path: str, **query: Any) -> T:
        """Return the `shape` at `path`."""
        return read(shape, self.get(path, **query))

    def rows(self, shape: type[T], path: str, **query: Any) -> tuple[tuple[T, ...], int]:
        """Return one page of rows, and how many there are on all pages."""
        page = self.get(path, **query)
        if not isinstance(page, dict) or not isinstance(page.get("rows"), list):
            raise Stop(Exit.FAILED, "the controller's answer is not a page of rows")
        return tuple(read(shape, row) for row in page["rows"]), int(page.get("total", 0))

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Return the JSON of the answer, None for an empty one; raise Stop."""
        with self._explained():
            answer = self._http.request(method, f"/api/v1{path}", **arguments)
        self._note_time(answer)
        if answer.is_error or answer.is_redirect:
            raise refusal(answer.status_code, answer.content, self.credentials)
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise Stop(
                Exit.FAILED, f"what answers at {self.credentials.url} is no controller: {error}"
            ) from error

    def raw(self, path: str) -> bytes:
        """Return the bytes at `path`, which are a file; raise Stop."""
        with self._explained():
            answer = self._http.request("GET", f"/api/v1{path}")
        self._note_time(answer)
        if answer.is_error or answer.is_redirect:
            raise refusal(answer.status_code, answer.content, self.credentials)
        return answer.content

    @contextmanager
    def changes(self) -> Iterator[Iterator[frozenset[str]]]:
        """Open the stream of changes; yields sets of site ids, empty ones when nothing changed. Raise Stop."""
        timeout = (CONNECT_SECONDS, STREAM_SECONDS, ANSWER_SECONDS, CONNECT_SECONDS)
        with self._explained(), self._http.stream("GET", "/api/v1/changes", timeout=timeout) as answer:
            self._note_time(answer)
            if answer.is_error:
                raise refusal(answer.status_code, answer.read(), self.credentials)
            yield _events(answer.iter_lines(), self.credentials)

    def _note_time(self, answer: "httpx.Response") -> None:
        said = answer.headers.get(NOW_HEADER, "")
        if said.isascii() and said.isdigit():
            self.now = int(said)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import httpx  # loaded already

        try:
            yield
        except httpx.TimeoutException as error:
            raise ControllerAway(self.credentials.url, "no answer in time") from error
        except httpx.TransportError as error:
            raise ControllerAway(self.credentials.url, str(error) or type(error).__name__) from error


def _events(lines: Iterator[str], credentials: Credentials) -> Iterator[frozenset[str]]:
    """Yield one set for each event or comment (WHATWG HTML, section 9.2)."""
    kind = ""
    for line in lines:
        if line.startswith(":"):
            yield frozenset()
        elif line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            if kind == "over":
                raise refusal(401, b"", credentials)
            yield frozenset(_changed(line[5:]).sites)


def _changed(text: str) -> _Changed:
    try:
        return wire.from_json(_Changed, text)
    except wire.WireError as error:
        raise Stop(Exit.FAILED, f"the controller's answer is not as expected: {error}") from error


def read(shape: type[T], data: Any) -> T:
    """Return the `shape` in an answer; fields of newer controllers are skipped. Raise Stop."""
    try:
        return wire.from_data(shape, data)
    except wire.WireError as error:
        raise Stop(Exit.FAILED, f"the controller's answer is not as expected: {error}") from error


def refusal(status: int, body: bytes, credentials: Credentials) -> Stop:
    """Return what an answer that is not good means for the command."""
    try:
        problem = wire.from_json(_Problem, body)
    except wire.WireError:
        problem = _Problem(error=str(status), message=_phrase(status))
    remedy = f"\n  {problem.remedy}" if problem.remedy else ""
    if status == 401 and problem.error != "login-refused":
        if not credentials.token:
            return Stop(
                Exit.NOT_PERMITTED,
                f"not logged in at {credentials.url}: no session of `archipel fleet login`, and no token to be read in\n"
                f"  {credentials.source}. Log in with: archipel fleet login",
            )
        remedy = (
            f"\n  The token of {credentials.source} is not valid any more. Log in with: archipel fleet login"
        )
    return Stop(EXIT_OF_STATUS.get(status, Exit.FAILED), f"{problem.message}{remedy}")


def _phrase(status: int) -> str:
    try:
        return f"The controller answered {status} {HTTPStatus(status).phrase}."
    except ValueError:
        return f"The controller answered {status}."
