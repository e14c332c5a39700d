"""Makes the rehearsal's recordings anew: `python -m tests.agent.contract_k3s.record DIRECTORY [SCENARIO...]`.

For whoever moves the simulator to another k3s. It starts the real one in throw-away hosts, lets it meet each trouble the
rehearsal offers, and writes what its log and its API say. What it writes is raw: a person trims it into
`archipel_agent/rehearsal/recordings` and removes what is secret.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from archipel_agent.k3s import identity
from archipel_agent.paths import Paths
from tests.agent.contract_k3s.real import TOKEN, Driver, RealK3sHost, RealKubeApi, files, spec
from tests.hosts import requirements
from tests.hosts.host import Host
from tests.hosts.lab import Lab
from tests.hosts.plain import PlainHost

IMAGE_DIRECTORY = "/var/lib/rancher/k3s/agent/images"
LOG_LINES = 20_000


class Recorder:
    """One host with k3s set up in it but not started."""

    def __init__(self, host: Host, place: Path) -> None:
        self.host = host
        self.place = place
        self.driver = Driver(host)
        self.k3s = RealK3sHost(self.driver)
        self.kube = RealKubeApi(self.driver)

    def prepare(self, images: bool = True) -> None:
        """Bring the binary, our files and the images."""
        self.host.offer_k3s()
        self.host.allow()
        for path, (data, mode) in files(Paths(), self.host.ip, self.host.name).items():
            self.host.put(data, str(path), mode)
        if images:
            self.host.offer_images(IMAGE_DIRECTORY)
        self.k3s.install_service(spec(Paths()))

    def keep(self, name: str, text: bytes | str) -> None:
        """Write one recording."""
        (self.place / name).write_bytes(text.encode() if isinstance(text, str) else text)

    def keep_log(self, name: str) -> None:
        """Write the log as it stands."""
        self.keep(f"{name}.log", "\n".join(self.k3s.log(LOG_LINES)) + "\n")

    def ask(self, name: str, method: str, path: str, body: bytes = b"") -> int:
        """Send a request and keep the reply."""
        kind = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
        reply = self.kube.request(method, path, body, kind)
        self.keep(f"{name}.{reply.status}.json", reply.body)
        return reply.status

    def await_ready(self, seconds: float) -> bool:
        """Whether the node became Ready in time; the first refusals are kept on the way."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (
                self.ask("readyz", "GET", "/readyz") == 200
                and self.ask("nodes", "GET", "/api/v1/nodes") == 200
            ):
                nodes = json.loads((self.place / "nodes.200.json").read_text())["items"]
                conditions = [one for node in nodes for one in node["status"].get("conditions", [])]
                if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
                    return True
            time.sleep(0.3)
        return False


def healthy(recorder: Recorder) -> None:
    """First start, the API's answers, a second start."""
    recorder.prepare()
    recorder.keep("version.txt", recorder.k3s.version_text(Paths().k3s_binary))
    recorder.k3s.start()
    recorder.await_ready(90)
    for second in range(40):
        recorder.ask(f"pods-{second:02}", "GET", "/api/v1/pods")
        time.sleep(0.7)
    recorder.keep_log("first-start")
    recorder.ask("readyz-verbose", "GET", "/readyz?verbose")
    recorder.ask("nodes", "GET", "/api/v1/nodes")
    recorder.ask("version", "GET", "/version")
    recorder.ask("absent", "GET", "/api/v1/namespaces/absent/secrets/absent")
    for number, (path, body) in enumerate(identity.objects()):
        recorder.ask(f"apply-{number}", "PATCH", identity.apply_path(path), identity.apply_body(body))
        recorder.ask(f"apply-again-{number}", "PATCH", identity.apply_path(path), identity.apply_body(body))
        recorder.ask(f"got-{number}", "GET", path)
    time.sleep(1)
    recorder.ask("secret", "GET", identity.objects()[-1][0])
    for number, path in enumerate(identity.removal_paths()):
        recorder.ask(f"delete-{number}", "DELETE", path)
        recorder.ask(f"delete-again-{number}", "DELETE", path)
    recorder.keep("leftovers.txt", "\n".join(recorder.k3s.leftovers()))
    recorder.k3s.stop()
    recorder.host.run(["truncate", "-s", "0", "/var/lib/archipel/log/k3s.log"]).ok()
    recorder.k3s.start()
    recorder.await_ready(90)
    time.sleep(8)
    recorder.keep_log("second-start")
    recorder.k3s.stop()
    time.sleep(1)
    recorder.keep_log("stopped")


def failing(recorder: Recorder, seconds: float = 25) -> None:
    """Start and let it do what it does."""
    recorder.k3s.start()
    recorder.await_ready(seconds)
    recorder.ask("pods", "GET", "/api/v1/pods")
    recorder.keep_log("k3s")
    recorder.keep("status.json", json.dumps(str(recorder.k3s.status())))
    containerd = "/var/lib/rancher/k3s/agent/containerd/containerd.log"
    recorder.keep("containerd.log", recorder.host.run(["cat", containerd]).stdout)


def port_taken(recorder: Recorder) -> None:
    """Somebody else listens where the API would."""
    recorder.prepare()
    program = "import socket, time; s = socket.create_server(('', 6443)); time.sleep(3600)"
    recorder.host.spawn([sys.executable, "-c", program])
    failing(recorder, 15)


def memory_cgroup_off(recorder: Recorder) -> None:
    """The kernel offers no memory controller."""
    recorder.prepare()
    recorder.host.run(["umount", "/sys/fs/cgroup/memory"]).ok()
    failing(recorder, 25)


def kernel_setting_broken(recorder: Recorder) -> None:
    """A kernel setting kubelet insists on has another value."""
    recorder.prepare()
    recorder.host.run(["sysctl", "-w", "vm.overcommit_memory=0"]).ok()
    failing(recorder, 25)


def disk_full(recorder: Recorder) -> None:
    """The disk is full before k3s unpacks itself."""
    recorder.prepare()
    recorder.host.fill_disk(8 << 20)
    failing(recorder, 15)


def disk_fills(recorder: Recorder) -> None:
    """The disk becomes full while k3s runs."""
    recorder.prepare()
    recorder.k3s.start()
    recorder.await_ready(60)
    recorder.host.fill_disk(2 << 20)
    failing(recorder, 60)
    time.sleep(45)
    recorder.keep_log("later")
    recorder.ask("nodes-later", "GET", "/api/v1/nodes")


def offline_image(recorder: Recorder) -> None:
    """There are no image archives and no registry."""
    recorder.prepare(images=False)
    failing(recorder, 40)
    time.sleep(30)
    recorder.ask("pods-later", "GET", "/api/v1/pods")
    recorder.keep_log("k3s")


def crash_loop(recorder: Recorder) -> None:
    """The interface flannel should use is not there."""
    recorder.prepare()
    config = recorder.host.get(str(Paths().k3s_config)).decode().replace('"eth0"', '"eth7"')
    recorder.host.put(config.encode(), str(Paths().k3s_config), 0o600)
    failing(recorder, 20)


def token_mismatch(recorder: Recorder) -> None:
    """The data of a cluster is there, our token is another one."""
    recorder.prepare()
    recorder.k3s.start()
    recorder.await_ready(60)
    recorder.k3s.stop()
    recorder.host.run(["truncate", "-s", "0", "/var/lib/archipel/log/k3s.log"]).ok()
    config = recorder.host.get(str(Paths().k3s_config)).decode().replace(TOKEN, f"another-{TOKEN}")
    recorder.host.put(config.encode(), str(Paths().k3s_config), 0o600)
    failing(recorder, 12)


SCENARIOS: dict[str, Callable[[Recorder], None]] = {
    "healthy": healthy,
    "port-taken": port_taken,
    "memory-cgroup-off": memory_cgroup_off,
    "kernel-setting-broken": kernel_setting_broken,
    "disk-full": disk_full,
    "disk-fills": disk_fills,
    "offline-image": offline_image,
    "crash-loop": crash_loop,
    "token-mismatch": token_mismatch,
}


def main(words: list[str]) -> int:
    """Record the named scenarios, or all."""
    missing = requirements.missing_for_plain() or requirements.missing_for_k3s()
    if missing or not words:
        print(missing or __doc__, file=sys.stderr)
        return 1
    for name in words[1:] or SCENARIOS:
        place = Path(words[0]) / name
        place.mkdir(parents=True, exist_ok=True)
        with Lab() as lab, PlainHost("edge", lab) as host:
            recorder = Recorder(host, place)
            SCENARIOS[name](recorder)
            recorder.driver.close()
        print(name, "recorded in", place)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
