"""The drop-ins that make a machine fit to stand for years: journal, watchdog, and time for an orderly shutdown. Pure.

Used by the step `host`. What the site itself has set in the same section, in the main file or in a drop-in of any name, is
left out of ours, so that the site's own word counts whatever the names sort like.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from archipel_agent.k3s.config import SHUTDOWN_GRACE_SECONDS

# Bounded, so that a flood of lines fills no card; written down every ten minutes unless something critical is among them.
# The rate holds for each service, so that k3s cannot drown the agent; no second journal for k3s (decision 25).
JOURNAL: Mapping[str, str] = {
    "Storage": "persistent",
    "SystemMaxUse": "100M",
    "RuntimeMaxUse": "32M",
    "SyncIntervalSec": "10m",
    "RateLimitIntervalSec": "30s",
    "RateLimitBurst": "2000",
}
# logind lets kubelet end its pods for so long. Where it allows less, kubelet writes a file of its own there.
LOGIND: Mapping[str, str] = {"InhibitDelayMaxSec": str(SHUTDOWN_GRACE_SECONDS + 5)}

# The watchdog of a Raspberry Pi counts to 15 seconds. Until Linux 6.8 it refused more, and systemd then went without one
# and said so only in the log (systemd issue 27427).
PI_SECONDS = 14
USUAL_SECONDS = 30
LONG_REBOOT = "2min"
PI_TAKES_MORE = (6, 8)


@dataclass(frozen=True, slots=True)
class DropIn:
    """One of them: below /etc/systemd, with what it sets."""

    directory: str
    main: str  # the file it adds to
    section: str
    values: Mapping[str, str]
    why: str
    file: str = "90-archipel.conf"


def drop_ins(*, watchdog: bool, is_pi: bool, kernel: str) -> tuple[DropIn, ...]:
    """Return those for a machine; `watchdog`: it has one, and the site wants it used."""
    found = [
        DropIn("journald.conf.d", "journald.conf", "Journal", JOURNAL, "the journal stays small and is kept"),
        DropIn("logind.conf.d", "logind.conf", "Login", LOGIND, "pods may end in order when power goes"),
    ]
    if watchdog:
        found.append(
            DropIn(
                "system.conf.d",
                "system.conf",
                "Manager",
                watchdog_values(is_pi, kernel),
                "the hardware restarts a machine whose system hangs",
                "90-archipel-watchdog.conf",
            )
        )
    return tuple(found)


def watchdog_values(is_pi: bool, kernel: str) -> Mapping[str, str]:
    """Return what systemd is told of the watchdog, by board and kernel."""
    if is_pi and not _is_at_least(kernel, PI_TAKES_MORE):
        return {"RuntimeWatchdogSec": str(PI_SECONDS), "RebootWatchdogSec": str(PI_SECONDS)}
    return {"RuntimeWatchdogSec": str(USUAL_SECONDS), "RebootWatchdogSec": LONG_REBOOT}


def _is_at_least(kernel: str, version: tuple[int, int]) -> bool:
    found = re.match(r"(\d+)\.(\d+)", kernel)
    return found is not None and (int(found[1]), int(found[2])) >= version


def said_by_site(texts: Iterable[str], section: str) -> frozenset[str]:
    """Return the keys that a site's own files set in a section (systemd.syntax(7))."""
    keys: set[str] = set()
    for text in texts:
        here = ""
        for line in text.splitlines():
            stripped = line.strip()
            if stripped.startswith("["):
                here = stripped.strip("[]")
            elif here == section and stripped[:1] not in ("#", ";", "") and "=" in stripped:
                keys.add(stripped.partition("=")[0].strip())
    return frozenset(keys)


def content(one: DropIn, said: frozenset[str]) -> bytes:
    """Return the text of a drop-in without what the site has said; empty where nothing is left to say."""
    lines = [f"{key}={value}" for key, value in one.values.items() if key not in said]
    if not lines:
        return b""
    head = (
        f"# Written by Archipel: {one.why}. What you set in a file of your own beside this one counts\n"
        "# instead, from the next `archipel up` on.\n"
    )
    return (head + f"[{one.section}]\n" + "\n".join(lines) + "\n").encode()
