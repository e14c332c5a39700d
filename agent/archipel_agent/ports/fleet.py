"""The ports to the fleet, and to this machine's standing in it.

`Enroller` is implemented by `host/enroller.py`. `Enrolment` and `Uplink` are how API and daemon see `identity/` and `link/`,
which they do not load on a machine that is in no fleet.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # loaded by every program that does one privileged thing: such programs begin often
    from archipel_contract.api import VoucherGiven, VoucherRequest, VoucherWish
    from archipel_contract.status import EnrolmentStatus


class EnrolFailed(Exception):
    """The fleet was not heard; the message says why in one line. `is_untrusted`: who answered is not who it should be."""

    def __init__(self, message: str, is_untrusted: bool = False) -> None:
        super().__init__(message)
        self.is_untrusted = is_untrusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """How a connection is to be secured: CAs in PEM, and the files of a certificate and its key if there is one."""

    authorities: tuple[str, ...]
    check_time: bool
    certificate: Path | None = None
    key: Path | None = None


class Enroller(Protocol):
    """One question over HTTPS to the fleet's enrolment."""

    def ask(self, address: str, path: str, body: bytes, secured: Secured | None) -> bytes:
        """Return what `https://host:port` answers at `path`: to a POST of `body`, or to a GET where that is empty.

        With `secured` None whoever answers is taken, so that nothing secret may be in the body. Raises EnrolFailed, also for
        every status but 200.
        """
        ...


class Enrolment(Protocol):
    """What stands between this machine and its fleet, as the API sees it."""

    def status(self) -> EnrolmentStatus:
        """Return how it stands; cheap."""
        ...

    def invite(self, link: str, again: bool) -> EnrolmentStatus:
        """Begin to enrol by a link; `again` also where this machine is enrolled. Raises service.Refused."""
        ...

    def leave(self) -> None:
        """Leave the fleet, or what was begun to come into one. Raises service.Refused."""
        ...

    def request(self) -> VoucherRequest:
        """Return what another node has to know to vouch for this one. Raises service.Refused."""
        ...

    def vouch(self, wish: VoucherWish) -> VoucherGiven:
        """Vouch for another node. Raises service.Refused."""
        ...


class Uplink(Protocol):
    """The link to the fleet, as the process that keeps it sees it."""

    def start(self) -> None:
        """Begin to connect; never fails."""
        ...

    def look(self) -> None:
        """See whether there is a fleet to reach, and begin or end accordingly; called before each turn, and cheap."""
        ...

    def stop(self) -> None:
        """Say good-bye and keep what was not acknowledged."""
        ...
