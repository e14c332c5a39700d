"""The configuration of a nats-server that carries a fleet: with certificates (`guarded`), or plain on loopback.

Generated text only; `broker` writes and starts it, `archipel fleet broker config nats` hands it out. Its own listener cannot
be turned off: it gets a free port of loopback, and no user may come in there.

nats-server knows no list of revoked certificates. Users are named by the subject of their certificate, one for each key of
an active device, and are taken away by reloading the file they stand in: whom it no longer names is cut off at once. A
subject is compared attribute by attribute, with all of them (`verify_and_map`), and written as RFC 4514 has it.
"""

import json
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from archipel_fleet.link.broker_access import (
    AUTHORITY_FILE,
    CERTIFICATE_FILE,
    CHECK_NODES,
    HANDSHAKE_SECONDS,
    KEY_FILE,
    PACKET_LIMIT,
    UNACKNOWLEDGED,
    BrokerAccess,
)

LOG = "nats-server.log"
CONFIGURATION = "nats-server.conf"
USERS = "users.conf"
LOOPBACK = "127.0.0.1"
PORT_OF_MQTT = re.compile(
    r'^mqtt: \{ host: "[^"]*", port: ([0-9]{1,5}),', re.MULTILINE
)  # in what is written below


def plain(port: int, directory: Path) -> str:
    """Return a configuration with MQTT for everybody on loopback, and nothing for anybody over NATS' own protocol.

    The only user is bound to MQTT, and nobody is told its password. JetStream, where NATS keeps MQTT sessions and retained
    messages, lies in `directory`.
    """
    return _written(
        {
            **_common(directory),
            "mqtt": f'{{ host: "{LOOPBACK}", port: {port}, no_auth_user: "link", max_ack_pending: {UNACKNOWLEDGED} }}',
            "authorization": f'{{ users: [ {{ user: "link", password: "{secrets.token_hex(24)}", '
            f'allowed_connection_types: ["MQTT"] }} ] }}',
        }
    )


def guarded(access: BrokerAccess, directory: Path, state: Path | None = None) -> str:
    """Return a configuration with MQTT for holders of a certificate; files and users lie in `directory`, what it keeps and
    its log in `state`, if that is another."""
    tls = (
        f"{{ cert_file: {_quoted(directory / CERTIFICATE_FILE)}, key_file: {_quoted(directory / KEY_FILE)}, "
        f"ca_file: {_quoted(directory / AUTHORITY_FILE)}, verify_and_map: true, timeout: {HANDSHAKE_SECONDS} }}"
    )
    host = json.dumps(access.host)
    lines = {
        **_common(state or directory),
        "mqtt": f"{{ host: {host}, port: {access.port}, max_ack_pending: {UNACKNOWLEDGED}, tls: {tls} }}",
    }
    if access.websocket_port:
        lines["websocket"] = (
            f'{{ host: {host}, port: {access.websocket_port}, handshake_timeout: "{HANDSHAKE_SECONDS}s", tls: {tls} }}'
        )
    return _written(lines) + f'include "{USERS}"\n'


def users(access: BrokerAccess) -> str:
    """Return the users: whose certificate names them, and what each may say and hear.

    Nothing below `$MQTT`, where nats-server keeps messages of QoS 1 on their way: who may publish there could put words into
    anybody's mouth (measured), and its own machinery needs no such right.
    """
    lines = [f"authorization: {{ timeout: {HANDSHAKE_SECONDS}, users: ["]
    for name in access.all_controllers:
        up = ("archipel.1.*.*.up", "archipel.1.*.*.up.>", "archipel.1.controller.>")
        lines.append(_user(f"CN={name}", ("archipel.1.*.*.down.>", "archipel.1.controller.>"), up))
    for node in access.all_devices:
        own = f"archipel.1.*.{node}"
        down = (f"{own}.down", f"{own}.down.>", "archipel.1.controller.presence")
        lines += [_user(subject, (f"{own}.up.>",), down) for subject in _subjects(access, node)]
    return "\n".join([*lines, "] }", ""])


def unit(directory: Path, state: Path) -> str:
    """Return a systemd unit for a nats-server whose files lie in `directory`."""
    return _UNIT.format(configuration=directory / CONFIGURATION, state=state.name)


_UNIT = """\
[Unit]
Description=Broker of an Archipel fleet (nats-server)
After=network-online.target
Wants=network-online.target

[Service]
User=archipel-broker
StateDirectory={state}
StateDirectoryMode=0700
ExecStart=/usr/bin/env nats-server -c {configuration}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
LimitNOFILE=65536
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
"""


def _subjects(access: BrokerAccess, node: str) -> list[str]:
    """Return the subjects of the certificates with which a device comes in; see certificates.Authority."""
    of_a_check = [f"CN={node}"] if node in CHECK_NODES else []
    return of_a_check + [f"CN={node},OU={key}" for key in access.devices.get(node, ())]


def _user(subject: str, says: Iterable[str], hears: Iterable[str]) -> str:
    return (
        f'  {{ user: "{subject}", allowed_connection_types: ["MQTT", "MQTT_WS"], permissions: {{ '
        f"publish: {{ allow: {json.dumps(list(says))} }}, subscribe: {{ allow: {json.dumps(list(hears))} }} }} }}"
    )


def _common(directory: Path) -> dict[str, str]:
    return {
        "server_name": '"archipel"',
        "host": f'"{LOOPBACK}"',
        "port": "-1",
        "max_payload": str(PACKET_LIMIT),
        "logfile": _quoted(directory / LOG),
        "logfile_size_limit": str(4 << 20),
        "logfile_max_num": "2",
        "jetstream": f"{{ store_dir: {_quoted(directory / 'store')}, max_memory_store: {64 << 20}, "
        f"max_file_store: {1 << 30} }}",
    }


def _written(lines: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\n" for name, value in lines.items())


def _quoted(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)
