"""A fleet's data directory with many devices in its registry, and the identity of each: key and certificate.

Used by `fleet_ground` before the controller starts. What becomes of a request is up to the fleet's own enrolment; only HTTPS
is left out, which the figure `enrolment` has. It makes no connection.
"""

import secrets
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from archipel_contract.trust import certificates
from archipel_contract.trust.enrolment import EnrolmentState, Request
from archipel_contract.trust.keys import SoftwareSigner, new_device_key, to_pem
from archipel_fleet.enrolment.caring import Care, NewToken
from archipel_fleet.enrolment.service import Enrolment
from archipel_fleet.host import logs
from archipel_fleet.host.clock import SystemClock
from archipel_fleet.link.broker_access import BrokerAccess
from archipel_fleet.records import Account, AccountRole
from archipel_fleet.securing import broker_access
from archipel_fleet.storage import open_store
from archipel_fleet.trust.keyring import DIRECTORY, FleetKeys

HOST = "127.0.0.1"
ANNA = Account(name="anna", role=AccountRole.ADMIN)


@dataclass(frozen=True, slots=True)
class Device:
    """One device: its certificate with the key behind it as TLS reads them, and what it signs with."""

    name: str
    file: Path
    signer: SoftwareSigner


@dataclass(frozen=True, slots=True)
class Registered:
    """The devices of a fleet, and who may come in at a broker of its own."""

    devices: tuple[Device, ...]
    authorities: tuple[str, ...]
    access: BrokerAccess
    keys: FleetKeys


def register(data: Path, files: Path, names: Iterable[str], broker_port: int) -> Registered:
    """Make keys and registry of a controller in `data`, enrol a device of each name by one token; raise RuntimeError."""
    clock, names = SystemClock(), tuple(names)
    logs.configure("WARNING", sys.stderr)  # not a line for each certificate
    data.mkdir(mode=0o700)
    files.mkdir(mode=0o700)
    keys = FleetKeys.first(data / DIRECTORY, "Benchmark", clock, secrets.token_bytes)
    store = open_store("", data, clock, secrets.token_bytes)
    try:
        made = Care(store.devices, keys, clock, secrets.token_bytes).new_token(
            ANNA, NewToken(uses=len(names))
        )[1]
        token = made.token.text if made.token else ""
        enrolment = Enrolment(store.devices, keys, clock)
        devices = tuple(_enrolled(enrolment, token, files, name) for name in names)
        access = broker_access(keys, store.devices, clock, "broker-outside", [HOST])
        return Registered(
            devices, keys.trust.document.authorities, replace(access, host=HOST, port=broker_port), keys
        )
    finally:
        store.close()


def _enrolled(enrolment: Enrolment, token: str, files: Path, name: str) -> Device:
    key = new_device_key()
    answer = enrolment.enrol(Request(csr=certificates.request(key).decode(), node_id=name, token=token), HOST)
    if answer.state is not EnrolmentState.ISSUED:
        raise RuntimeError(f"{name} does not get a certificate: {answer.code} {answer.text}")
    file = files / f"{name}.pem"
    file.write_bytes(answer.certificate.encode() + to_pem(key))
    return Device(name, file, SoftwareSigner(key))
