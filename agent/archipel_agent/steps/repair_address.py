"""Give the site the address or the interface this machine has now, after either has changed under it.

k3s binds to the address in its settings and does not follow the machine. It signs its serving certificates anew for the
new address at its start; only etcd has to be told (see repair_etcd). What was before is kept, and the repair's way back
puts it in force again.
"""

import ipaddress
import json
from dataclasses import replace

from archipel_agent.checks.addresses import Choice, candidates
from archipel_agent.observe import cluster
from archipel_agent.ports import CommandFailed
from archipel_agent.steps import repair_etcd
from archipel_agent.steps.adopt_common import refused
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.options import Options
from archipel_agent.steps.waiting import Look, wait_until
from archipel_contract import wire
from archipel_contract.catalogue import finding
from archipel_contract.facts import NodeFacts
from archipel_contract.findings import Finding
from archipel_contract.site import Network, SiteDocument

BEFORE = "network_before"
BACK_BY = "network_back_by"  # the job that took it back, known by it after a cut
TELL_SECONDS = 20.0


def choose(network: Network, facts: NodeFacts, options: Options) -> Choice | Finding:
    """Return the address and interface to take, or the finding that says why none can be taken without being asked.

    What was said decides. Else the same address on whatever interface, then the same interface with its one address, then
    the one address this machine has. Never a guess between two. Pure.
    """
    said = bool(options.node_ip or options.interface)
    every = candidates(facts, with_virtual=True)
    usual = every if said else candidates(facts)
    ranks = (
        [one for one in every if one.address == network.node_ip and not said],
        [one for one in every if one.interface == network.interface and not said],
        [
            one
            for one in usual
            if options.node_ip in ("", one.address) and options.interface in ("", one.interface)
        ],
    )
    fitting = next((rank for rank in ranks if rank), [])
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        shown = ", ".join(f"{one.interface} {one.address}" for one in fitting)
        command = f"sudo archipel repair {options.code} --interface {fitting[0].interface}"
        if len({one.interface for one in fitting}) == 1:
            command = f"sudo archipel repair {options.code} --node-ip {fitting[0].address}"
        return finding("address-choice", choices=shown, command=command)
    return _none(options, every)


def _none(options: Options, every: tuple[Choice, ...]) -> Finding:
    present = ", ".join(f"{one.interface} {one.address}" for one in every) or "-"
    if options.node_ip:
        return finding("address-absent", address=options.node_ip, present=present)
    if options.interface:
        return finding("interface-without-address", interface=options.interface)
    return finding("address-none")


def _wanted(context: Context) -> Network:
    """Return the network to take; raise StepFailed."""
    network = _site(context).network
    chosen = choose(network, context.ports.machine.facts(), context.options)
    if isinstance(chosen, Finding):
        raise StepFailed(chosen, refused=True)
    address = ipaddress.IPv4Address(chosen.address)
    for cidr in (network.cluster_cidr, network.service_cidr):
        if address in ipaddress.IPv4Network(cidr):
            raise StepFailed(
                finding("address-inside-site", address=chosen.address, network=cidr), refused=True
            )
    return replace(network, node_ip=chosen.address, interface=chosen.interface)


def _site(context: Context) -> SiteDocument:
    site = context.store.site()
    if site is None:
        raise StepFailed(finding("not-set-up"), refused=True)
    return site


def check(context: Context) -> str | None:
    """Nothing to do when the site has what the machine has; a plan says what would be taken."""
    site, wanted = _site(context), _wanted(context)
    return f"the site has {wanted.node_ip} on {wanted.interface}" if site.network == wanted else None


def run(context: Context) -> str:
    """Write it down in the site document, with what was before."""
    site, wanted = _site(context), _wanted(context)
    _put(context, wanted, before=site.network)
    return (
        f"from {site.network.node_ip} on {site.network.interface} to {wanted.node_ip} on {wanted.interface}"
    )


def _put(context: Context, network: Network, before: Network) -> None:
    """Put a network in force, in both documents, and keep the one before."""
    present = {which: context.store.site(which) for which in ("current", "desired")}
    # Written first: whoever is cut off after the documents were kept still knows that etcd has not been told.
    context.store.keep(**{BEFORE: wire.to_json(before).decode(), repair_etcd.RESET_WANTED: "yes"})
    context.store.keep_sites(
        {which: replace(one, network=network) for which, one in present.items() if one is not None}
    )


def _before(context: Context) -> Network | None:
    kept = context.store.value(BEFORE)
    return None if kept is None else wire.from_json(Network, kept)


def undo(context: Context) -> None:
    """Put the network from before in force again, and forget that there was another."""
    before = _before(context)
    if before is not None:
        _put(context, before, before)
        context.store.keep(**{BEFORE: None})


def is_back(context: Context) -> str | None:
    """Nothing to do when it was put in force before a cut; refuses where there is none, or this machine lacks it."""
    before = _before(context)
    if context.job and context.store.value(BACK_BY) == context.job:
        return "put in force"
    if before is None:
        raise StepFailed(finding("nothing-to-take-back", finding=context.options.code), refused=True)
    present = candidates(context.ports.machine.facts(), with_virtual=True)
    if Choice(interface=before.interface, address=before.node_ip) not in present:
        shown = ", ".join(f"{one.interface} {one.address}" for one in present) or "-"
        raise StepFailed(_absent(before, shown), refused=True)
    return f"the site has {before.node_ip}" if _site(context).network == before else None


def _absent(before: Network, present: str) -> Finding:
    return finding(
        "address-before-absent", address=before.node_ip, interface=before.interface, present=present
    )


def _named(network: Network) -> dict[str, str]:
    return {"address": network.node_ip, "interface": network.interface}


def take_back(context: Context) -> str:
    """Put the network from before a repair in force again. It stays known until k3s runs with it (see `forget`)."""
    before = _before(context)
    if before is None:
        raise LookupError("no network from before is kept")
    _put(context, before, before)
    return f"{before.node_ip} on {before.interface}"


def forget(context: Context) -> str:
    """Forget the network from before: it is the present one again, and this job is known to have seen to it."""
    context.store.keep(**{BEFORE: None, BACK_BY: context.job})
    return "the repair is taken back"


def tell_node(context: Context) -> str:
    """Write the address into the Node object, as its kubelet would a little later.

    k3s looks for it there first, and ends when no interface has it: at each start, until the kubelet was faster (seen on
    v1.36.3). Where it cannot be written the kubelet's turn is waited for.
    """
    site = context.site()
    addresses = [{"type": "InternalIP", "address": site.network.node_ip}]
    argv = [site.k3s.path, "kubectl", "--kubeconfig", str(context.paths.kubeconfig), "patch", "node"]
    argv += [site.nodes[0].node_name, "--subresource=status", "--type=strategic"]
    argv += ["--patch", json.dumps({"status": {"addresses": addresses}})]
    try:
        context.ports.runner.run(argv, timeout=TELL_SECONDS)
    except CommandFailed as error:
        return f"left to the kubelet: {error}"
    return site.network.node_ip


def look(context: Context) -> Look:
    """Look whether Kubernetes shows the node at its address."""
    wanted = context.site().network.node_ip
    seen = cluster(context.ports, context.ports.k3s.status())
    if not seen.ready:
        return Look(False)
    name = context.site().nodes[0].node_name
    reply = context.ports.kube.request("GET", "/api/v1/nodes")
    nodes = json.loads(reply.body)["items"] if reply.status == 200 else []
    listed = [
        one
        for node in nodes
        if node["metadata"]["name"] == name
        for one in node["status"].get("addresses", [])
    ]
    has = any(one.get("type") == "InternalIP" and one.get("address") == wanted for one in listed)
    return Look(has, f"{name} is at {wanted}" if has else "")


def shown(context: Context) -> str | None:
    """Nothing to wait for when it shows already."""
    seen = look(context)
    return seen.said if seen.over else None


def wait(context: Context) -> str:
    """Wait for it."""
    return wait_until(
        context,
        lambda: look(context),
        context.settings.node_timeout,
        "node-timeout",
        "the node to show its new address",
    )


def foresee(context: Context) -> str:
    """Say what would be taken, or why it is not clear."""
    wanted = _wanted(context)
    return f"{wanted.node_ip} on {wanted.interface}"


TAKE = refused(
    Step(
        slug="take-address",
        title="Take the address this machine has now",
        check=check,
        run=run,
        undo=undo,
        foresee=foresee,
    )
)
TAKE_BACK = refused(
    Step(slug="address-back", title="Put the address from before in force", check=is_back, run=take_back)
)
FORGET = Step(slug="address-forget", title="Forget the address that was given up", run=forget)
SHOWN = Step(slug="wait-address", title="Wait until the node shows it", check=shown, run=wait)
TELL_NODE = Step(slug="node-address", title="Write the address into the node", check=shown, run=tell_node)
