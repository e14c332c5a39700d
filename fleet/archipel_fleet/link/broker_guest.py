"""A short-lived guest at a broker: a name with a certificate that the fleet's CA made for the moment; and `cut`, by one.

`broker_checking` and whoever revokes a device ask for one. Its key lives in memory alone.
"""

import ssl
from datetime import datetime

from archipel_contract.link import secure
from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import CarrierFailed
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.trust.certificates import Authority
from archipel_contract.trust.keys import new_device_key, to_pem
from archipel_fleet.host.files import unnamed

GUEST_DAYS = 1  # the shortest a certificate of ours lasts
CUT_SECONDS = 10.0
NOT_LET_IN = ("link-broker-refused", "link-tls-refused")  # then its connection ended when its rights did


def context(authority: Authority, name: str, now: datetime, trusted: bytes | None = None) -> ssl.SSLContext:
    """Return a context for a client of that name; it believes brokers of `trusted` (PEM), else of `authority`."""
    key = new_device_key()
    made = authority.client(name, key.public_key(), now, GUEST_DAYS)
    with unnamed(made.pem) as certificate, unnamed(to_pem(key)) as secret:
        return secure.client_context(
            [(trusted or authority.pem).decode()], certificate, secret, check_time=True
        )


def anonymous(trusted: bytes) -> ssl.SSLContext:
    """Return a context for somebody without a certificate, who takes any name a broker of that CA (PEM) shows."""
    made = secure.client_context([trusted.decode()], None, None, check_time=False)
    made.check_hostname = False  # it may have a name by which nobody finds it from here
    return made


def cut(url: BrokerUrl, authority: Authority, node_id: str, now: datetime) -> None:
    """End the open connection of a device that was revoked, by taking its place for a moment; raise CarrierFailed.

    For brokers that bind the client id to the certificate and only refuse new connections of a revoked one (mosquitto, once
    its list was read again). A broker that does not let the name in any more has cut it already.
    """
    carrier = MqttCarrier(url, node_id, tls=lambda: context(authority, node_id, now))
    try:
        carrier.open(timeout=CUT_SECONDS)
    except CarrierFailed as failed:
        if failed.code not in NOT_LET_IN:
            raise
    else:
        carrier.close()
