"""How long a hundred devices take to enrol with one token, from their keys to their certificates, approved by rule."""

import asyncio
import http.client
import json
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from archipel_contract.link.secure import client_context
from archipel_contract.trust import certificates
from archipel_contract.trust.enrolment import ENROL, TRUST, Answer, EnrolmentState, Request
from archipel_contract.trust.keys import new_device_key
from archipel_contract.wire import from_json, to_json
from archipel_fleet.enrolment.caring import Care, NewToken
from archipel_fleet.enrolment.listener import enrolment_server, server_context
from archipel_fleet.enrolment.service import Enrolment
from archipel_fleet.host.clock import SystemClock
from archipel_fleet.host.server import HttpServer, listening_socket
from archipel_fleet.records import Account, AccountRole
from archipel_fleet.storage import open_store
from archipel_fleet.trust.keyring import FleetKeys
from benchmarks.figure import Figure
from benchmarks.ground import Ground, tell

DEVICES = 100
AT_ONCE = 8
HOST = "127.0.0.1"
LONGEST = 60.0  # seconds
ANNA = Account(name="anna", role=AccountRole.ADMIN)


def measure(ground: Ground) -> Figure:
    """Enrol DEVICES devices."""
    values = []
    for run in range(1 if ground.quick else 3):
        tell(f"enrolment, run {run + 1}")
        with fleet() as one:
            values.append(enrol(one, DEVICES))
    return Figure(
        name="enrolment",
        title=f"Enrolment of {DEVICES} devices with approval by rule",
        unit="s",
        values=tuple(values),
        bound=LONGEST,
        method=(
            f"listener, registry on SQLite and CA in this process, {AT_ONCE} devices at a time in it too: each makes its "
            "key, learns the CA, and asks with the token, over TLS connections of its own, until the last has a certificate."
        ),
    )


@dataclass(frozen=True)
class Fleet:
    """A fleet that enrols."""

    port: int
    token: str
    authorities: tuple[str, ...]


@contextmanager
def fleet(devices: int = DEVICES) -> Iterator[Fleet]:
    """A fleet with a token for so many devices, and its listener on loopback, until the end of the block."""
    with tempfile.TemporaryDirectory() as name:
        directory, clock = Path(name), SystemClock()
        keys = FleetKeys.first(directory / "keys", "Benchmark", clock, secrets.token_bytes)
        files = keys.server_files("enrolment", [HOST])
        store = open_store("", directory, clock, secrets.token_bytes)
        made = Care(store.devices, keys, clock, secrets.token_bytes).new_token(ANNA, NewToken(uses=devices))[
            1
        ]
        context = server_context(files.certificate, files.key, keys.trust.document.authorities)
        bound, ready = listening_socket(HOST, 0), threading.Event()
        server = enrolment_server(Enrolment(store.devices, keys, clock), context, ready.set)
        thread = threading.Thread(target=_run, args=(server, bound), name="enrolment")
        thread.start()
        try:
            ready.wait(10)
            text = made.token.text if made.token else ""
            yield Fleet(bound.getsockname()[1], text, keys.trust.document.authorities)
        finally:
            server.should_exit = True
            thread.join(10)
            bound.close()
            store.close()


def _run(server: HttpServer, bound: socket.socket) -> None:
    asyncio.run(server.serve(sockets=[bound]))


def enrol(one: Fleet, devices: int) -> float:
    """Enrol so many devices; return the seconds it took until the last had its certificate."""
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda number: _device(one, number), range(devices)))
    took = time.monotonic() - began
    names = {certificates.read(answer.certificate.encode()).name for answer in answers}
    if len(names) != devices or {answer.state for answer in answers} != {EnrolmentState.ISSUED}:
        raise RuntimeError(f"only {len(names)} of {devices} devices have a certificate of their own")
    return took


def _device(one: Fleet, number: int) -> Answer:
    known = _ask(one, TRUST, b"")
    if known.authorities != one.authorities:
        raise RuntimeError("the listener is another fleet's")
    request = Request(
        csr=certificates.request(new_device_key()).decode(),
        node_id=f"n-{number:016d}",
        token=one.token,
        hostname="raspberrypi",
    )
    return _ask(one, ENROL, to_json(request))


def _ask(one: Fleet, path: str, body: bytes) -> Answer:
    context = client_context(one.authorities, None, None, check_time=True)
    connection = http.client.HTTPSConnection(HOST, one.port, context=context, timeout=60)
    try:
        connection.request("POST" if body else "GET", path, body=body or None)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {json.dumps(said.decode())}")
        return from_json(Answer, said)
    finally:
        connection.close()
