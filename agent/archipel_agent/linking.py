"""The link of this machine, whenever there is a fleet to reach: a broker of the settings, or the fleet it has enrolled with.

Made by `daemon`, which has it looked after before each turn: a machine that is enrolled while the agent runs gets its
link at once, one that has left its fleet loses it. Everything that costs memory is imported only then.
"""

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from archipel_agent import clocks
from archipel_agent.compose import WayIn
from archipel_agent.core import Core
from archipel_agent.ports import Uplink
from archipel_agent.settings import Settings
from archipel_agent.state.database import StateUnusable
from archipel_contract.status import LinkMode, LinkState, LinkStatus

if TYPE_CHECKING:
    from archipel_agent.identity.device import DeviceIdentity
    from archipel_agent.link.link import Link, LinkParts
    from archipel_agent.remote.desk import OrderDesk

LOG = logging.getLogger(__name__)


class FleetLink:
    """Implements Uplink. Calls come from the turns' thread."""

    def __init__(
        self,
        core: Core,
        settings: Settings,
        way_in: WayIn | None,
        changed: "Callable[[LinkParts], LinkParts] | None" = None,
    ) -> None:
        """Nothing is opened yet; `changed` exchanges parts of each link (a rehearsal's gate in front of the carrier)."""
        self._core, self._settings, self._way_in = core, settings, way_in
        self._changed = changed
        self._towards: object = None  # which fleet, by which brokers
        self._link: Link | None = None
        self._desk: OrderDesk | None = None
        self._is_wrong = False
        self._has_rtc: bool | None = None  # as it was when first asked

    def start(self) -> None:
        """Begin to connect, if there is somewhere to connect to; never fails."""
        self.look()

    def look(self) -> None:
        """Open the link when there is a fleet to reach and none is open, close it when the fleet has been left."""
        if self._core.store is None:
            return
        identity = self._identity()
        towards = (identity.fleet.address, identity.fleet.brokers) if identity is not None else None
        if towards != self._towards:  # enrolled, with another fleet, or its brokers have moved
            self.stop()
            self._towards, self._is_wrong = towards, False
        if self._is_wrong:
            return
        if self._link is None and (identity is not None or self._settings.broker):
            self._open(identity)

    def stop(self) -> None:
        """Say good-bye and keep what was not acknowledged."""
        link, desk = self._link, self._desk
        self._link = self._desk = None
        if desk is not None:
            desk.stop()
        if link is not None:
            link.stop()
            self._core.link_status, self._core.when_reported = LinkStatus, _unheard

    def _identity(self) -> "DeviceIdentity | None":
        keeper = self._way_in.keeper if self._way_in is not None else None
        if keeper is None or not keeper.identity.has_certificate:
            return None
        return keeper.identity

    def _open(self, identity: "DeviceIdentity | None") -> None:
        # A site without a fleet must not pay for the link in memory.
        from archipel_agent.link import making  # noqa: PLC0415 - see above
        from archipel_agent.link.link import Link  # noqa: PLC0415 - see above
        from archipel_contract.link.broker_url import BrokerUrlInvalid  # noqa: PLC0415 - see above

        core, store = self._core, self._core.store
        assert store is not None  # see look
        try:
            if identity is None:
                parts = making.parts_of(core.node_id, core.ports, core.paths, store, self._settings)
            else:
                self._desk = self._desk_of(identity)
                parts = making.secured_parts(
                    core.node_id,
                    core.ports,
                    core.paths,
                    store,
                    self._settings,
                    making.Secured(self._desk, identity, lambda: self._time().checks_dates),
                )
        except BrokerUrlInvalid as error:
            self._is_wrong = True
            self._desk = None
            core.link_status = functools.partial(_wrong, self._settings, str(error))
            return
        link = Link(parts if self._changed is None else self._changed(parts))
        self._link = link
        core.link_status, core.when_reported = link.status, link.note
        self._begin(link)

    def _begin(self, link: "Link") -> None:
        if self._desk is not None:
            try:
                self._desk.start(link)
            except StateUnusable as error:
                LOG.error("orders of the fleet cannot be kept, so none is taken: %s", error)
        link.start()

    def _desk_of(self, identity: "DeviceIdentity") -> "OrderDesk":
        from archipel_agent.remote.desk import OrderDesk  # noqa: PLC0415 - see the module
        from archipel_agent.remote.parts import RemoteParts  # noqa: PLC0415 - see the module
        from archipel_agent.remote.veto import vetoed  # noqa: PLC0415 - see the module

        core, store, keeper = self._core, self._core.store, self._way_in.keeper if self._way_in else None
        assert store is not None and core.journal is not None and keeper is not None  # see look
        return OrderDesk(
            RemoteParts(
                node_id=core.node_id,
                keys=identity,
                orders=store.orders,
                journal=core.journal,
                ports=core.ports,
                paths=core.paths,
                agent=core,
                time=self._time,
                site_id=self._site_id,
                secrets=self._secrets,
                heard_time=self._heard_time,
                veto=vetoed(self._settings),
                two_signatures=self._settings.two_signatures == "on",
            )
        )

    def _time(self) -> clocks.TrustedTime:
        ports = self._core.ports
        if self._has_rtc is None:
            self._has_rtc = ports.machine.facts().has_rtc
        return clocks.trusted(
            self._core.store, ports.clock, ports.machine.clock_synchronized(), self._has_rtc
        )

    def _heard_time(self, at_ms: int) -> None:
        assert self._core.store is not None  # see look
        try:
            clocks.believe(self._core.store, at_ms, self._core.ports.clock)
        except StateUnusable as error:
            LOG.warning("the fleet's time cannot be kept: %s", error)

    def _site_id(self) -> str:
        site = self._core.store.site() if self._core.store is not None else None
        return site.site_id if site is not None else ""

    def _secrets(self) -> tuple[str, ...]:
        return self._core.store.tokens() if self._core.store is not None else ()


def open_link(core: Core, settings: Settings, way_in: WayIn | None = None) -> Uplink:
    """Return the link of `core` to its fleet, which is opened as soon as there is one to reach.

    What the core reports goes to the link from then on, and how the link stands is part of what it reports.
    """
    return FleetLink(core, settings, way_in)


def _wrong(settings: Settings, why: str) -> LinkStatus:
    return LinkStatus(
        mode=LinkMode(settings.link_mode),
        state=LinkState.AWAY,
        code="link-broker-wrong",
        message=f"the broker: {why}",
    )


def _unheard(report: object) -> None:
    """No fleet wants to know."""
