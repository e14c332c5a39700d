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
    from archipel_fleet.settings import Settings
    from archipel_fleet.trust.keyring import FleetKeys

GROUP = "A broker of your own between devices and controller."
CONFIG = """\
Write everything a broker needs to carry this fleet: configuration, certificate, CA, who may do what, and a unit for systemd.

The files say which devices there are and which certificates are revoked, and have to be written anew when that changes. On
the controller's machine --systemd adds units that do it every two minutes and have the broker read them. Without them run
it again yourself after devices came or went, when one was revoked, and once a month in any case; then reload the broker.

Examples:

  archipel fleet broker config mosquitto --name broker.example --out /etc/mosquitto/archipel

  archipel fleet broker config nats --name broker.example --websocket-port 443 --out /etc/archipel-broker

  archipel fleet broker config mosquitto --name broker.example --out /etc/mosquitto/archipel --systemd
"""
CHECK = """\
Prove that a broker keeps the rules the fleet relies on: as the controller, as two devices made up for it, and as nobody.

Exit code 0 means that every point holds.

Examples:

  archipel fleet broker check

  archipel fleet broker check mqtts://broker.example:8883
"""
ACCOUNT = {"nats": "archipel-broker", "mosquitto": "mosquitto"}  # who the broker runs as
UNIT = {"nats": "archipel-broker.service", "mosquitto": "mosquitto.service"}
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
    systemd: Annotated[
        bool, typer.Option("--systemd", help="Also units that keep the files up to date, on this machine.")
    ] = False


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
    if given.systemd:
        content |= _units(given, directory)
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
    for line in [
        *_what_next(given.broker, directory),
        *(_what_next_of_units(directory) if given.systemd else ()),
    ]:
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
        url = broker_url.parse(given.broker or _own_broker(settings_of(given.data, os.environ)))
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


def _own_broker(settings: "Settings") -> str:
    """Return the broker of the controller with this data directory: the one it was given, or its own one, whose port its
    files say, however the controller was started. Its certificate holds the address of loopback in any case.
    """
    from archipel_fleet.link.broker import configured_port

    port = configured_port(settings.broker_directory)
    return settings.broker or f"mqtts://127.0.0.1:{port or settings.embedded_port}"


def _access(session: Session[ConfigOptions], keys: "FleetKeys") -> "BrokerAccess":
    from archipel_fleet.host.clock import SystemClock
    from archipel_fleet.ports import StoreFailed
    from archipel_fleet.securing import broker_access
    from archipel_fleet.storage import open_store

    given, clock = session.options, SystemClock()
    settings = settings_of(given.data, os.environ)
    names = tuple(dict.fromkeys([*_names(given), "localhost", "127.0.0.1"]))
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


def _units(given: ConfigOptions, directory: Path) -> dict[str, str]:
    """Return the units that do the same again by themselves, as whoever the controller's data belongs to."""
    import sys

    from archipel_fleet.link import broker_units

    settings = settings_of(given.data, os.environ)
    command = [
        str(Path(sys.argv[0]).absolute() if Path(sys.argv[0]).is_file() else Path(sys.executable).with_name("archipel")),
        *("fleet", "broker", "config", str(given.broker), "--data", str(settings.directory), "--out", str(directory)),
        *("--listen", given.listen, "--port", str(given.port), "--websocket-port", str(given.websocket_port)),
        *(word for name in _names(given) for word in ("--name", name)),
    ]  # fmt: skip
    upkeep = broker_units.Upkeep(
        command=command,
        files=directory,
        data=settings.directory,
        owner=settings.directory.owner(),
        broker=ACCOUNT[given.broker],
        unit=UNIT[given.broker],
        is_local=not settings.database,
    )
    return {broker_units.SERVICE: broker_units.service(upkeep), broker_units.TIMER: broker_units.timer()}


def _what_next_of_units(directory: Path) -> list[str]:
    where = shlex.quote(str(directory))
    return [
        f"to keep the files up to date: sudo install -m 644 {where}/archipel-broker-list.* /etc/systemd/system/",
        "sudo systemctl daemon-reload && sudo systemctl enable --now archipel-broker-list.timer",
    ]


def _names(given: ConfigOptions) -> list[str]:
    import socket

    return given.name or [socket.gethostname()]


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
