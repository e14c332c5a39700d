"""What went wrong in TLS, as a code of the catalogue and one plain sentence. Pure.

The alerts are those of RFC 8446, 6.2, under the names OpenSSL gives them; the numbers of a failed verification those of
X509_STORE_CTX_get_error(3). With TLS 1.3 a client has finished before the broker judges its certificate: a broker's refusal
comes with the first read.
"""

import ssl

REFUSED = "link-tls-refused"
WRONG_BROKER = "link-tls-wrong-broker"
WRONG_TIME = "link-tls-time"
NO_TLS = "link-broker-wrong"
AWAY = "link-broker-away"

_TIMES = {9: "is not valid yet", 10: "has ended"}
_NAMES = (62, 64)  # host name, address
# What a broker's alert says of our certificate; the word OpenSSL has for it, and ours.
_VERDICTS = {
    "CERTIFICATE_REVOKED": "it is revoked",
    "CERTIFICATE_EXPIRED": "it has ended by the broker's clock, or the broker's list of revoked ones has",
    "CERTIFICATE_REQUIRED": "it asks for one and got none",
    "UNKNOWN_CA": "it knows no CA that issued it",
    "CERTIFICATE_UNKNOWN": "it cannot verify it",
    "UNSUPPORTED_CERTIFICATE": "it takes no certificate of this kind",
    "BAD_CERTIFICATE": "it cannot use it, or it is not valid yet by the broker's clock",
    "ACCESS_DENIED": "it knows it and denies access",
    "DECRYPT_ERROR": "the key does not belong to it",
}


def in_handshake(error: ssl.SSLError, host: str) -> tuple[str, str]:
    """Return code and sentence for a handshake with `host` that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _unverified(error, host)
    if isinstance(error, ssl.SSLEOFError):
        return AWAY, "it hung up in the middle of the TLS handshake"
    return _said(error, NO_TLS, "no TLS that we understand is spoken there")


def after_handshake(error: ssl.SSLError) -> tuple[str, str]:
    """Return code and sentence for a connection that broke after its handshake."""
    return _said(error, AWAY, "the TLS connection broke")


def _unverified(error: ssl.SSLCertVerificationError, host: str) -> tuple[str, str]:
    number = error.verify_code
    if number in _TIMES:
        return WRONG_TIME, f"the broker's certificate {_TIMES[number]} by the clock of this machine"
    if number in _NAMES:
        return WRONG_BROKER, f"the certificate shown there is not for the name {host}"
    return WRONG_BROKER, f"the certificate shown there is not of this fleet's CA ({error.verify_message})"


def _said(error: ssl.SSLError, code: str, otherwise: str) -> tuple[str, str]:
    reason = error.reason or ""
    if "ALERT" in reason:
        for word, verdict in _VERDICTS.items():
            if reason.endswith(word):
                return REFUSED, f"the broker refuses this device's certificate: {verdict}"
        return NO_TLS, f"the broker ended TLS: {_plain(reason.partition('ALERT_')[2] or reason)}"
    return code, f"{otherwise} ({_plain(reason or str(error))})"


def _plain(reason: str) -> str:
    return reason.replace("_", " ").lower()[:120]
