"""Makes the link of this machine from its settings and ports, over MQTT. Imported only where a broker is set."""

import math
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from archipel_agent.link.identity import LinkIdentity, Nobody
from archipel_agent.link.link import LinkParts
from archipel_agent.link.ways import Ways
from archipel_agent.paths import Paths
from archipel_agent.ports import Ports
from archipel_agent.settings import Settings
from archipel_agent.state.store import Store
from archipel_contract.link import broker_url
from archipel_contract.link.broker_url import BrokerUrl, BrokerUrlInvalid
from archipel_contract.link.messages import LinkPlan
from archipel_contract.link.mqtt import KEEPALIVE, MqttCarrier
from archipel_contract.link.reaching import MakeContext
from archipel_contract.status import LinkMode

LONGEST_KEEPALIVE = 3600
LONGEST_HELD = (
    65_535  # the keepalive has two bytes (MQTT 3.1.1, 3.1.2.10); what needs a longer one is not held
)
HELD_ROOM = 1.25  # of a call's period: what is said in each call must come before a ping would
PATIENT_POINTS = (
    12  # samples wait in memory until they are acknowledged: so many are little to lose in a power cut
)


NOBODY = Nobody()


def parts_of(
    node_id: str,
    ports: Ports,
    paths: Paths,
    store: Store,
    settings: Settings,
    identity: LinkIdentity = NOBODY,
    tls: MakeContext | None = None,
) -> LinkParts:
    """Return what the link is made of; raise BrokerUrlInvalid.

    `identity` and `tls` (which makes the context of each connection) are an enrolled device's; without them the link stays
    on this machine and takes no orders.
    """
    url = broker_url.parse(settings.broker)
    plan = plan_of(settings)
    is_held = holds(settings)
    return LinkParts(
        node_id=node_id,
        plan=plan,
        broker=str(url),
        clock=ports.clock,
        entropy=ports.entropy,
        facts=store,
        outbox=paths.outbox,
        carrier=lambda: MqttCarrier(url, node_id, tls=tls, keepalive=keepalive(plan, is_held)),
        free_bytes=lambda: ports.disk.space(paths.state).free_bytes,
        job=store.job,
        identity=identity,
        holds=is_held,
    )


class HasBrokers(Protocol):
    """Where a fleet is reached."""

    @property
    def brokers(self) -> tuple[str, ...]:
        """Addresses, in the order in which to try them."""
        ...


class DeviceTls(Protocol):
    """What carriers need of the device's identity; `identity.device` has it."""

    @property
    def fleet(self) -> HasBrokers:
        """What the fleet told at the enrolment."""
        ...

    def context(self, check_time: bool) -> ssl.SSLContext:
        """Return a context for the next connection; raise TlsUnusable."""
        ...

    def connected(self) -> None:
        """The connection of the last context was accepted."""
        ...

    def refused(self) -> None:
        """The connection of the last context was refused for its certificate."""
        ...


@dataclass(frozen=True, slots=True)
class Secured:
    """What makes a link one of an enrolled device."""

    identity: LinkIdentity
    device: DeviceTls
    checks_dates: Callable[[], bool]
    """Whether the clock is good enough to judge the dates of certificates."""


def secured_parts(
    node_id: str, ports: Ports, paths: Paths, store: Store, settings: Settings, secured: Secured
) -> LinkParts:
    """Return what the link of an enrolled device is made of: over TLS, by each of its fleet's brokers in turn.

    Raises BrokerUrlInvalid. A broker of the settings replaces those the fleet has told.
    """
    told = (settings.broker,) if settings.broker else secured.device.fleet.brokers
    urls = tuple(broker_url.parse(one) for one in told)
    if not urls:
        raise BrokerUrlInvalid("the fleet has named no broker")
    parts = parts_of(
        node_id, ports, paths, store, replace(settings, broker=told[0]), identity=secured.identity
    )

    def way(url: BrokerUrl) -> MqttCarrier:
        return MqttCarrier(
            url,
            node_id,
            tls=lambda: secured.device.context(secured.checks_dates()),
            keepalive=keepalive(parts.plan, parts.holds),
            proxy=settings.proxy,
        )

    device = secured.device
    return replace(parts, carrier=lambda: Ways([way(url) for url in urls], device.connected, device.refused))


def plan_of(settings: Settings) -> LinkPlan:
    """Return when the fleet may expect to hear from a node with these settings."""
    mode = LinkMode(settings.link_mode)
    every = settings.link_every if mode is LinkMode.DIAL_IN else settings.metrics_every
    metrics_every = round(settings.metrics_every)
    patience = min(round(settings.link_patience), PATIENT_POINTS * metrics_every)
    if mode is LinkMode.DIAL_IN:
        patience = 0  # a call has to know what arrived before it hangs up
    return LinkPlan(mode=mode, every=round(every), metrics_every=metrics_every, patience=patience)


def holds(settings: Settings) -> bool:
    """Whether a node that dials in keeps its line between two calls."""
    is_short = HELD_ROOM * settings.link_every <= LONGEST_HELD
    return settings.link_mode == LinkMode.DIAL_IN and settings.link_hold == "auto" and is_short


def keepalive(plan: LinkPlan, is_held: bool = False) -> int:
    """Return the MQTT keepalive in seconds.

    Samples and their acknowledgements come more often, so that no ping is ever sent while all is well: pings once a minute
    would cost a metered link more than all messages together. That an answer stays away is noticed by the engine sooner.
    On a line that is held between calls it is longer than their period.
    """
    if is_held:
        return max(KEEPALIVE, math.ceil(HELD_ROOM * plan.every))
    return min(LONGEST_KEEPALIVE, max(KEEPALIVE, 2 * plan.metrics_every))
