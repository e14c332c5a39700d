"""The real K3sHost and KubeApi inside a test host: a line of JSON for each call on a Unix socket, a line back.

Started by `real.py` through the host, because the ports act on the machine they run on. It builds the ports as the
agent does and knows nothing of tests.
"""

import base64
import json
import socket
import sys
from pathlib import Path
from typing import Any

from archipel_agent.host.disk import SystemDisk
from archipel_agent.host.privileged import Direct
from archipel_agent.host.run import SystemRunner
from archipel_agent.k3s.host import Keeper, SystemK3sHost
from archipel_agent.k3s.kubeapi import HttpsKubeApi
from archipel_agent.k3s.supervised import SupervisedKeeper
from archipel_agent.k3s.systemd import SystemdKeeper
from archipel_agent.k3s.teardown import Teardown
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, KubeWatch, UnitSpec
from archipel_agent.steps.identity import identity_file
from archipel_contract.wire import to_data


def ports() -> tuple[SystemK3sHost, HttpsKubeApi]:
    """The real ports of the machine this runs on."""
    paths, disk, runner = Paths(), SystemDisk(), SystemRunner()
    teardown = Teardown(runner, disk, paths)
    if Path("/run/systemd/system").is_dir():
        keeper: Keeper = SystemdKeeper(runner, disk, paths.k3s_unit)
    else:
        keeper = SupervisedKeeper(disk, paths.runtime, paths.state, paths.k3s_log)
    direct = Direct({"stop-pods": lambda _: teardown.run()})
    kube = HttpsKubeApi(disk, paths.kubeconfig, identity_file(paths), paths.runtime / "key.pem")
    return SystemK3sHost(keeper, runner, teardown, direct), kube


WATCHES: dict[int, KubeWatch] = {}


def watching(kube: HttpsKubeApi, asked: dict[str, Any]) -> Any:
    """Begin a watch and return its number, or read or end the one with that number."""
    if asked["call"] == "watch":
        number = len(WATCHES) + 1
        WATCHES[number] = kube.watch(asked["path"])
        return number
    watch = WATCHES[asked["number"]]
    if asked["call"] == "unwatch":
        return watch.close()
    if asked["call"] == "quiet":
        return watch.is_quiet()
    lines = watch.arrived()
    return None if lines is None else [line.decode() for line in lines]


def call(k3s: SystemK3sHost, kube: HttpsKubeApi, asked: dict[str, Any]) -> Any:
    """Make one call; `kube`, `close` and watches go to the API, everything else is a method of K3sHost."""
    if asked["call"] == "close":
        return kube.close()
    if asked["call"] in ("watch", "arrived", "quiet", "unwatch"):
        return watching(kube, asked)
    if asked["call"] == "kube":
        body = base64.b64decode(asked["body"])
        reply = kube.request(asked["method"], asked["path"], body, asked["content_type"])
        return {"status": reply.status, "body": base64.b64encode(reply.body).decode()}
    arguments = list(asked.get("arguments", ()))
    if asked["call"] in ("install_service", "service_installed"):
        arguments = [UnitSpec(argv=tuple(arguments[0]), unit=arguments[1])]
    if asked["call"] in ("version_text", "unpack"):
        arguments = [Path(arguments[0])]
    return to_data(getattr(k3s, asked["call"])(*arguments))


def main(place: str) -> None:
    """Answer one question a line, one client after the other; a failed command is an answer too."""
    k3s, kube = ports()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen()
        while True:
            connection, _ = listening.accept()
            with connection, connection.makefile("rw") as lines:
                for line in lines:
                    try:
                        answer = {"result": call(k3s, kube, json.loads(line))}
                    except CommandFailed as error:
                        answer = {"failed": str(error), "code": error.code}
                    lines.write(json.dumps(answer) + "\n")
                    lines.flush()


if __name__ == "__main__":
    main(sys.argv[1])
