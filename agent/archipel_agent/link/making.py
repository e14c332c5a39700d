"""Makes the link of this machine from its settings and ports, over MQTT. Imported only where a broker is set."""

from archipel_agent.link.link import Link, LinkParts
from archipel_agent.paths import Paths
from archipel_agent.ports import Ports
from archipel_agent.settings import Settings
from archipel_agent.state.store import Store
from archipel_contract.link import broker_url
from archipel_contract.link.broker_url import BrokerUrlInvalid
from archipel_contract.link.messages import LinkPlan
from archipel_contract.link.mqtt import KEEPALIVE, MqttCarrier
from archipel_contract.status import LinkMode

LONGEST_KEEPALIVE = 3600


def link_of(node_id: str, ports: Ports, paths: Paths, store: Store, settings: Settings) -> Link:
    """Return the link, not started yet; raise BrokerUrlInvalid."""
    return Link(parts_of(node_id, ports, paths, store, settings))


def parts_of(node_id: str, ports: Ports, paths: Paths, store: Store, settings: Settings) -> LinkParts:
    """Return what the link is made of, for a rehearsal that puts something in between; raise BrokerUrlInvalid."""
    url = broker_url.parse(settings.broker)
    plan = plan_of(settings)
    return LinkParts(
        node_id=node_id,
        plan=plan,
        broker=str(url),
        clock=ports.clock,
        entropy=ports.entropy,
        facts=store,
        outbox=paths.outbox,
        carrier=lambda: MqttCarrier(url, node_id, keepalive=keepalive(plan)),
        free_bytes=lambda: ports.disk.space(paths.state).free_bytes,
        job=store.job,
    )


def plan_of(settings: Settings) -> LinkPlan:
    """Return when the fleet may expect to hear from a node with these settings."""
    mode = LinkMode(settings.link_mode)
    every = settings.link_every if mode is LinkMode.DIAL_IN else settings.metrics_every
    return LinkPlan(mode=mode, every=round(every), metrics_every=round(settings.metrics_every))


def keepalive(plan: LinkPlan) -> int:
    """Return the MQTT keepalive in seconds.

    Samples and their acknowledgements come more often, so that no ping is ever sent while all is well: pings once a minute
    would cost a metered link more than all messages together. That an answer stays away is noticed by the engine sooner.
    """
    return min(LONGEST_KEEPALIVE, max(KEEPALIVE, 2 * plan.metrics_every))


__all__ = ["BrokerUrlInvalid", "keepalive", "link_of", "parts_of", "plan_of"]
