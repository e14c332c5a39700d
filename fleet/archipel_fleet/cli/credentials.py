"""Which controller, and who we are to it: options, environment, the file of `login`, the token of the data directory.

Tokens are kept in `~/.config/archipel/fleet.json` (mode 0600), by the controller's address.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from archipel_contract.exits import Exit
from archipel_contract.link.broker_url import is_loopback
from archipel_contract.settings import SettingsInvalid
from archipel_fleet.cli.stop import Stop
from archipel_fleet.host import files
from archipel_fleet.settings import Settings, load

URL_VARIABLE = "ARCHIPEL_FLEET_URL"
TOKEN_VARIABLE = "ARCHIPEL_FLEET_TOKEN"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whom to ask, and with which token; `source` says in words where the token is from."""

    url: str
    token: str = ""
    source: str = ""


def settings_of(data: str | None, environment: Mapping[str, str], database: str | None = None) -> Settings:
    """Return the controller's settings as they are on this machine; raise Stop for a file that cannot be used."""
    try:
        return load({"data": data, "database": database}, environment)
    except SettingsInvalid as error:
        raise Stop(Exit.USAGE, f"the controller's settings cannot be used: {error}") from error


def find(url: str | None, data: str | None, environment: Mapping[str, str] | None = None) -> Credentials:
    """Return the credentials for the controller at `url`, or for this machine's; raise Stop for an address off loopback."""
    around = os.environ if environment is None else environment
    given = url or around.get(URL_VARIABLE, "")
    settings = settings_of(data, around)
    address = checked(given or f"http://{settings.listen}")
    if around.get(TOKEN_VARIABLE):
        return Credentials(address, around[TOKEN_VARIABLE], TOKEN_VARIABLE)
    kept = remembered(around).get(address)
    if kept:
        return Credentials(address, kept, "archipel fleet login")
    path = settings.token_file
    return Credentials(address, _first_line(path), str(path))


def checked(url: str) -> str:
    """Return the address without a slash at its end; raise Stop unless it is plain HTTP on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise Stop(Exit.USAGE, f"{url!r} is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query:
        raise Stop(Exit.USAGE, f"{url!r} is no address of a controller; one looks like http://127.0.0.1:8470")
    if not is_loopback(host) or parts.scheme == "https":
        raise Stop(
            Exit.REFUSED,
            f"{url} is refused: there are no keys yet, so a controller answers on its own machine only.\n"
            "  Work on that machine, or bring its port here: ssh -L 8470:127.0.0.1:8470 MACHINE",
        )
    return url.rstrip("/")


def file_of(environment: Mapping[str, str]) -> Path:
    """Return where `login` keeps tokens."""
    shared = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME') or '.'}/.config"
    return Path(shared).absolute() / "archipel" / "fleet.json"


def remembered(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the tokens `login` kept, by address; a file that is not as we write it counts as none."""
    try:
        data = json.loads(file_of(environment).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    tokens = data.get("tokens") if isinstance(data, dict) else None
    return {str(url): str(token) for url, token in tokens.items()} if isinstance(tokens, dict) else {}


def remember(url: str, token: str | None, environment: Mapping[str, str]) -> Path:
    """Keep the token for this address, or forget it (None); raise Stop if the file cannot be written."""
    path = file_of(environment)
    tokens = {known: kept for known, kept in remembered(environment).items() if known != url}
    if token is not None:
        tokens[url] = token
    try:
        files.make_private(path.parent)
        files.write_private(path, json.dumps({"tokens": tokens}, indent=1) + "\n")
    except OSError as error:
        raise Stop(Exit.FAILED, f"{path} cannot be written: {error.strerror or error}") from error
    return path


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").partition("\n")[0].strip()
    except (OSError, ValueError):
        return ""
