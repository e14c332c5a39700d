"""Backups in an S3 store, by curl, which signs requests itself since 7.88 the way S3 wants them.

The keys reach curl as a configuration on its standard input, never as words of a command that every process may read. One
object is one request, so that it is there whole or not at all; the store's limit for that is 5 GB.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from archipel_agent.backup.targets import Bucket, Stored, TargetFailed, patience, too_large
from archipel_agent.host import tree
from archipel_agent.ports import CommandFailed, Files, Runner

ANSWER_BYTES = 8 << 20
MOST = 5 << 30  # bytes of an object in one request (Amazon S3 User Guide, "Uploading objects")
CONTENT = re.compile(
    r"<Contents>.*?<Key>(?P<key>[^<]*)</Key>.*?<Size>(?P<size>\d+)</Size>.*?</Contents>", re.DOTALL
)
NEXT = re.compile(r"<NextContinuationToken>([^<]+)</NextContinuationToken>")
MESSAGE = re.compile(r"<Code>([^<]*)</Code>(?:.*?<Message>([^<]*)</Message>)?", re.DOTALL)
ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"), ("&amp;", "&"))
OF_STATUS = {400: "refused", 401: "refused", 403: "refused", 413: "full", 507: "full"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where the store is, and the keys to it."""

    endpoint: str
    region: str
    access_key: str
    secret_key: str


def read_store(path: Path, disk: Files) -> Store:
    """Read the file that says where the store is; raise TargetFailed, whose message repeats no key."""
    try:
        values = tomllib.loads(disk.read(path).decode())
    except OSError as error:
        raise TargetFailed("backup-target-refused", f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise TargetFailed("backup-target-refused", f"{path} is not TOML") from None
    wanted = ("endpoint", "region", "access_key", "secret_key")
    if set(values) != set(wanted) or not all(
        isinstance(one, str) and one.isprintable() for one in values.values()
    ):
        raise TargetFailed("backup-target-refused", f"{path} must hold the texts {', '.join(wanted)}")
    parts = urlsplit(values["endpoint"])
    if parts.scheme not in ("https", "http") or not parts.netloc or parts.path not in ("", "/"):
        raise TargetFailed("backup-target-refused", f"{path}: endpoint must be such as https://s3.example")
    return Store(**{name: values[name] for name in wanted})


class S3Target:
    """Implements BackupTarget."""

    def __init__(self, place: Bucket, store: Store, runner: Runner, staging: Path) -> None:
        """Keep objects at `place` of `store`; answers are laid down in `staging` for a moment."""
        self._place = place
        self._store = store
        self._runner = runner
        self._staging = staging

    def require(self, size: int) -> None:
        """See BackupTarget."""
        if size > MOST:
            raise too_large(size, MOST, "an S3 store")

    def put(self, file: Path, name: str) -> None:
        """See BackupTarget."""
        self._ask(self._url(name), {"upload-file": str(file)}, timeout=patience(tree.size(file)))

    def get(self, name: str, file: Path) -> None:
        """See BackupTarget."""
        size = next((one.size for one in self.stored() if one.name == name), 0)
        self._ask(self._url(name), {}, answer=file, timeout=patience(size))

    def part(self, name: str, begin: int, length: int, file: Path) -> int:
        """See BackupTarget."""
        # A store that knows no ranges would send all of it; curl then stops at the first byte.
        span = {"range": f"{begin}-{begin + length - 1}", "max-filesize": str(length)}
        self._ask(self._url(name), span, answer=file, timeout=patience(length))
        return 0

    def stored(self) -> tuple[Stored, ...]:
        """See BackupTarget."""
        found: list[Stored] = []
        token = ""
        while True:
            # The words of the query stand in the order in which they are signed.
            words = {"continuation-token": token, "list-type": "2", "prefix": self._place.prefix}
            query = "&".join(f"{name}={quote(value, safe='')}" for name, value in words.items() if value)
            text = self._ask(f"{self._base()}?{query}", {})
            for one in CONTENT.finditer(text):
                name = _plain(one["key"]).removeprefix(self._place.prefix)
                if "/" not in name and name:
                    found.append(Stored(name=name, size=int(one["size"])))
            following = NEXT.search(text)
            if following is None:
                return tuple(sorted(found, key=lambda one: one.name))
            token = _plain(following[1])

    def delete(self, name: str) -> None:
        """See BackupTarget."""
        self._ask(self._url(name), {"request": "DELETE"})

    def _base(self) -> str:
        return f"{self._store.endpoint.rstrip('/')}/{self._place.name}"

    def _url(self, name: str) -> str:
        return f"{self._base()}/{quote(self._place.prefix + name)}"

    def _ask(
        self, url: str, more: dict[str, str], answer: Path | None = None, timeout: float = patience(0)
    ) -> str:
        """Send one request; the answer goes to the file `answer`, or is returned where that is None."""
        place = answer or self._staging / "s3-answer"
        store = self._store
        options = {
            "url": url,
            "user": f"{store.access_key}:{store.secret_key}",
            "aws-sigv4": f"aws:amz:{store.region}:s3",
            "output": str(place),
            "write-out": "%{http_code}",
            "connect-timeout": "15",
            "speed-limit": "1",  # a byte a second within a minute, else the line is dead
            "speed-time": "60",
            "proto": "=https,http",
            **({} if answer else {"max-filesize": str(ANSWER_BYTES)}),
            **more,
        }
        config = "".join(f'{name} = "{_escaped(value)}"\n' for name, value in options.items())
        try:
            with tree.writing(place):  # root's own before anything is in it
                pass
            argv = ["curl", "-q", "--silent", "--show-error", "--config", "-"]
            done = self._runner.run(argv, stdin=config.encode(), timeout=timeout)
            return self._judged(int(done.stdout.strip()[-3:] or 0), place, answer is None)
        except CommandFailed as error:
            raise self._failed(error) from error
        finally:
            if answer is None:
                tree.forget(place)

    def _judged(self, status: int, place: Path, is_text: bool) -> str:
        is_good = 200 <= status < 300
        text = ""
        if is_text or not is_good:
            with tree.reading(place) as readable:
                text = readable.read(ANSWER_BYTES).decode(errors="replace")
        if is_good:
            return text
        said = MESSAGE.search(text)
        problem = " ".join(filter(None, said.groups())) if said else ""
        kind = OF_STATUS.get(status, "away")
        raise TargetFailed(
            f"backup-target-{kind}", f"{self._base()} answered {status} {problem}".strip()[:300]
        )

    def _failed(self, error: CommandFailed) -> TargetFailed:
        # curl(1): 2 an option it does not know, 58 and 60 certificates that do not hold, 63 more than was asked for.
        kind = "refused" if error.code in (2, 58, 60, 63) else "away"
        said = error.stderr.strip().splitlines()[-1:] or [str(error)]
        return TargetFailed(f"backup-target-{kind}", f"{self._base()}: {said[0]}"[:300])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _plain(text: str) -> str:
    for entity, char in ENTITIES:
        text = text.replace(entity, char)
    return text
