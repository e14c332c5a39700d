"""Packs a support bundle: each source by itself, everything through redaction, all within a size that can be sent.

A `.tar.gz` of mode 0600, made in memory and written in one step. A source that fails costs its own part and nothing else;
`manifest.json` tells what is inside, what is not, and why.
"""

import gzip
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import archipel_contract
from archipel_agent.checks.base import Evidence
from archipel_agent.paths import Paths
from archipel_agent.ports import Cancelled, Ports
from archipel_agent.redact import redact, redact_data
from archipel_agent.support import known
from archipel_agent.support.sources import COLLECTORS, Content, Machine
from archipel_contract.findings import CheckResult
from archipel_contract.names import proposed_node_name

FILE_LIMIT = 2 << 20  # characters of one text; redaction takes about a second for each million
TOTAL_LIMIT = 20_000_000  # bytes of all files, before they are packed
PRIVATE = 0o600
LEFT_OUT = (
    "private keys, tokens, kubeconfigs and databases; environment, arguments and annotations of pods; Secrets; "
    "files of users. What looks like a secret in what is inside reads [removed]."
)


def build(
    ports: Ports,
    paths: Paths,
    evidence: Evidence,
    checks: Iterable[CheckResult],
    directory: Path,
    node_id: str,
    secrets: Iterable[str] = (),
) -> Path:
    """Write `archipel-support-NODE-UTC.tar.gz` into `directory` and return its path; `secrets` are removed as well.

    Raises OSError when the bundle itself cannot be written, and Cancelled.
    """
    machine = Machine(ports=ports, paths=paths, evidence=evidence, checks=tuple(checks))
    now = ports.clock.now()
    packer = _Packer((*secrets, *known.secrets(ports.disk, paths)), int(now.timestamp()))
    for name, collect in COLLECTORS:
        began = ports.clock.monotonic()
        try:
            for file, content in collect(machine).items():
                packer.add(file, content, name)
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001  a task boundary: one source must not cost the others
            packer.missing(name, f"{type(error).__name__}: {error}")
        packer.seconds[name] = round(ports.clock.monotonic() - began, 3)
    node = _node_name(evidence)
    manifest = {
        "what": "Archipel support bundle",
        "made_at": now.isoformat(timespec="seconds"),
        "node": node,
        "node_id": node_id,
        "agent_version": archipel_contract.__version__,
        "k3s_version": evidence.site.k3s.version if evidence.site else "",
        "rehearsed": ports.rehearsed,
        "left_out": LEFT_OUT,
    }
    data = packer.finish(manifest)
    target = directory / f"archipel-support-{node}-{now:%Y%m%dT%H%M%SZ}.tar.gz"
    if directory.is_relative_to(paths.state):
        ports.disk.make_directory(directory, 0o700)
    ports.disk.write(target, data, PRIVATE)
    return target


def _node_name(evidence: Evidence) -> str:
    """Return the node's Kubernetes name, before there is one what would become it."""
    return evidence.site.nodes[0].node_name if evidence.site else proposed_node_name(evidence.facts.hostname)


class _Packer:
    """A growing archive with its list of contents."""

    def __init__(self, secrets: tuple[str, ...], time: int) -> None:
        import tarfile  # noqa: PLC0415 - it stays resident for good, and most agents never pack a bundle

        self._member = tarfile.TarInfo
        self._secrets = secrets
        self._time = time
        self._out = io.BytesIO()
        self._gzip = gzip.GzipFile(fileobj=self._out, mode="wb", compresslevel=6, mtime=time)
        self._tar = tarfile.TarFile(fileobj=self._gzip, mode="w", format=tarfile.PAX_FORMAT)
        self._total = 0
        self._files: list[dict[str, Any]] = []
        self._missing: list[dict[str, str]] = []
        self.seconds: dict[str, float] = {}

    def add(self, name: str, content: Content, source: str) -> None:
        """Add one file, redacted; cut at the front, or left out, where it is too large."""
        entry: dict[str, Any] = {"name": redact(name, self._secrets), "source": source}
        if isinstance(content, str):
            data = redact(_tail(content), self._secrets).encode(errors="replace")
            if len(content) > FILE_LIMIT:
                entry["cut"] = "only the end; the file was too large"
        else:
            clean = redact_data(content, self._secrets)
            data = json.dumps(clean, indent=1, ensure_ascii=False, default=str).encode(errors="replace")
        if self._total + len(data) > TOTAL_LIMIT:
            self.missing(source, f"{name} is left out: its {len(data)} bytes are too many")
            return
        self._write(entry["name"], data)
        self._files.append({**entry, "bytes": len(data)})

    def missing(self, source: str, why: str) -> None:
        """Note that a source is not inside."""
        self._missing.append({"source": source, "why": redact(why, self._secrets)[:500]})

    def finish(self, manifest: dict[str, Any]) -> bytes:
        """Add the manifest and return the archive."""
        listed = {**manifest, "files": self._files, "missing": self._missing, "seconds": self.seconds}
        self._write("manifest.json", json.dumps(redact_data(listed, self._secrets), indent=1).encode())
        self._tar.close()
        self._gzip.close()
        return self._out.getvalue()

    def _write(self, name: str, data: bytes) -> None:
        member = self._member(f"archipel-support/{name}")
        member.size, member.mode, member.mtime = len(data), PRIVATE, self._time
        self._tar.addfile(member, io.BytesIO(data))
        self._total += len(data)


def _tail(content: str) -> str:
    """Return the end of a text that is too large, from a line's beginning."""
    if len(content) <= FILE_LIMIT:
        return content
    end = content[-FILE_LIMIT:]
    return "[the beginning is left out]\n" + end[end.find("\n") + 1 :]
