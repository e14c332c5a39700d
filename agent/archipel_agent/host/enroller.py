"""Asks the fleet's enrolment over HTTPS with the standard library: one question, one bounded answer, one sentence when it
fails. Loaded only where a device enrols or renews.
"""

import http.client
import ssl
from base64 import b64encode
from urllib.parse import unquote, urlsplit

from archipel_agent.ports import EnrolFailed, Secured
from archipel_contract.link.secure import TlsUnusable, client_context
from archipel_contract.trust.enrolment import ANSWER_LIMIT

DATES = (
    9,
    10,
)  # X509_V_ERR_CERT_NOT_YET_VALID and _HAS_EXPIRED: the right fleet, but its certificate or a clock is off
PROXY_PORT = 8080  # as of the proxy in front of brokers
TIMEOUT_SECONDS = 30.0  # for connecting, and between two pieces of an answer


class HttpsEnroller:
    """Implements the Enroller port."""

    def __init__(self, proxy: str = "", timeout: float = TIMEOUT_SECONDS) -> None:
        """`proxy` is `http://[user:password@]host:port` of a proxy that passes TLS on (CONNECT); empty: none."""
        self._proxy = urlsplit(proxy)
        self._timeout = timeout

    def ask(self, address: str, path: str, body: bytes, secured: Secured | None) -> bytes:
        """See ports.Enroller."""
        connection = self._connection(address, _anybody() if secured is None else _verified(secured))
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            connection.request("POST" if body else "GET", path, body or None, headers)
            answer = connection.getresponse()
            said = answer.read(ANSWER_LIMIT + 1)
        except ssl.SSLCertVerificationError as error:
            is_untrusted = error.verify_code not in DATES
            raise EnrolFailed(f"{address}: {error.verify_message}", is_untrusted) from error
        except (OSError, http.client.HTTPException) as error:
            raise EnrolFailed(f"{address}: {_reason(error)}") from error
        finally:
            connection.close()
        if len(said) > ANSWER_LIMIT:
            raise EnrolFailed(f"{address}: the answer is larger than {ANSWER_LIMIT} bytes")
        if answer.status != http.client.OK:
            raise EnrolFailed(f"{address}: it answers {answer.status} {answer.reason}")
        if not said.lstrip().startswith(b"{"):
            raise EnrolFailed(
                f"{address}: what answers is no enrolment of a fleet ({answer.status} {answer.reason})"
            )
        return said

    def _connection(self, address: str, context: ssl.SSLContext) -> http.client.HTTPSConnection:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or http.client.HTTPS_PORT
        if not self._proxy.hostname:
            return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)
        made = http.client.HTTPSConnection(
            self._proxy.hostname,
            self._proxy.port or PROXY_PORT,
            timeout=self._timeout,
            context=context,
        )
        headers = {}
        if self._proxy.username:
            given = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
            headers["Proxy-Authorization"] = f"Basic {b64encode(given.encode()).decode()}"
        made.set_tunnel(host, port, headers)
        return made


def _verified(secured: Secured) -> ssl.SSLContext:
    try:
        return client_context(
            secured.authorities, secured.certificate, secured.key, check_time=secured.check_time
        )
    except TlsUnusable as error:
        raise EnrolFailed(str(error)) from error


def _anybody() -> ssl.SSLContext:
    """Return a context that takes whoever answers: to learn which CA a fleet has, which is then compared with a pin."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
