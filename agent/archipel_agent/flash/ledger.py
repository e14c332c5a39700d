"""How much was written, hour by hour of the machine's running time. Pure; used by `flash.watch`.

By running time and not by dates, because clocks lie and because a rate is what wears a medium. The kernel's counter begins
anew with each start of the machine and with each new device; what was written between the last note and a power cut is
lost, with the time it took, so that the rate stays right.
"""

import json
from dataclasses import dataclass, replace

HOUR = 3600.0
DAY = 24 * HOUR
HOURS_KEPT = 7 * 24
LEAST_SPAN = HOUR / 2  # a rate over less says nothing of a day


@dataclass(frozen=True, slots=True)
class Span:
    """Some seconds of running time, and the bytes written in them."""

    seconds: float
    written: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What is kept: whose counter stood where, and the last hours, oldest first."""

    device: str = ""
    boot: str = ""
    counter: int = 0
    at: float = 0.0  # seconds since the start of the machine
    hours: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Rates:
    """Bytes a day; None before enough was seen."""

    now: float | None = None  # over the last day of running time
    week: float | None = None  # over the last seven


def noted(ledger: Ledger, device: str, boot: str, counter: int, at: float) -> Ledger:
    """Return the ledger with the counter of `device` as it stood `at` seconds after the start `boot`."""
    if device != ledger.device:
        return Ledger(device=device, boot=boot, counter=counter, at=at)
    same = boot == ledger.boot and counter >= ledger.counter and at >= ledger.at
    before = ledger if same else replace(ledger, boot=boot, counter=0, at=0.0)
    span = Span(at - before.at, counter - before.counter)
    if span.seconds < 1:
        return before  # too soon; the next note has it
    return replace(before, counter=counter, at=at, hours=(*ledger.hours, span)[-HOURS_KEPT:])


def rates(ledger: Ledger) -> Rates:
    """Return the rates of the last day and the last seven days of running time."""
    return Rates(_rate(ledger.hours, DAY), _rate(ledger.hours, 7 * DAY))


def _rate(hours: tuple[Span, ...], longest: float) -> float | None:
    seconds, written = 0.0, 0
    for span in reversed(hours):
        if seconds >= longest:
            break
        seconds += span.seconds
        written += span.written
    return written / seconds * DAY if seconds >= LEAST_SPAN else None


def text_of(ledger: Ledger) -> str:
    """Return the ledger as it is kept, about two kilobytes when full."""
    hours = [[round(one.seconds, 1), one.written] for one in ledger.hours]
    kept = [ledger.device, ledger.boot, ledger.counter, ledger.at, hours]
    return json.dumps(kept, separators=(",", ":"))


def parsed(text: str | None) -> Ledger:
    """Return what was kept; an empty ledger where there is nothing, or nothing that can be read."""
    try:
        device, boot, counter, at, hours = json.loads(text or "")
        spans = tuple(Span(max(0.0, float(seconds)), max(0, int(written))) for seconds, written in hours)
        return Ledger(
            device=str(device), boot=str(boot), counter=int(counter), at=float(at), hours=spans[-HOURS_KEPT:]
        )
    except (ValueError, TypeError, OverflowError):
        return Ledger()
