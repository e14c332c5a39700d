"""The real k3s in a test host, spoken to through the same two ports as the simulated one.

Used by the contract suite and by `record.py`. Calls are made by `driver.py` inside the host; this side only packs and
unpacks.
"""

import base64
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

from archipel_agent.k3s.config import k3s_files
from archipel_agent.k3s.unit import k3s_unit
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, KubeReply, KubeWatch, UnitSpec
from archipel_contract.site import K3sBinary, Network, NodeSpec, Origin, SiteDocument
from archipel_contract.status import K3sStatus
from archipel_contract.wire import from_data
from tests.hosts.host import Host
from tests.hosts.places import CHECKOUT

TOKEN = "contract-suite-token-of-no-worth"
NODE_ID = "n-0123456789abcdef"
CALL_SECONDS = 150.0
CONNECT_TRIES = 200
SOCKET = "/run/contract.sock"


def site(ip: str, name: str) -> SiteDocument:
    """A site of one node with this address."""
    return SiteDocument(
        site_id="s-0123456789abcdef",
        generation=0,
        origin=Origin.LOCAL,
        name="contract suite",
        network=Network(node_ip=ip, interface="eth0"),
        k3s=K3sBinary(path="/usr/local/bin/k3s", version="", sha256=""),
        nodes=(NodeSpec(node_id=NODE_ID, node_name=name),),
    )


def spec(paths: Paths) -> UnitSpec:
    """How k3s runs on such a site."""
    return k3s_unit(paths.k3s_binary, paths.k3s_config)


def files(paths: Paths, ip: str, name: str) -> dict[Path, tuple[bytes, int]]:
    """What has to be written before k3s is started."""
    return k3s_files(site(ip, name), NODE_ID, TOKEN, paths)


class Driver:
    """The driver inside a host; close it before the host."""

    def __init__(self, host: Host) -> None:
        environment = {"PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"}
        argv = [sys.executable, "-m", "tests.agent.contract_k3s.driver", SOCKET]
        self._process = host.spawn(argv, env=environment)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(CALL_SECONDS)
        for _ in range(CONNECT_TRIES):
            try:
                self._socket.connect(str(host.outside(SOCKET)))
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise TimeoutError(f"the driver did not come up: {self._process.output()}")
        self._lines = self._socket.makefile("rw")

    def ask(self, asked: dict[str, Any]) -> Any:
        """Have it make one call; raise CommandFailed as the port itself would."""
        self._lines.write(json.dumps(asked) + "\n")
        self._lines.flush()
        line = self._lines.readline()
        if not line:
            raise AssertionError(f"the driver ended: {self._process.output()}")
        answer = json.loads(line)
        if "failed" in answer:
            raise CommandFailed(answer["failed"], answer["code"])
        return answer["result"]

    def close(self) -> None:
        """End it."""
        self._lines.close()
        self._socket.close()
        self._process.stop()


class RealK3sHost:
    """K3sHost of a test host."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def _call(self, name: str, *arguments: object) -> Any:
        return self._driver.ask({"call": name, "arguments": arguments})

    def version_text(self, binary: Path) -> str:
        """See ports.K3sHost."""
        return str(self._call("version_text", str(binary)))

    def unpack(self, binary: Path) -> bool:
        """See ports.K3sHost."""
        return bool(self._call("unpack", str(binary)))

    def install_service(self, spec: UnitSpec) -> None:
        """See ports.K3sHost."""
        self._call("install_service", spec.argv, spec.unit)

    def service_installed(self, spec: UnitSpec) -> bool:
        """See ports.K3sHost."""
        return bool(self._call("service_installed", spec.argv, spec.unit))

    def remove_service(self) -> None:
        """See ports.K3sHost."""
        self._call("remove_service")

    def start(self) -> None:
        """See ports.K3sHost."""
        self._call("start")

    def stop(self) -> None:
        """See ports.K3sHost."""
        self._call("stop")

    def stop_pods(self) -> None:
        """See ports.K3sHost."""
        self._call("stop_pods")

    def status(self) -> K3sStatus:
        """See ports.K3sHost."""
        return from_data(K3sStatus, self._call("status"))

    def log(self, lines: int) -> tuple[str, ...]:
        """See ports.K3sHost."""
        return tuple(self._call("log", lines))

    def leftovers(self) -> tuple[str, ...]:
        """See ports.K3sHost."""
        return tuple(self._call("leftovers"))


class RealKubeApi:
    """KubeApi of a test host."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def request(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> KubeReply:
        """See ports.KubeApi."""
        encoded = base64.b64encode(body).decode()
        asked = {
            "call": "kube",
            "method": method,
            "path": path,
            "body": encoded,
            "content_type": content_type,
        }
        answer = self._driver.ask(asked)
        return KubeReply(status=answer["status"], body=base64.b64decode(answer["body"]))

    def watch(self, path: str) -> KubeWatch:
        """See ports.KubeApi."""
        return RealKubeWatch(self._driver, self._driver.ask({"call": "watch", "path": path}))

    def close(self) -> None:
        """See ports.KubeApi."""
        self._driver.ask({"call": "close"})


class RealKubeWatch:
    """A watch that the driver holds under a number."""

    def __init__(self, driver: Driver, number: int) -> None:
        self._driver = driver
        self._number = number

    def arrived(self) -> tuple[bytes, ...] | None:
        """See ports.KubeWatch."""
        lines = self._driver.ask({"call": "arrived", "number": self._number})
        return None if lines is None else tuple(line.encode() for line in lines)

    def is_quiet(self) -> bool:
        """See ports.KubeWatch."""
        return bool(self._driver.ask({"call": "quiet", "number": self._number}))

    def close(self) -> None:
        """See ports.KubeWatch."""
        self._driver.ask({"call": "unwatch", "number": self._number})
