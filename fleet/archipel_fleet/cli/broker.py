"""`archipel fleet broker`: a broker of one's own for the fleet: its files, and the proof that it keeps the rules.

Works on the controller's data directory, with the keys and the registry of devices in it; the controller need not run.
"""

import dataclasses
import os
import secrets
import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archipel_contract.exits import Exit
from archipel_fleet.cli.command import Local, Session, add
from archipel_fleet.cli.credentials import settings_of
from archipel_fleet.cli.keys_dialog import opened, refusals
from archipel_fleet.cli.screen import Mark
from archipel_fleet.cli.stop import Stop

if TYPE_CHECKING:
    from archipel_fleet.link.broker_access import BrokerAccess
    from archipel_fleet.trust.keyring import FleetKeys

GROUP = "A broker of your own between devices and controller."
CONFIG = """\
Write everything a broker needs to carry this fleet: configuration, certificate, CA, who may do what, and a unit for systemd.

Run it again after devices came or went (nats, or mosquitto with a WebSocket), when a certificate was revoked, and once a
month in any case, so that certificate and list of revoked ones never end; then reload the broker as it says. nats-server
knows devices by their keys, and a device renews its own by itself: have it done there every hour, by a timer.

Examples:

  archipel fleet broker config mosquitto --name broker.example --out /etc/mosquitto/archipel

  archipel fleet broker config nats --name broker.example --websocket-port 443 --out /etc/archipel-broker
"""
CHECK = """\
Prove that a broker keeps the rules the fleet relies on: as the controller, as two devices made up for it, and as nobody.

Exit code 0 means that every point holds.

Examples:

  archipel fleet broker check

  archipel fleet broker check mqtts://broker.example:8883
"""
STATE = {"nats": "archipel-broker", "mosquitto": "mosquitto"}  # directories below /var/lib


class Kind(StrEnum):
    """A broker there is a configuration for."""

    NATS = "nats"
    MOSQUITTO = "mosquitto"


@dataclass(frozen=True, kw_only=True)
class ConfigOptions(Local):
    """Options of `broker config`."""

    broker: Annotated[Kind, typer.Argument(help="Which broker.")]
    out: Annotated[
        str, typer.Option("--out", metavar="DIRECTORY", help="Where the broker will read its files.")
    ]
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="Name or address devices call it by; may be repeated."),
    ] = None
    listen: Annotated[str, typer.Option("--listen", metavar="ADDRESS", help="Where it listens.")] = "0.0.0.0"
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of MQTT over TLS.")] = 8883
    websocket_port: Annotated[
        int,
        typer.Option("--websocket-port", min=0, max=65535, help="Port of MQTT over WebSocket; 0 for none."),
    ] = 0


@dataclass(frozen=True, kw_only=True)
class CheckOptions(Local):
    """Options of `broker check`."""

    broker: Annotated[
        str, typer.Argument(metavar="URL", help="The broker; the one of the controller if left out.")
    ] = ""
    proxy: Annotated[str, typer.Option("--proxy", metavar="URL", help="HTTP proxy on the way to it.")] = ""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help=GROUP, no_args_is_help=True, rich_markup_mode=None)
    add(group, "config", ConfigOptions, config, CONFIG)
    add(group, "check", CheckOptions, check, CHECK)
    app.add_typer(group, name="broker")


def config(session: Session[ConfigOptions]) -> int:
    """Write a broker's files."""
    from archipel_fleet.host import files

    given, screen = session.options, session.screen
    directory = Path(given.out).absolute()
    with refusals(session):
        access = _access(session, opened(session))
    content = _files(given.broker, access, directory)
    try:
        files.make_private(directory)
        for name, text in content.items():
            files.write_private(directory / name, text)
    except OSError as error:
        raise Stop(Exit.FAILED, f"{error.filename}: {error.strerror or error}") from error
    if screen.as_json:
        screen.data({"directory": str(directory), "files": sorted(content)})
        return Exit.OK
    screen.line(f"Written to {directory}: {', '.join(sorted(content))}.")
    for line in _what_next(given.broker, directory):
        screen.line(f"  {line}")
    return Exit.OK


def check(session: Session[CheckOptions]) -> int:
    """Prove a broker."""
    from archipel_contract.link import broker_url
    from archipel_fleet.host.clock import SystemClock
    from archipel_fleet.link.broker_checking import BrokerCheck
    from archipel_fleet.trust import founding

    given, screen = session.options, session.screen
    try:
        url = broker_url.parse(given.broker or _own_broker(session))
    except broker_url.BrokerUrlInvalid as error:
        raise Stop(Exit.USAGE, str(error)) from error
    if not url.is_secure:
        raise Stop(Exit.USAGE, f"{url} has no TLS, so there is nothing to prove")
    with refusals(session):
        keys = opened(session)
        trusted = keys.authorities_file().read_bytes()
    points = []
    look = BrokerCheck(url, keys.authority, founding.dated(SystemClock()), given.proxy, trusted)
    for point in look.points():
        points.append(point)
        if not screen.as_json:
            said = screen.words(f"broker.{point.slug}")
            mark = screen.mark(Mark.GOOD if point.holds else Mark.BAD)
            screen.line(f"{mark} {said}" + ("" if point.holds else f": {point.detail}"))
    if screen.as_json:
        screen.data({"broker": str(url), "points": points})
    return Exit.OK if all(point.holds for point in points) else Exit.NOT_OK


def _own_broker(session: Session[CheckOptions]) -> str:
    settings = settings_of(session.options.data, os.environ)
    return settings.broker or f"mqtts://127.0.0.1:{settings.embedded_port}"


def _access(session: Session[ConfigOptions], keys: "FleetKeys") -> "BrokerAccess":
    import socket

    from archipel_fleet.host.clock import SystemClock
    from archipel_fleet.ports import StoreFailed
    from archipel_fleet.securing import broker_access
    from archipel_fleet.storage import open_store

    given, clock = session.options, SystemClock()
    settings = settings_of(given.data, os.environ)
    names = tuple(dict.fromkeys([*(given.name or [socket.gethostname()]), "localhost", "127.0.0.1"]))
    try:
        store = open_store(settings.database, settings.directory, clock, secrets.token_bytes)
    except StoreFailed as error:
        raise Stop(Exit.FAILED, str(error)) from error
    try:
        access = broker_access(keys, store.devices, clock, "broker-outside", names)
    except StoreFailed as error:
        raise Stop(Exit.FAILED, str(error)) from error
    finally:
        store.close()
    return dataclasses.replace(
        access, host=given.listen, port=given.port, websocket_port=given.websocket_port
    )


def _files(kind: Kind, access: "BrokerAccess", directory: Path) -> dict[str, str]:
    from archipel_fleet.link import broker_mosquitto, broker_nats

    found = {name: content.decode() for name, content in access.files().items()}
    state = Path("/var/lib") / STATE[kind]
    if kind is Kind.MOSQUITTO:
        return {
            **found,
            broker_mosquitto.CONFIGURATION: broker_mosquitto.guarded(access, directory, state),
            broker_mosquitto.RULES: broker_mosquitto.rules(access),
            broker_mosquitto.OPENSSL: broker_mosquitto.openssl(),
            "archipel.conf": broker_mosquitto.unit(directory),
        }
    return {
        **found,
        broker_nats.CONFIGURATION: broker_nats.guarded(access, directory, state),
        broker_nats.USERS: broker_nats.users(access),
        "archipel-broker.service": broker_nats.unit(directory, state),
    }


def _what_next(kind: Kind, directory: Path) -> list[str]:
    where = shlex.quote(str(directory))
    if kind is Kind.MOSQUITTO:
        return [
            f"sudo chown -R mosquitto: {where}",
            f"sudo install -D -m 644 {where}/archipel.conf /etc/systemd/system/mosquitto.service.d/archipel.conf",
            "sudo systemctl daemon-reload && sudo systemctl restart mosquitto",
            "later, after running this again: sudo systemctl reload mosquitto",
            "then: archipel fleet broker check mqtts://NAME:8883",
        ]
    return [
        "sudo useradd --system archipel-broker",
        f"sudo chown -R archipel-broker: {where}",
        f"sudo install -m 644 {where}/archipel-broker.service /etc/systemd/system/",
        "sudo systemctl daemon-reload && sudo systemctl enable --now archipel-broker",
        "later, after running this again: sudo systemctl reload archipel-broker",
        "then: archipel fleet broker check mqtts://NAME:8883",
    ]
