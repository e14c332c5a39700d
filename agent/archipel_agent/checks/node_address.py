"""Whether it is clear which address and interface this node uses.

The choice is written into the site and kept; it is never guessed. One usable address is no choice; several
are put to the person, each with the command that chooses it.
"""

from archipel_agent.checks import logs
from archipel_agent.checks.addresses import Choice, candidates, fits
from archipel_agent.checks.base import PREFLIGHT, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding

SLUG = slug_of(__name__)
PHASES = PREFLIGHT


def look(evidence: Evidence) -> CheckResult:
    """Judge what was wished for, else what there is."""
    if not evidence.facts.nics:
        return undecided(SLUG, "the network interfaces could not be read")
    wishes = evidence.wishes
    if wishes.interface and wishes.interface not in {nic.name for nic in evidence.facts.nics}:
        return found(SLUG, f"no {wishes.interface}", _absent_interface(evidence))
    wished = bool(wishes.interface or wishes.node_ip)
    if not wished and evidence.site is not None:
        network = evidence.site.network
        return passed(SLUG, f"the site keeps {network.interface} {network.node_ip}")
    choices = [
        one
        for one in candidates(evidence.facts, with_virtual=wished)
        if fits(one, wishes.interface, wishes.node_ip)
    ]
    said = ", ".join(f"{one.interface} {one.address}" for one in choices) or "none"
    if len(choices) == 1:
        return passed(SLUG, said)
    return found(SLUG, said, _several(choices, said) if choices else _none(evidence))


def _absent_interface(evidence: Evidence) -> Finding:
    names = " ".join(nic.name for nic in evidence.facts.nics if nic.name != "lo")
    return finding("interface-absent", interface=evidence.wishes.interface, interfaces=names or "-")


def _none(evidence: Evidence) -> Finding:
    wishes = evidence.wishes
    present = _listed(candidates(evidence.facts, with_virtual=True))
    if wishes.node_ip:
        return finding("address-absent", address=wishes.node_ip, present=present)
    if wishes.interface:
        return finding("interface-without-address", interface=wishes.interface)
    names = [f"{nic.name} ({'up' if nic.up else 'down'})" for nic in evidence.facts.nics if nic.name != "lo"]
    return logs.with_evidence(finding("address-none"), *names)


def _several(choices: list[Choice], said: str) -> Finding:
    commands = [_command(one, choices) for one in choices]
    lines = [
        f"{one.interface} {one.address}: {command}" for one, command in zip(choices, commands, strict=True)
    ]
    return logs.with_evidence(finding("address-choice", choices=said, command=commands[0]), *lines)


def _command(choice: Choice, choices: list[Choice]) -> str:
    alone = sum(one.interface == choice.interface for one in choices) == 1
    option = f"--interface {choice.interface}" if alone else f"--node-ip {choice.address}"
    return f"sudo archipel up {option}"


def _listed(choices: tuple[Choice, ...]) -> str:
    return ", ".join(f"{one.interface} {one.address}" for one in choices) or "-"
