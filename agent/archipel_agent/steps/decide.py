"""Settle what a site should be, from what was asked, what there is and what was settled before. Pure.

The checks have passed when this runs: exactly one address fits, names and networks are valid. What an existing site has
settled and cannot change stays (networks, address, node name); asking for another value is refused.
"""

from dataclasses import replace

from archipel_agent.checks.addresses import candidates
from archipel_agent.steps.options import Options
from archipel_contract.catalogue import finding
from archipel_contract.facts import NodeFacts
from archipel_contract.findings import Finding
from archipel_contract.names import NameInvalid, checked_node_name, proposed_node_name
from archipel_contract.site import (
    DEFAULT_COMPONENTS,
    Desired,
    Hardening,
    K3sBinary,
    Network,
    NodeSpec,
    Origin,
    Role,
    SiteDocument,
)


class Unsettled(Exception):
    """What was asked cannot be: the finding says why and what would."""

    def __init__(self, problem: Finding) -> None:
        super().__init__(problem.summary)
        self.finding = problem


def settle(
    options: Options, facts: NodeFacts, before: SiteDocument | None, node_id: str, site_id: str
) -> SiteDocument:
    """Return the site document to bring about (generation 0, origin local); raise Unsettled.

    `k3s` is left as it was or empty: a later step finds and verifies the binary.
    """
    if before is not None:
        return _again(options, before)
    fitting = [
        choice
        for choice in candidates(facts, with_virtual=bool(options.interface or options.node_ip))
        if options.interface in ("", choice.interface) and options.node_ip in ("", choice.address)
    ]
    if len(fitting) != 1:
        said = ", ".join(f"{one.interface} {one.address}" for one in fitting) or "-"
        example = f"sudo archipel up --interface {fitting[0].interface}" if fitting else "ip addr"
        raise Unsettled(finding("address-choice", choices=said, command=example))
    network = Network(node_ip=fitting[0].address, interface=fitting[0].interface)
    network = replace(
        network,
        cluster_cidr=options.cluster_cidr or network.cluster_cidr,
        service_cidr=options.service_cidr or network.service_cidr,
    )
    name = options.node_name or proposed_node_name(facts.hostname)
    return SiteDocument(
        site_id=site_id,
        generation=0,
        origin=Origin.LOCAL,
        name=options.name or facts.hostname,
        network=network,
        k3s=K3sBinary(path="", version="", sha256=""),
        nodes=(NodeSpec(node_id=node_id, node_name=_checked(name), role=Role.SERVER),),
        hardening=Hardening(options.hardening or Hardening.STANDARD),
        components=DEFAULT_COMPONENTS if options.components is None else options.components,
    )


def _checked(name: str) -> str:
    try:
        return checked_node_name(name)
    except NameInvalid as error:
        raise Unsettled(finding("option-invalid", option="--node-name", problem=str(error))) from error


def _again(options: Options, before: SiteDocument) -> SiteDocument:
    fixed = {
        "--node-ip": (options.node_ip, before.network.node_ip),
        "--interface": (options.interface, before.network.interface),
        "--cluster-cidr": (options.cluster_cidr, before.network.cluster_cidr),
        "--service-cidr": (options.service_cidr, before.network.service_cidr),
        "--node-name": (options.node_name, before.nodes[0].node_name),
    }
    if before.adopted:
        asked_for = " ".join(sorted(options.components or ()))
        fixed["--hardening"] = (options.hardening, before.hardening)
        fixed["--component"] = (asked_for, " ".join(sorted(before.components)))
    for option, (asked, kept) in fixed.items():
        if asked and asked != kept:
            raise Unsettled(finding("site-settled", option=option, asked=asked, kept=kept))
    return replace(
        before,
        name=options.name or before.name,
        hardening=Hardening(options.hardening or before.hardening),
        components=before.components if options.components is None else options.components,
        desired=Desired.RUNNING,
    )
