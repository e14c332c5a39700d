"""The port to the Kubernetes API of this site: single requests, and watches of lists.

Implemented by `k3s/kubeapi.py` and `rehearsal/kube.py`. What the answers mean is read by the parsers in `k3s/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeReply:
    """An answer of the Kubernetes API; `status` is 0 when nobody answered, and `body` then says why."""

    status: int
    body: bytes


class KubeWatch(Protocol):
    """What changes in one list of the Kubernetes API, told without being asked."""

    def arrived(self) -> tuple[bytes, ...] | None:
        """Return the watch events (JSON objects with `type` and `object`) that came since the last call, without waiting.

        None when the watch is over, whatever ended it: nothing more will come, and the list must be read anew.
        """
        ...

    def is_quiet(self) -> bool:
        """Whether surely nothing has come since `arrived` last said so; False where only reading can tell."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class KubeApi(Protocol):
    """One kept-alive connection to the Kubernetes API of this site, and one for each watch."""

    def request(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> KubeReply:
        """Send one request and return the answer; never raises for what the network does."""
        ...

    def watch(self, path: str) -> KubeWatch:
        """Watch a list from the resource version in `path`; a watch that cannot begin is over at once."""
        ...

    def close(self) -> None:
        """Close the connection, and end all watches; the next request opens a new one (with credentials read anew)."""
        ...
