"""One node of a site vouches for another: so that a person approves a site once, and not each of its machines.

The other node's key is named, signed with this one's; the fleet believes it as long as this device is active and of that
site. It travels as a link, on a stick or otherwise: whoever reads it gains nothing, as it is good for that one key only.
Called by `keeper`.
"""

from base64 import b64encode

from archipel_agent.clocks import TrustedTime
from archipel_agent.identity.device import DeviceIdentity
from archipel_agent.service import Refused
from archipel_contract.api import VoucherGiven, VoucherRequest, VoucherWish
from archipel_contract.link.envelope import Envelope, framed, signed
from archipel_contract.names import KEY_ID, NODE_ID
from archipel_contract.trust import certificates
from archipel_contract.trust.enrolment import VOUCHER, VOUCHER_LONGEST, Voucher
from archipel_contract.trust.keys import SoftwareSigner, device_key_from_pem
from archipel_contract.trust.token import Invitation, Vouched
from archipel_contract.wire import to_data


class NotVouched(ValueError):
    """This device vouches for nobody now; the message says why."""


def request(identity: DeviceIdentity, hostname: str, site_id: str) -> VoucherRequest:
    """Return what another node has to know to vouch for this device; its key is made if there is none. Raises OSError."""
    signer = SoftwareSigner(device_key_from_pem(identity.files.asking_key()))
    return VoucherRequest(node_id=identity.node_id, key_id=signer.key_id, hostname=hostname, site_id=site_id)


def vouched(identity: DeviceIdentity, wish: VoucherWish, site_id: str, time: TrustedTime) -> VoucherGiven:
    """Return the voucher for another machine of this site; raise Refused where this device has nothing to vouch with."""
    if not identity.has_certificate:
        message = "This machine belongs to no fleet, so nobody would believe its word."
        raise Refused(409, "no-fleet", message, "sudo archipel enrol LINK")
    if not site_id:
        raise Refused(409, "no-site", "This machine is no site yet.", "sudo archipel up")
    if not time.checks_dates:
        message = "The clock of this machine is not sure, so the voucher might hold at another time."
        raise Refused(409, "clock-unsure", message, 'sudo archipel clock set "2026-11-22 14:05"')
    try:
        made = vouch(identity, wish, site_id, int(time.now.timestamp() * 1000))
    except NotVouched as error:
        said = str(error)
        message = f"{said[:1].upper()}{said[1:]}."
        raise Refused(409, "not-vouched", message, "archipel enrol --help") from error
    return VoucherGiven(link=made.text, node_id=wish.request.node_id, fleet=identity.fleet.fleet_name)


def vouch(identity: DeviceIdentity, wish: VoucherWish, site_id: str, now: int) -> Invitation:
    """Return the link by which the other node enrols; `now` is milliseconds since 1970 UTC. Raises NotVouched."""
    asked = wish.request
    if not KEY_ID.fullmatch(asked.key_id) or not NODE_ID.fullmatch(asked.node_id):
        raise NotVouched("this is no request of a device")
    if asked.node_id == identity.node_id:
        raise NotVouched("this is the request of this machine itself; a voucher is another node's to give")
    if asked.site_id not in ("", site_id):
        raise NotVouched("the other machine is a site of its own; it enrols with a token")
    said = Voucher(site_id=site_id, key_id=asked.key_id, issued=now, expires=now + VOUCHER_LONGEST)
    frame = signed(Envelope(type=VOUCHER, at=now, body=to_data(said)), [identity.signer])
    # The oldest: while CAs are exchanged the fleet's servers have their certificates from that one.
    authority = identity.trust.document.authorities[-1]
    vouched = Vouched(
        site_id=site_id, pin=certificates.pin(authority.encode()), frame=b64encode(framed(frame)).decode()
    )
    return Invitation(identity.fleet.address, vouched=vouched)
