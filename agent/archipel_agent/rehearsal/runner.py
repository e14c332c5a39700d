"""The simulated commands and downloads: the few the agent uses, answered as on the rehearsed machine."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from archipel_agent.k3s.release import ASSETS
from archipel_agent.ports import CommandFailed, Completed, FetchFailed, KubeApi
from archipel_agent.rehearsal import certificates, kubectl, recordings
from archipel_agent.rehearsal.binary import stand_in
from archipel_agent.rehearsal.firewall import SimulatedFirewall
from archipel_agent.rehearsal.fleet.clock import MachineClock
from archipel_agent.rehearsal.world import SimulatedWorld

IPTABLES = "iptables v1.8.9 (nf_tables)\n"  # of Debian 12


class SimulatedRunner:
    """Implements the Runner port; a command it does not know is one this machine does not have."""

    def __init__(self, world: SimulatedWorld, kube: KubeApi) -> None:
        """Act in `world`; `kube` is the API that kubectl asks."""
        self._world, self._kube = world, kube
        self._firewall = SimulatedFirewall()

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
        words = tuple(str(word) for word in argv)
        name = words[0].rpartition("/")[2]
        if name == "sysctl":
            setting, _, value = words[-1].partition("=")
            self._world.state.kernel[setting] = value
            return Completed(argv=words, code=0, stdout="", stderr="")
        if name == "iptables" and words[1:] == ("--version",):
            return Completed(argv=words, code=0, stdout=IPTABLES, stderr="")
        if words[1:3] == ("certificate", "rotate"):
            certificates.rotate(self._world.disk, self._world.paths)
            return Completed(argv=words, code=0, stdout="", stderr="Successfully backed up certificates")
        if name == "date":
            self._set_clock(int(words[-1].partition("@")[2]))
            return Completed(argv=words, code=0, stdout="", stderr="")
        if name == "k3s" and words[1:2] == ("kubectl",):
            said = kubectl.answer(self._kube, words[2:])
            return Completed(argv=words, code=0, stdout=said, stderr="")
        if name == "nft":
            return self._nft(words, stdin)
        if name in ("systemctl", "modprobe"):
            return Completed(argv=words, code=0, stdout="", stderr="")
        raise CommandFailed(f"{words[0]} cannot be started: No such file or directory")

    def _nft(self, words: tuple[str, ...], stdin: bytes) -> Completed:
        now, boots = self._world.clock.monotonic(), self._world.state.boots
        if words[1:] == ("-f", "-"):
            self._firewall.load(stdin.decode(), now, boots)
            return Completed(argv=words, code=0, stdout="", stderr="")
        listed = self._firewall.listed(now, boots)
        if listed is None:
            return Completed(argv=words, code=1, stdout="", stderr="Error: No such file or directory")
        return Completed(argv=words, code=0, stdout=listed, stderr="")

    def _set_clock(self, seconds: int) -> None:
        clock = self._world.clock
        if not isinstance(clock, MachineClock):
            raise CommandFailed("date: this rehearsed machine has no clock of its own")
        clock.put_right(datetime.fromtimestamp(seconds, UTC))

    def find(self, command: str) -> Path | None:
        """See ports.Runner."""
        places = [self._world.paths.at(f"{place}/{command}") for place in ("usr/local/bin", "usr/bin")]
        if command in ("iptables", "nft", "sysctl", "systemctl", "modprobe"):
            return places[-1]
        return next((place for place in places if self._world.disk.exists(place)), None)


class SimulatedFetcher:
    """Implements the Fetcher port: a release page that has every version, as long as the network reaches it."""

    def __init__(self, world: SimulatedWorld) -> None:
        """Download into the disk of `world`."""
        self._world = world

    def fetch(self, url: str, limit: int) -> bytes:
        """See ports.Fetcher."""
        self._reachable(url)
        if "/sha256sum-" not in url:
            return self._asset(url)[:limit]
        version = _version(url)
        lines = [
            f"{hashlib.sha256(stand_in(architecture, version)).hexdigest()}  {asset}"
            for architecture, (asset, _) in ASSETS.items()
        ]
        return ("\n".join(lines) + "\n").encode()

    def download(self, url: str, target: Path, limit: int) -> None:
        """See ports.Fetcher."""
        self._reachable(url)
        self._world.disk.write(target, self._asset(url), 0o600)

    def _asset(self, url: str) -> bytes:
        name = url.rpartition("/")[2]
        for architecture, (asset, _) in ASSETS.items():
            if name == asset:
                return stand_in(architecture, _version(url))
        raise FetchFailed(f"{url}: 404 Not Found")

    def _reachable(self, url: str) -> None:
        carrier = self._world.state.facts.nics[0].carrier
        if not self._world.scenario.release_page or carrier is False:
            host = url.split("/")[2] if "//" in url else url
            raise FetchFailed(f"{host} cannot be reached: Name or service not known")


def _version(url: str) -> str:
    parts = url.split("/")
    return parts[-2].replace("%2B", "+") if len(parts) > 1 else recordings.VERSION
