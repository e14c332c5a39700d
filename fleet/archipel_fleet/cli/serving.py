"""`archipel fleet serve`, `backup`, `restore` and `broker-config`: the controller itself, on its own machine."""

from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from archipel_contract.exits import Exit
from archipel_fleet.cli.command import Local, Session, add
from archipel_fleet.settings import Settings

SERVE = """\
Run the controller: web pages, API, and the intake of what the sites report, until Ctrl-C.

Without options it keeps everything in its data directory, makes the fleet's keys, and starts a broker of its own that takes
only devices of this fleet. The first start shows the password of the account admin, once. Devices of other machines come in
once --names says by which names they find this one. Pages and API stay on this machine.

Examples:

  archipel fleet serve

  archipel fleet serve --names fleet.example,192.0.2.7

  archipel fleet serve --broker mqtts://broker.example --database postgresql://127.0.0.1/archipel
"""
BROKER_CONFIG = """\
Print the configuration of a broker that serves a fleet, for those who run their own.

Examples:

  archipel fleet broker-config mosquitto | sudo tee /etc/mosquitto/conf.d/archipel.conf
"""


class Broker(StrEnum):
    """A broker there is a configuration for."""

    MOSQUITTO = "mosquitto"


@dataclass(frozen=True, kw_only=True)
class ServeOptions(Local):
    """Options of `serve`; each is a setting of the same name."""

    listen: Annotated[
        str | None, typer.Option("--listen", metavar="ADDRESS:PORT", help="Where pages and API answer.")
    ] = None
    names: Annotated[
        str | None,
        typer.Option("--names", metavar="LIST", help="Host names and addresses by which devices find us."),
    ] = None
    enrol_listen: Annotated[
        str | None,
        typer.Option("--enrol-listen", metavar="ADDRESS:PORT", help="Where devices get their certificates."),
    ] = None
    security: Annotated[
        str | None,
        typer.Option("--security", metavar="KIND", help="tls, or loopback: no keys, this machine only."),
    ] = None
    device_brokers: Annotated[
        str | None,
        typer.Option("--device-brokers", metavar="LIST", help="Brokers devices are told, if not ours."),
    ] = None
    websocket_port: Annotated[
        int | None,
        typer.Option("--websocket-port", metavar="PORT", help="Port of the embedded broker for WebSocket."),
    ] = None
    broker: Annotated[
        str | None,
        typer.Option("--broker", metavar="URL", help="A broker of yours instead of the embedded one."),
    ] = None
    broker_port: Annotated[
        int | None, typer.Option("--broker-port", metavar="PORT", help="Port of the embedded broker.")
    ] = None
    database: Annotated[
        str | None, typer.Option("--database", metavar="URL", help="PostgreSQL instead of SQLite.")
    ] = None
    shards: Annotated[
        str | None,
        typer.Option("--shards", metavar="LIST", help="Which shards of the fleet to take in, such as 0-31."),
    ] = None
    log_level: Annotated[
        str | None, typer.Option("--log-level", metavar="LEVEL", help="How much to log.")
    ] = None
    ready_file: Annotated[
        str | None,
        typer.Option("--ready-file", metavar="FILE", help="Write the pages' address here when ready."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class BrokerConfigOptions(Local):
    """Options of `broker-config`."""

    broker: Annotated[Broker, typer.Argument(help="Which broker.")]
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where it listens, on loopback.")] = (
        1883
    )
    directory: Annotated[
        str, typer.Option("--directory", metavar="DIRECTORY", help="Where it keeps retained messages.")
    ] = "/var/lib/mosquitto"


def register(app: typer.Typer) -> None:
    """Add `serve`."""
    add(app, "serve", ServeOptions, serve, SERVE)


def register_care(app: typer.Typer) -> None:
    """Add the commands that look after a controller."""
    add(app, "broker-config", BrokerConfigOptions, broker_config, BROKER_CONFIG)


def serve(session: Session[ServeOptions]) -> int:
    """Run the controller."""
    given = session.options
    flags = {
        field.name: getattr(given, field.name, None) for field in fields(Settings) if field.name != "language"
    }
    flags["language"] = given.lang
    from archipel_fleet import serve as controller

    return controller.start(flags)


def broker_config(session: Session[BrokerConfigOptions]) -> int:
    """Print a broker's configuration."""
    from archipel_fleet.link import broker_mosquitto

    given = session.options
    text = broker_mosquitto.plain(given.port, Path(given.directory))
    if session.screen.as_json:
        session.screen.data({"configuration": text})
    else:
        session.screen.out.write(text)
    return Exit.OK
