"""What an answer file leads to: settings, an enrolment, a clock, and the options of the `up` a person would type. Pure.

On a machine that is not a site yet all of it counts. A site that runs takes from a file what cannot hurt its pods: its name,
the settings, the fleet if it has none. Networks, address and node name of a running cluster cannot be changed at all, and
what its pods would notice is for a person to decide; both become findings, and the rest is done.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from archipel_agent.answers.schema import FIELDS, Value, setting_value
from archipel_contract.catalogue import finding
from archipel_contract.findings import Finding
from archipel_contract.site import Desired, SiteDocument
from archipel_contract.status import EnrolmentStatus, Membership

VERSION = re.compile(r"v?\d+\.\d+\.\d+\+k3s\d+")
Options = dict[str, str | bool | int | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to become of the site. `options` None: nothing."""

    options: Options | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """What is to become of the membership. `link` empty: nothing is left to enrol with."""

    link: str = field(default="", repr=False)
    waits: bool = False  # an enrolment is under way, or will be
    findings: tuple[Finding, ...] = ()


def settings(values: Mapping[str, Value]) -> dict[str, str | float]:
    """Return what is to stand in agent.toml."""
    return {
        one.setting: setting_value(one, value)
        for key, value in values.items()
        if (one := FIELDS[key]).setting
    }


def not_before(values: Mapping[str, Value]) -> datetime | None:
    """Return the time that has certainly passed."""
    said = values.get("time.not_before")
    return datetime.fromisoformat(str(said)) if said else None


def wish(
    values: Mapping[str, Value], before: Mapping[str, Value], directory: Path, site: SiteDocument | None
) -> Wish:
    """Return the options of `up`; `before` is what an earlier file said, `directory` what paths are relative to."""
    if values.get("site.start") is False:
        return Wish()
    asked = _options(values, directory)
    if site is None:
        return Wish(options=asked)
    found = (*_settled(values, site), *_by_hand(values, before, site))
    name = str(values.get("site.name", ""))
    if not name or name == site.name:
        return Wish(findings=found)
    if site.desired is Desired.STOPPED:
        return Wish(findings=(*found, finding("answers-stopped")))
    return Wish(options={"name": name}, findings=found)


def _options(values: Mapping[str, Value], directory: Path) -> Options:
    made: Options = {}
    for key, value in values.items():
        option = FIELDS[key].option
        if not option:
            continue
        if option in ("bundle", "k3s", "images"):
            made[option] = _from(directory, value)
        else:
            assert isinstance(value, str | list)  # no option of another kind
            made[option] = value
    return made


def _from(directory: Path, value: Value) -> str | list[str]:
    if isinstance(value, list):
        return [str(directory / one) for one in value]
    text = str(value)
    if VERSION.fullmatch(text):
        return text if text.startswith("v") else f"v{text}"
    return str(directory / text)


def _settled(values: Mapping[str, Value], site: SiteDocument) -> tuple[Finding, ...]:
    network = site.network
    fixed = {
        "site.node_name": site.nodes[0].node_name,
        "site.node_ip": network.node_ip,
        "site.interface": network.interface,
        "site.pod_network": network.cluster_cidr,
        "site.service_network": network.service_cidr,
    }
    return tuple(
        finding("answers-site-settled", key=key, asked=str(values[key]), kept=kept)
        for key, kept in fixed.items()
        if key in values and values[key] != kept
    )


def _by_hand(
    values: Mapping[str, Value], before: Mapping[str, Value], site: SiteDocument
) -> tuple[Finding, ...]:
    found = []
    parts = values.get("site.components")
    if isinstance(parts, list) and set(parts) != set(site.components):
        flags = [f"--component {one}" for one in sorted(set(parts) - set(site.components))]
        flags += [f"--no-component {one}" for one in sorted(set(site.components) - set(parts))]
        shown = {"asked": ", ".join(parts) or "-", "kept": ", ".join(site.components) or "-"}
        found.append(("site.components", shown, " ".join(flags)))
    for key in ("k3s.bundle", "k3s.k3s"):
        if before and key in values and values[key] != before.get(key):
            shown = {"asked": str(values[key]), "kept": site.k3s.version or "-"}
            found.append((key, shown, f"--{FIELDS[key].option} {values[key]}"))
    return tuple(
        finding("answers-by-hand", (), None, key=key, command=f"sudo archipel up {flags}", **shown)
        for key, shown, flags in found
    )


def joining(
    values: Mapping[str, Value], before: Mapping[str, Value], now: EnrolmentStatus, was_left: bool
) -> Joining:
    """Return by which link to enrol; `was_left`: this file's own token was on its way when the power went."""
    address, _, inside = str(values.get("fleet.link", "")).partition("#")
    address = address.rstrip("/")
    token = str(values.get("fleet.token", "")) or inside
    if not address:
        return Joining()
    if now.state in (Membership.ENROLLED, Membership.EXPIRED) and now.address != address:
        elsewhere = finding("answers-other-fleet", asked=address, fleet=now.fleet or now.address)
        return Joining(findings=(elsewhere,))
    if now.state is Membership.ENROLLED:
        return Joining()
    is_under_way = now.state in (Membership.WAITING, Membership.PENDING) and now.address == address
    if is_under_way and (was_left or not token):
        return Joining(waits=True)
    if token:
        return Joining(link=f"{address}/#{token}", waits=True)
    if address != str(before.get("fleet.link", "")).partition("#")[0].rstrip("/"):
        return Joining(link=address, waits=True)
    return Joining()
