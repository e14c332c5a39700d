"""Start k3s as a person would, with every file in place already, and measure until its node is Ready.

`by_hand.py NODE [FROM TO]...`: what is named is copied and flushed, then `systemctl start k3s`; from then on the node's
condition is read from the API four times a second, as often as `archipel up` does, over one kept connection with the
administrator's certificate.
"""

import base64
import http.client
import json
import re
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KUBECONFIG = Path("/etc/rancher/k3s/k3s.yaml")
POLL_SECONDS = 0.25
PATIENCE_SECONDS = 300.0
FIELD = re.compile(r"(certificate-authority-data|client-certificate-data|client-key-data):\s*(\S+)")


def connect() -> http.client.HTTPSConnection:
    """Return a connection as the administrator; raise OSError or ValueError while there is no kubeconfig."""
    found = {name: base64.b64decode(value).decode() for name, value in FIELD.findall(KUBECONFIG.read_text())}
    if len(found) != 3:
        raise ValueError("not complete yet")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=found["certificate-authority-data"])
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(found["client-certificate-data"] + found["client-key-data"])
        file.flush()
        context.load_cert_chain(file.name)
    return http.client.HTTPSConnection("127.0.0.1", 6443, timeout=10, context=context)


def is_ready(connection: http.client.HTTPSConnection, node: str) -> bool:
    """Whether the node's condition Ready is True."""
    connection.request("GET", f"/api/v1/nodes/{node}")
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        return False
    conditions = json.loads(body).get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def copy(source: str, target: str) -> None:
    """Copy a file or a directory, and see it on the disk."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-rT", source, target], check=True)
    files = [target, *map(str, Path(target).rglob("*"))]
    subprocess.run(["sync", *files], check=True)


def main(node: str, copies: list[str]) -> int:
    """Print the seconds it took."""
    began = time.monotonic()
    for source, target in zip(copies[::2], copies[1::2], strict=True):
        copy(source, target)
    subprocess.run(["systemctl", "start", "--no-block", "k3s"], check=True)
    connection = None
    while time.monotonic() - began < PATIENCE_SECONDS:
        try:
            connection = connection or connect()
            if is_ready(connection, node):
                print(json.dumps({"seconds": time.monotonic() - began}))
                return 0
        except (OSError, ValueError, http.client.HTTPException):
            connection = None
        time.sleep(POLL_SECONDS)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
