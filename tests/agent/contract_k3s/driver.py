"""One call of the real K3sHost or KubeApi, made inside a test host: JSON on standard input, JSON on standard output.

Started by `real.py` through the host, because the ports act on the machine they run on. It builds the ports as the
agent does and knows nothing of tests.
"""

import base64
import json
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
from archipel_agent.ports import CommandFailed, UnitSpec
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
    identity = paths.state / "identity.json"
    kube = HttpsKubeApi(disk, paths.kubeconfig, identity, paths.runtime / "key.pem")
    return SystemK3sHost(keeper, runner, teardown, direct), kube


def call(asked: dict[str, Any]) -> Any:
    """Make one call; `kube` for a request to the API, else the name of a method of K3sHost."""
    k3s, kube = ports()
    if asked["call"] == "kube":
        body = base64.b64decode(asked["body"])
        reply = kube.request(asked["method"], asked["path"], body, asked["content_type"])
        return {"status": reply.status, "body": base64.b64encode(reply.body).decode()}
    arguments = list(asked.get("arguments", ()))
    if asked["call"] in ("install_service", "service_installed"):
        arguments = [UnitSpec(argv=tuple(arguments[0]), unit=arguments[1])]
    if asked["call"] == "version_text":
        arguments = [Path(arguments[0])]
    return to_data(getattr(k3s, asked["call"])(*arguments))


def main() -> int:
    """Answer one question; a failed command is an answer too."""
    try:
        answer = {"result": call(json.load(sys.stdin))}
    except CommandFailed as error:
        answer = {"failed": str(error), "code": error.code}
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
