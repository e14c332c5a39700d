"""The configuration of a mosquitto (2.0 and later) that carries a fleet: with certificates (`guarded`) or plain on loopback.

Generated text only; `archipel fleet broker config mosquitto` hands it out. The client id is the name in the certificate, so
nobody can take another's place. Who is revoked stands in a list (CRL) that is read at SIGHUP; past its end mosquitto refuses
everybody.

mosquitto 2.0.11 looks at that list on a WebSocket only after its first SIGHUP (measured). Where there is a WebSocket, rights
are given by name to active devices only, so that a revoked one that comes in there neither says nor hears anything. Of a
certificate's subject it looks at the name alone: which key a device has is none of its business, a list is what it heeds.
"""

from pathlib import Path

from archipel_fleet.link.broker_access import (
    AUTHORITY_FILE,
    CERTIFICATE_FILE,
    KEY_FILE,
    PACKET_LIMIT,
    REVOKED_FILE,
    UNACKNOWLEDGED,
    BrokerAccess,
)

CONFIGURATION = "mosquitto.conf"
RULES = "rules.acl"
OPENSSL = "openssl.cnf"
LOOPBACK = "127.0.0.1"
QUEUED_MESSAGES = 100_000  # what mosquitto keeps for a client that reads slowly, beyond which it drops
QUEUED_BYTES = 64 << 20


def plain(port: int, directory: Path, user: str = "") -> str:
    """Return a mosquitto.conf for everybody on loopback; retained messages lie in `directory`.

    `user` is whom mosquitto becomes when root starts it; empty leaves its default.
    """
    return _written([f"listener {port} {LOOPBACK}", "allow_anonymous true", *_common(directory, user)])


def guarded(access: BrokerAccess, files: Path, directory: Path, user: str = "") -> str:
    """Return a mosquitto.conf for holders of a certificate; what it reads lies in `files`, retained messages in
    `directory`."""
    listeners = [f"listener {access.port} {access.host}", *_tls(access, files)]
    if access.websocket_port:
        listeners += [
            f"listener {access.websocket_port} {access.host}",
            "protocol websockets",
            *_tls(access, files),
        ]
    rights = ["allow_anonymous false", f"acl_file {files / RULES}"]
    return _written([*listeners, *rights, *_common(directory, user)])


def rules(access: BrokerAccess) -> str:
    """Return who may say and hear what (acl_file): devices by a pattern, or by name where there is a WebSocket."""
    lines = []
    for name in access.all_controllers:
        lines += [
            f"user {name}",
            "topic write archipel/1/+/+/down/#",
            "topic read archipel/1/+/+/up/#",
            "topic readwrite archipel/1/controller/#",
        ]
    if not access.websocket_port:
        lines += [
            "pattern write archipel/1/+/%u/up/#",
            "pattern read archipel/1/+/%u/down/#",
            "pattern read archipel/1/controller/presence",
        ]
        return _written(lines)
    for node in access.all_devices:
        lines += [
            f"user {node}",
            f"topic write archipel/1/+/{node}/up/#",
            f"topic read archipel/1/+/{node}/down/#",
            "topic read archipel/1/controller/presence",
        ]
    return _written(lines)


def openssl() -> str:
    """Return an OpenSSL configuration for mosquitto's process (OPENSSL_CONF): no session tickets.

    Nobody resumes a session here, since that would skip the look at a certificate's end; and two tickets are 1.1 KB on each
    connection (measured).
    """
    return (
        "openssl_conf = archipel\n\n[archipel]\nssl_conf = tls\n\n[tls]\nsystem_default = listener\n\n"
        "[listener]\nOptions = -SessionTicket\n"
    )


def unit(directory: Path) -> str:
    """Return a drop-in for Debian's mosquitto.service that has it read our files instead of its own."""
    return (
        "[Service]\n"
        "ExecStart=\n"
        f"ExecStart=/usr/sbin/mosquitto -c {directory / CONFIGURATION}\n"
        f"Environment=OPENSSL_CONF={directory / OPENSSL}\n"
        "LimitNOFILE=65536\n"
    )


def _tls(access: BrokerAccess, files: Path) -> list[str]:
    return [
        f"cafile {files / AUTHORITY_FILE}",
        f"certfile {files / CERTIFICATE_FILE}",
        f"keyfile {files / KEY_FILE}",
        *([f"crlfile {files / REVOKED_FILE}"] if access.revoked is not None else []),
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
    ]


def _common(directory: Path, user: str) -> list[str]:
    """Persistence is for retained messages only: sessions are clean."""
    return [
        f"max_packet_size {PACKET_LIMIT}",
        f"max_inflight_messages {UNACKNOWLEDGED}",
        f"max_queued_messages {QUEUED_MESSAGES}",
        f"max_queued_bytes {QUEUED_BYTES}",
        "set_tcp_nodelay true",
        "persistence true",
        f"persistence_location {directory}/",
        "autosave_interval 60",
        *([f"user {user}"] if user else []),
    ]


def _written(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
