"""Ports around others that let the power go before and after whatever changes the world besides files."""

from collections.abc import Sequence
from pathlib import Path

from archipel_agent.ports import Completed, K3sHost, KubeApi, KubeReply, KubeWatch, Runner, UnitSpec
from archipel_contract.status import K3sStatus
from tests.fakes.clock import VirtualClock
from tests.fakes.power import Power


class PoweredClock(VirtualClock):
    """Virtual time that stands still without power; every wait is an instant at which it can go."""

    def __init__(self, power: Power) -> None:
        super().__init__()
        self._power = power

    def wait(self, seconds: float) -> None:
        """See ports.Clock."""
        self._power.point("wait")
        super().wait(seconds)


class PoweredK3sHost:
    """A K3sHost whose every change has an instant before and after it."""

    def __init__(self, inner: K3sHost, power: Power) -> None:
        self._inner = inner
        self._power = power

    def version_text(self, binary: Path) -> str:
        """See ports.K3sHost."""
        self._power.check()
        return self._inner.version_text(binary)

    def unpack(self, binary: Path) -> bool:
        """See ports.K3sHost."""
        self._power.point("before k3s unpacks")
        begun = self._inner.unpack(binary)
        self._power.point("k3s unpacks")
        return begun

    def install_service(self, spec: UnitSpec) -> None:
        """See ports.K3sHost; the instants are those of the disk."""
        self._inner.install_service(spec)

    def service_installed(self, spec: UnitSpec) -> bool:
        """See ports.K3sHost."""
        self._power.check()
        return self._inner.service_installed(spec)

    def remove_service(self) -> None:
        """See ports.K3sHost; the instants are those of the disk."""
        self._inner.remove_service()

    def start(self) -> None:
        """See ports.K3sHost."""
        self._power.point("before k3s starts")
        self._inner.start()
        self._power.point("k3s started")

    def stop(self) -> None:
        """See ports.K3sHost."""
        self._power.point("before k3s stops")
        self._inner.stop()
        self._power.point("k3s stopped")

    def stop_pods(self) -> None:
        """See ports.K3sHost."""
        self._power.point("before the pods end")
        self._inner.stop_pods()
        self._power.point("the pods ended")

    def status(self) -> K3sStatus:
        """See ports.K3sHost."""
        self._power.check()
        return self._inner.status()

    def log(self, lines: int) -> tuple[str, ...]:
        """See ports.K3sHost."""
        self._power.check()
        return self._inner.log(lines)

    def leftovers(self) -> tuple[str, ...]:
        """See ports.K3sHost."""
        self._power.check()
        return self._inner.leftovers()


class PoweredKubeApi:
    """A KubeApi whose every change has an instant before and after it."""

    def __init__(self, inner: KubeApi, power: Power) -> None:
        self._inner = inner
        self._power = power

    def request(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> KubeReply:
        """See ports.KubeApi."""
        if method == "GET":
            self._power.check()
            return self._inner.request(method, path, body, content_type)
        self._power.point(f"before {method} {path}")
        reply = self._inner.request(method, path, body, content_type)
        self._power.point(f"after {method} {path}")
        return reply

    def watch(self, path: str) -> KubeWatch:
        """See ports.KubeApi."""
        self._power.check()
        return self._inner.watch(path)

    def close(self) -> None:
        """See ports.KubeApi."""
        self._inner.close()


class PoweredRunner:
    """A Runner whose every command has an instant before and after it."""

    def __init__(self, inner: Runner, power: Power) -> None:
        self._inner = inner
        self._power = power

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        timeout: float = 30.0,
        stdin: bytes = b"",
        ok: tuple[int, ...] = (0,),
        environment: dict[str, str] | None = None,
    ) -> Completed:
        """See ports.Runner."""
        self._power.point(f"before {argv[0]}")
        done = self._inner.run(argv, timeout=timeout, stdin=stdin, ok=ok, environment=environment)
        self._power.point(f"after {argv[0]}")
        return done

    def find(self, command: str) -> Path | None:
        """See ports.Runner."""
        return self._inner.find(command)


class CountedEntropy:
    """Bytes that are different at every call and the same in every run; what must agree is thereby seen to agree."""

    def __init__(self) -> None:
        self.calls = 0

    def bytes(self, count: int) -> bytes:
        """See ports.Entropy."""
        self.calls += 1
        return self.calls.to_bytes(2, "big") * (count // 2) + bytes(count % 2)
