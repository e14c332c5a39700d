"""Whether another machine of the local network has this node's address: asked when a person asks, not at rest.

`upkeep` keeps one AddressWatch for the doctor, the preflight of `up` makes its own; `observe` begins the question before it
reads the rest and takes the answer after it. While another machine is known to have the address, each closer look asks
again, so that the finding ends when its cause does. For IPv6 the kernel asks by itself; here its word is only read.
"""

import ipaddress
import threading
from collections.abc import Callable
from dataclasses import dataclass

from archipel_agent.ports import Lan, LanSilent

DAD_FAILED = 0x08  # IFA_F_DADFAILED of <linux/if_addr.h>: somebody else answered to the address
PATIENCE_SECONDS = 10.0  # whoever asks ends earlier by itself
SHORT_SECONDS = 1.7  # for a preflight, which takes less than three in all

LATE = "the network was asked, and the answer took too long; archipel doctor waits longer"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSeen:
    """Who else has an address; `problem` says why nobody could be asked."""

    interface: str
    address: str
    others: tuple[str, ...] = ()  # hardware addresses
    problem: str = ""


Answer = Callable[[], AddressSeen | None]


class AddressWatch:
    """One node's."""

    def __init__(self, lan: Lan | None, asks: bool = False, patience: float = PATIENCE_SECONDS) -> None:
        """Ask `lan`, if there is one; with `asks` the next time that somebody could. An answer takes `patience` at most."""
        self._lan = lan
        self._asks = asks
        self._patience = patience
        self._seen: AddressSeen | None = None

    def ask_next(self) -> None:
        """Have the next closer look ask."""
        self._asks = True

    def begin(self, interface: str, address: str, own: frozenset[str]) -> Answer:
        """Begin to ask for `address` if that is due, and return what waits for the answer, None where nobody was asked.

        `own` are the hardware addresses of this machine, which do not count.
        """
        lan = self._lan
        is_known = self._seen is not None and bool(self._seen.others) and self._seen.address == address
        if lan is None or not (self._asks or is_known):
            return lambda: None
        self._asks = False
        told: list[AddressSeen] = []
        thread = threading.Thread(
            target=lambda: told.append(_asked(lan, interface, address, own)), name="neighbours", daemon=True
        )
        thread.start()

        def answer() -> AddressSeen | None:
            thread.join(self._patience)
            late = AddressSeen(interface=interface, address=address, problem=LATE)
            self._seen = told[0] if told else late
            return self._seen

        return answer


def _asked(lan: Lan, interface: str, address: str, own: frozenset[str]) -> AddressSeen:
    try:
        found = lan.holders(interface, address)
    except LanSilent as error:
        return AddressSeen(interface=interface, address=address, problem=str(error))
    others = tuple(sorted({one for one in found if one not in own}))
    return AddressSeen(interface=interface, address=address, others=others)


def twice6(text: str | None) -> tuple[str, ...] | None:
    """Return the IPv6 addresses of /proc/net/if_inet6 that the kernel found in use elsewhere, such as `fe80::1 on eth0`.

    None where there is no such file. A line is address, index, length, scope, flags, name (proc(5)), numbers hexadecimal.
    """
    if text is None:
        return None
    found = []
    for line in text.splitlines():
        fields = line.split()
        try:
            if len(fields) == 6 and int(fields[4], 16) & DAD_FAILED:
                found.append(f"{ipaddress.IPv6Address(bytes.fromhex(fields[0]))} on {fields[5]}")
        except ValueError:
            continue  # no line of that kernel's form
    return tuple(found)
