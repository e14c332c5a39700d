"""TLS as every connection of ours uses it: version 1.2 or later, the fleet's own CAs and no others, certificates on both
sides.

The one place that makes contexts for clients. A context is made anew for each connection, so that renewed files take effect.
"""

import ssl
from collections.abc import Iterable
from pathlib import Path

NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL (X509_VERIFY_PARAM_set_flags(3))

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"  # of TLS 1.2, for our P-256 certificates
)
PADDING = 0x10  # SSL_OP_TLSEXT_PADDING of OpenSSL (SSL_CTX_set_options(3))


class TlsUnusable(Exception):
    """Certificate, key or CA cannot be used for TLS; the message says which and why."""


def client_context(
    authorities: Iterable[str], certificate: Path | None, key: Path | None, *, check_time: bool
) -> ssl.SSLContext:
    """Return a context for a client; raise TlsUnusable.

    `authorities` are PEM. With `check_time` False (a clock that is not sure) chain and names are verified, dates are not.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(CIPHERS)
    # Nothing is resumed (see docs/decisions), so no ticket is asked for; and OpenSSL would fill a greeting of some 260
    # bytes up to 512, for the sake of servers that are long gone. Each connection of a metered link pays for both.
    made.options = (made.options | ssl.OP_NO_TICKET) & ~PADDING
    if not check_time:
        made.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
    try:
        made.load_verify_locations(cadata="\n".join(authorities))
    except ssl.SSLError as error:
        raise TlsUnusable(f"the fleet's CA cannot be used: {error.reason or error}") from error
    if certificate is not None:
        try:
            made.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise TlsUnusable(f"{certificate}: {getattr(error, 'reason', None) or error}") from error
    return made
