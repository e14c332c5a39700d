"""A fleet that enrols and renews, in memory: a CA, a trust document, tokens, and what people decide; asked over the
Enroller port or over real TLS.
"""

import base64
import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from archipel_agent.ports import EnrolFailed, Secured
from archipel_contract.link.envelope import Envelope, framed, signed
from archipel_contract.trust import certificates
from archipel_contract.trust.certificates import Authority, Certificate
from archipel_contract.trust.enrolment import (
    ENROL,
    RENEW,
    TRUST,
    Answer,
    EnrolmentState,
    Renewal,
    Request,
)
from archipel_contract.trust.keys import SoftwareSigner, new_device_key, new_fleet_key, to_pem
from archipel_contract.trust.token import Token, new_token
from archipel_contract.trust_document import Delegation, KeyRole, TrustDocument
from archipel_contract.wire import from_json, to_data, to_json

NODE = "n-7k2m9qxf04hvd1et"
FLEET_ID = "f-7k2m9qxf04hvd1et"
MADE = datetime(2026, 11, 1, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    """A moment as messages carry it."""
    return int(moment.timestamp() * 1000)


class FleetKeys:
    """Keys of a fleet, made once for many tests."""

    def __init__(self) -> None:
        self.root = SoftwareSigner(new_fleet_key())
        self.controller = SoftwareSigner(new_fleet_key())
        self.authority = Authority.new(new_device_key(), "Fleet CA", MADE)
        self.server_key = new_device_key()

    @property
    def pin(self) -> str:
        """The pin of the CA."""
        return certificates.pin(self.authority.pem)

    def trust(self, version: int = 1, name: str = "Plants of the north") -> bytes:
        """The frame of a trust document."""
        controller = Delegation(
            public=str(self.controller.public), name="controller", role=KeyRole.CONTROLLER, may=("talk",)
        )
        document = TrustDocument(
            fleet_id=FLEET_ID,
            version=version,
            roots=(str(self.root.public),),
            threshold=1,
            keys=(controller,),
            authorities=(self.authority.pem.decode(),),
            name=name,
        )
        envelope = Envelope(type="trust", at=milliseconds(MADE), body=to_data(document))
        return framed(signed(envelope, (self.root,)))


@dataclass(slots=True)
class Asked:
    """One question that came."""

    path: str
    body: bytes
    secured: Secured | None


@dataclass(slots=True)
class FakeFleet:
    """Answers like a fleet's enrolment. What a test may change stands in the fields."""

    keys: FleetKeys
    now: datetime = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
    days: int = 365
    tokens: dict[str, Token] = field(default_factory=dict)
    has_many_uses: bool = False  # each of them
    approves: bool = True  # a person; claim codes wait until it is so
    refuses: str = ""  # a code with which everything is refused
    claim: str = ""  # what it shows a person
    version: int = 1  # of the trust document
    issues_for: str = ""  # another name than the one that asked
    issues_key: Any = None  # another key than the one it was asked for
    brokers: tuple[str, ...] = ("mqtts://fleet.example:8883",)
    issued: list[Certificate] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)  # node id -> key id
    requests: list[Request] = field(default_factory=list)

    def token(self) -> Token:
        """A new token for one device."""
        made = new_token(
            lambda count: bytes(range(len(self.tokens), len(self.tokens) + count)), self.keys.pin
        )
        self.tokens[made.text] = made
        return made

    def answer(self, path: str, body: bytes, peer: str = "") -> Answer:
        """What it says; `peer` is the node id of the client's certificate."""
        if path == TRUST:
            return self._said(EnrolmentState.UNKNOWN)
        if self.refuses:
            return self._refused(self.refuses)
        if path == RENEW:
            if not peer:
                return self._refused("renew-unknown")
            return self._issued(from_json(Renewal, body).csr, peer)
        assert path == ENROL, path
        return self._enrol(from_json(Request, body))

    def _enrol(self, request: Request) -> Answer:
        self.requests.append(request)
        public, _ = certificates.requested_key(request.csr.encode())
        if self.known.get(request.node_id) == public.key_id:  # its answer was lost
            return self._issued(request.csr, request.node_id)
        if request.token and request.token not in self.tokens:
            return self._refused("enrol-token-used")
        if request.node_id in self.known:
            return self._refused("enrol-node-known")
        if not self.approves:
            return self._said(EnrolmentState.PENDING, claim=self.claim, retry_seconds=10)
        self.known[request.node_id] = public.key_id
        if not self.has_many_uses:
            self.tokens.pop(request.token, None)
        return self._issued(request.csr, request.node_id)

    def _issued(self, csr: str, node_id: str) -> Answer:
        _, key = certificates.requested_key(csr.encode())
        name, public = self.issues_for or node_id, self.issues_key or key
        made = self.keys.authority.device(name, public, self.now, self.days)
        self.issued.append(made)
        return self._said(EnrolmentState.ISSUED, certificate=made.pem.decode())

    def _refused(self, code: str) -> Answer:
        return self._said(EnrolmentState.REFUSED, code=code, text=f"refused: {code}")

    def _said(self, state: EnrolmentState, **more: Any) -> Answer:
        return Answer(
            state=state,
            at=milliseconds(self.now),
            authorities=(self.keys.authority.pem.decode(),),
            trust=base64.b64encode(self.keys.trust(self.version)).decode(),
            brokers=self.brokers,
            display_name="Edge 7",
            fleet_name="Plants of the north",
            **more,
        )


class FakeEnroller:
    """Implements the Enroller port over a FakeFleet without any network."""

    def __init__(self, fleet: FakeFleet) -> None:
        self.fleet = fleet
        self.asked: list[Asked] = []
        self.away = ""  # why nobody answers
        self.intercepted = False  # who answers a verified connection is somebody else
        self.forger: FleetKeys | None = None  # whose CA is shown instead of the fleet's
        self.peer = NODE

    def ask(self, address: str, path: str, body: bytes, secured: Secured | None) -> bytes:
        """See ports.Enroller."""
        self.asked.append(Asked(path, body, secured))
        if self.away:
            raise EnrolFailed(f"{address}: {self.away}")
        if secured is not None:
            if self.intercepted:
                raise EnrolFailed(f"{address}: self-signed certificate", is_untrusted=True)
            assert self.fleet.keys.authority.pem.decode().strip() in {
                one.strip() for one in secured.authorities
            }, "asked somebody else's CA"
        answer = self.fleet.answer(path, body, self.peer if secured and secured.certificate else "")
        if self.forger is not None:
            raw = json.loads(to_json(answer))
            raw["authorities"] = [self.forger.authority.pem.decode()]
            return json.dumps(raw).encode()
        return to_json(answer)


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: "_Server"

    def do_GET(self) -> None:
        """A question without a body."""
        self._reply(b"")

    def do_POST(self) -> None:
        """A question with one."""
        self._reply(self.rfile.read(int(self.headers["Content-Length"])))

    def _reply(self, body: bytes) -> None:
        shown = self.connection.getpeercert(binary_form=True)
        peer = certificates.read_der(shown).name if shown else ""
        said = to_json(self.server.fleet.answer(self.path, body, peer))
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are quiet."""


class _Server(HTTPServer):
    """A client that hangs up in the handshake is no error of the test."""

    def __init__(self, fleet: FakeFleet, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fleet, self._context = fleet, context

    def get_request(self) -> tuple[Any, Any]:
        """Accept, and shake hands."""
        connected, peer = self.socket.accept()
        try:
            return self._context.wrap_socket(connected, server_side=True), peer
        except OSError:
            connected.close()
            raise


@contextlib.contextmanager
def serving_tls(
    fleet: FakeFleet,
    directory: Path,
    keys: FleetKeys | None = None,
    names: tuple[str, ...] = ("127.0.0.1", "localhost"),
) -> Iterator[str]:
    """Serve `fleet` over real HTTPS on 127.0.0.1 with a certificate of its CA (or of `keys`); gives the address."""
    signs = keys or fleet.keys
    certificate = signs.authority.server(names, signs.server_key.public_key(), fleet.now)
    (directory / "server.pem").write_bytes(certificate.pem + to_pem(signs.server_key))
    (directory / "ca.pem").write_bytes(fleet.keys.authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem")
    context.load_verify_locations(directory / "ca.pem")
    context.verify_mode = ssl.CERT_OPTIONAL

    server = _Server(fleet, context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="enrolment")
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
