"""Ages the certificates of the k3s on this machine, as `python aged.py -35`: they end in so many days (or ended then).

A program of its own, run inside a host. Nobody can wait a year here, and this machine's clock is left alone. So each
certificate that k3s renews is signed anew by the cluster's own authority, with all it said but for its dates.
"""

import sys
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

warnings.simplefilter("ignore")  # k3s gives its authorities the serial number 0
DATA = Path("/var/lib/rancher/k3s")
END = b"-----END CERTIFICATE-----\n"
Key = ec.EllipticCurvePrivateKey


def authorities() -> dict[x509.Name, Key]:
    """The keys of the cluster's authorities by their name."""
    found = {}
    for path in (DATA / "server/tls").rglob("*-ca.key"):
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        assert isinstance(key, Key)
        found[x509.load_pem_x509_certificate(path.with_suffix(".crt").read_bytes()).subject] = key
    return found


def aged(old: x509.Certificate, key: Key, ends: datetime) -> bytes:
    """The same certificate with other dates."""
    made = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(old.public_key())
        .serial_number(old.serial_number)
        .not_valid_before(ends - timedelta(days=365))
        .not_valid_after(ends)
    )
    for one in old.extensions:
        made = made.add_extension(one.value, one.critical)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def main(days: float) -> int:
    """Age every one of them; returns how many."""
    ends = datetime.now(UTC) + timedelta(days=days)
    keys, count = authorities(), 0
    for path in [*(DATA / "server/tls").rglob("*.crt"), *(DATA / "agent").glob("*.crt")]:
        if "-ca." in path.name or "temporary" in str(path):
            continue
        pem = path.read_bytes()
        old = x509.load_pem_x509_certificate(pem)
        path.write_bytes(aged(old, keys[old.issuer], ends) + pem.partition(END)[2])
        count += 1
    return count


if __name__ == "__main__":
    print(main(float(sys.argv[1])))
