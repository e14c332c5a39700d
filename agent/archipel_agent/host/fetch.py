"""Downloads over HTTP(S) with the standard library: bounded, resumable, and with one sentence for each failure."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from archipel_agent.ports import FetchFailed

if TYPE_CHECKING:
    from http.client import HTTPResponse

TIMEOUT_SECONDS = 30.0
CHUNK = 1 << 20


class HttpFetcher:
    """Downloads with urllib, which honours the usual proxy variables."""

    def fetch(self, url: str, limit: int) -> bytes:
        """Return the body of a small file of at most `limit` bytes."""
        with _opened(url) as answer:
            body = answer.read(limit + 1)
        if len(body) > limit:
            raise FetchFailed(f"{url} is larger than {limit} bytes")
        return body

    def download(self, url: str, target: Path, limit: int) -> None:
        """Write the body to `target` by way of `target.part`, going on from what an earlier try left there."""
        part = target.with_name(target.name + ".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        have = part.stat().st_size if part.exists() else 0
        with _opened(url, have) as answer:
            resumed = answer.status == 206
            size = have if resumed else 0
            with part.open("ab" if resumed else "wb") as out:
                while chunk := answer.read(CHUNK):
                    size += len(chunk)
                    if size > limit:
                        part.unlink()
                        raise FetchFailed(f"{url} is larger than {limit} bytes")
                    out.write(chunk)
        expected = answer.headers.get("Content-Length")
        if expected and size != int(expected) + (have if resumed else 0):
            raise FetchFailed(f"{url} broke off after {size} bytes; try again to go on from there")
        part.replace(target)


@contextlib.contextmanager
def _opened(url: str, start: int = 0) -> Iterator["HTTPResponse"]:
    import http.client  # noqa: PLC0415 - all three stay resident for good, and most agents never download
    import urllib.error  # noqa: PLC0415 - as above
    import urllib.request  # noqa: PLC0415 - as above

    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            yield cast("HTTPResponse", answer)
    except urllib.error.HTTPError as error:
        with error:
            raise FetchFailed(f"{url} answered {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise FetchFailed(f"{url} cannot be reached: {reason}") from error
