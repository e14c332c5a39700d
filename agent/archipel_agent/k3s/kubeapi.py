"""One kept-alive connection to this site's Kubernetes API, with the agent's own identity once it has one, and its watches.

Before that, and only then, it uses the administrator's certificate that k3s wrote. Nothing here raises for what the
network does: an API that is away is an everyday observation.
"""

import base64
import http.client
import json
import re
import socket
import ssl
import threading
from pathlib import Path
from typing import cast

from archipel_agent.k3s.kubewatch import HttpsWatch, NoWatch
from archipel_agent.ports import Disk, KubeReply, KubeWatch

HOST = "127.0.0.1"
PORT = 6443
TIMEOUT_SECONDS = 10.0
FIELD = re.compile(
    r"^\s*(certificate-authority-data|client-certificate-data|client-key-data):\s*(\S+)\s*$", re.M
)


class NoCredentials(Exception):
    """There is neither an identity of ours nor an administrator's kubeconfig yet."""


class HttpsKubeApi:
    """The Kubernetes API on this machine."""

    def __init__(self, disk: Disk, kubeconfig: Path, identity: Path, scratch: Path) -> None:
        """Read credentials from `identity` or `kubeconfig`; the key is laid in `scratch` only while it is loaded."""
        self._disk = disk
        self._kubeconfig = kubeconfig
        self._identity = identity
        self._scratch = scratch
        self._lock = threading.Lock()
        self._connection: http.client.HTTPSConnection | None = None
        self._bearer = ""
        self._watches: list[HttpsWatch] = []

    def request(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> KubeReply:
        """Send one request; status 0 with the reason as body when nobody answered."""
        with self._lock:
            reply = self._try(method, path, body, content_type)
            if reply.status == 0 and method == "GET":
                reply = self._try(method, path, body, content_type)  # the kept connection may have gone stale
            if reply.status == 401:
                self._close()  # an identity that was removed or replaced is read anew next time
            return reply

    def watch(self, path: str) -> KubeWatch:
        """Watch on a connection of its own; one that cannot be made is a watch that is over."""
        with self._lock:
            try:
                context, bearer = self._credentials()
                plain = _reached()
                made = HttpsWatch(plain, context, f"{HOST}:{PORT}", path, bearer)
            except (OSError, NoCredentials, ValueError):
                return NoWatch()
            self._watches.append(made)
            return made

    def close(self) -> None:
        """Close the connection and all watches."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        for watch in self._watches:
            watch.give_up()  # whoever reads it, maybe this moment in another thread, closes it
        self._watches.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _try(self, method: str, path: str, body: bytes, content_type: str) -> KubeReply:
        try:
            if self._connection is None:
                self._connection = self._connect()
            headers = {"Accept": "application/json"}
            if self._bearer:
                headers["Authorization"] = f"Bearer {self._bearer}"
            if body:
                headers["Content-Type"] = content_type
            self._connection.request(method, path, body or None, headers)
            answer = self._connection.getresponse()
            return KubeReply(status=answer.status, body=answer.read())
        except (OSError, http.client.HTTPException, NoCredentials, ValueError) as error:
            self._close()
            return KubeReply(status=0, body=str(error or type(error).__name__).encode())

    def _connect(self) -> http.client.HTTPSConnection:
        context, self._bearer = self._credentials()
        return _Connection(context)

    def _credentials(self) -> tuple[ssl.SSLContext, str]:
        """Return what the API is known by, and the token to show (empty where a certificate is shown instead)."""
        if self._disk.exists(self._identity):
            own = json.loads(self._disk.read(self._identity))
            return _context(own["ca"]), own["token"]
        if self._disk.exists(self._kubeconfig):
            return self._admin_context(), ""
        raise NoCredentials("k3s has not written its kubeconfig yet")

    def _admin_context(self) -> ssl.SSLContext:
        text = self._disk.read(self._kubeconfig).decode()
        fields = {name: base64.b64decode(value).decode() for name, value in FIELD.findall(text)}
        if len(fields) != 3:
            raise NoCredentials(f"{self._kubeconfig} is not complete yet")
        context = _context(fields["certificate-authority-data"])
        # The ssl module loads a key from a file only.
        self._disk.write(
            self._scratch, (fields["client-certificate-data"] + fields["client-key-data"]).encode(), 0o600
        )
        try:
            context.load_cert_chain(self._scratch)
        finally:
            self._disk.remove(self._scratch)
        return context


def _reached() -> socket.socket:
    """Return a connection that nothing was said on. The address is given as bytes, for with text Python loads IDNA, whose
    tables stay in memory for good.
    """
    # typeshed grants bytes to getaddrinfo, but not to create_connection, which hands them on to it.
    return socket.create_connection(cast("tuple[str, int]", (HOST.encode(), PORT)), TIMEOUT_SECONDS)


class _Connection(http.client.HTTPSConnection):
    """The connection of the standard library, but for how the address is given; see `_reached`."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(HOST, PORT, timeout=TIMEOUT_SECONDS, context=tls)
        self._tls = tls

    def connect(self) -> None:
        """Connect, as the standard library does."""
        self.sock = _reached()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=HOST.encode())


def _context(authority: str) -> ssl.SSLContext:
    """Return a context that trusts this cluster's own authority and nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=authority)
    return context
