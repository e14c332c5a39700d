"""Watches the medium with the site's data: counts what is written to it, and looks at its wear.

Owned by `core`. At rest it costs one comparison a turn, and once an hour three small files and one small write. What starts
processes or reads every process is done when somebody asks the doctor, and remembered.
"""

import contextlib
from dataclasses import replace

from archipel_agent.flash import asking
from archipel_agent.flash.budget import MB, budget
from archipel_agent.flash.device import devices_of, identity_of, written_bytes
from archipel_agent.flash.ledger import HOUR, Ledger, noted, parsed, rates, text_of
from archipel_agent.flash.seen import FlashSeen
from archipel_agent.flash.wear import Wear, of_device, with_smart
from archipel_agent.paths import Paths
from archipel_agent.ports import Ports
from archipel_agent.state.database import StateUnusable
from archipel_agent.state.store import Store
from archipel_contract.facts import NodeUsage

KEPT_AS = "flash_writes"
BOOT = "kernel.random.boot_id"


class FlashWatch:
    """One node's."""

    def __init__(self, ports: Ports, paths: Paths, store: Store | None, setting: str) -> None:
        """`setting` is `write_budget_mb_per_day`; without a store nothing is remembered."""
        self._ports, self._paths, self._store, self._setting = ports, paths, store, setting
        self._ledger: Ledger | None = None
        self._has_begun = False
        self._next = 0.0
        self._rates = rates(Ledger())
        self._wear: tuple[Wear, ...] = ()
        self._writers: tuple[str, ...] = ()
        self._errors: tuple[str, ...] = ()
        self._logs_read: float | None = None

    def count(self) -> None:
        """Note what was written, once an hour; called in every turn."""
        now = self._ports.clock.monotonic()
        if now < self._next:
            return
        boot = self._ports.machine.kernel_setting(BOOT) or ""
        ledger, self._has_begun, is_first = self._kept(), True, not self._has_begun
        if is_first and boot == ledger.boot and 0 <= now - ledger.at < HOUR:
            self._next = ledger.at + HOUR  # an agent that starts often writes no more often
            return
        self._next = now + HOUR
        self._note(ledger, boot, now)

    def _kept(self) -> Ledger:
        """Return the ledger, read from the store the first time."""
        if self._ledger is None:
            self._ledger = parsed(self._store.value(KEPT_AS) if self._store is not None else None)
            self._rates = rates(self._ledger)
        return self._ledger

    def _note(self, ledger: Ledger, boot: str, now: float) -> None:
        disk, paths = self._ports.disk, self._paths
        devices = devices_of(disk, paths, paths.k3s_data)
        counters = [written_bytes(disk, paths, one) for one in devices]
        known = [one for one in counters if one is not None]
        if not known or len(known) < len(counters):
            return
        # Of several (a mirror, a volume over two) the one that is written most: each wears for itself.
        name = " ".join(identity_of(disk, paths, one) for one in devices)
        self._ledger = noted(ledger, name, boot, max(known), now)
        self._rates = rates(self._ledger)
        if self._store is not None:
            with contextlib.suppress(StateUnusable):  # a full disk: the next hour tries again
                self._store.keep(**{KEPT_AS: text_of(self._ledger)})

    def shown(self, usage: NodeUsage) -> NodeUsage:
        """Return a sample with what is known of the medium in it."""
        self._kept()
        worn = [one.used_percent for one in self._wear if one.used_percent is not None]
        day, week = self._rates.now, self._rates.week
        if day is None and not worn:
            return usage
        return replace(
            usage,
            written_mb_per_day=None if day is None else round(day / MB),
            written_mb_per_day_week=None if week is None else round(week / MB),
            wear_percent=max(worn, default=None),
        )

    def look_thoroughly(self) -> None:
        """Ask everybody; for the doctor."""
        devices = devices_of(self._ports.disk, self._paths, self._paths.k3s_data)
        self._writers = asking.writers(self._ports.disk, self._paths)
        self._wear = tuple(
            with_smart(
                of_device(self._ports.disk, self._paths, one), asking.smart_text(self._ports.runner, one)
            )
            for one in devices
        )
        self._logs_read = None

    def seen(self) -> FlashSeen:
        """Return how the medium stands; for a closer look."""
        disk, paths, now = self._ports.disk, self._paths, self._ports.clock.monotonic()
        asked = {one.device: one for one in self._wear}
        fresh = [of_device(disk, paths, one) for one in devices_of(disk, paths, paths.k3s_data)]
        self._wear = tuple(_newer(one, asked.get(one.device)) for one in fresh)
        if self._logs_read is None or now - self._logs_read >= HOUR:
            self._errors = asking.kernel_errors(self._ports.runner, tuple(one.device for one in self._wear))
            self._logs_read = now
        bounds = [bound for one in self._wear if (bound := budget(self._setting, one.kind, one.size))]
        return FlashSeen(
            devices=self._wear,
            rates=self._rates,
            budget=min(bounds, default=None),
            writers=self._writers,
            errors=self._errors,
            remounted=asking.remounted(disk, paths),
        )


def _newer(fresh: Wear, asked: Wear | None) -> Wear:
    """Return the fresh reading, with what only smartctl could say as it was last asked."""
    if asked is None or (asked.size, asked.kind) != (fresh.size, fresh.kind):
        return fresh
    used = fresh.used_percent if fresh.used_percent is not None else asked.used_percent
    errors = fresh.errors if fresh.errors is not None else asked.errors
    return replace(
        fresh, name=asked.name or fresh.name, used_percent=used, failing=asked.failing, errors=errors
    )
