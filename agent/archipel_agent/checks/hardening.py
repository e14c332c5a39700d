"""Where a site sets aside what is hardened, whether it says why, and what of it is not in force.

Exceptions are the site's right: additions to k3s' settings, namespaces that are enforced less, default accounts that hand
out their token. They are shown, each with the remark that stands above it in the drop-in or with the annotation of the
namespace or account; one without is a warning, because nobody will know in three years whether it is still needed. What
nobody set aside and is not there is told apart, and so is an account without a reason, which is more likely a chart's doing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_agent.k3s.config import config_values, hardened
from archipel_agent.k3s.hardening_seen import HardeningSeen
from archipel_agent.paths import Paths
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding

SLUG = slug_of(__name__)
PHASES = RUNTIME

# `key: value`, `key+:` adds to a list instead of replacing it (docs.k3s.io, configuration, value merge behavior).
_KEY = re.compile(r"^([a-z][a-z0-9-]*)(\+?):\s*(.*)$")
# What takes away from hardening though it is no key of ours: policies without anybody who holds to them, another token.
TAKES_AWAY = {"disable-network-policy": "true", "agent-token": ""}
_ITEM = re.compile(r"^\s*-\s*[\"']?([^\"'#]+)")


@dataclass(slots=True)
class _Given:
    key: str
    adds: bool
    value: str
    remark: str
    items: list[str] = field(default_factory=list)


def look(evidence: Evidence) -> CheckResult:
    """Judge the drop-ins."""
    if evidence.k3s_drop_ins is None:
        return undecided(SLUG, "the additions in config.yaml.d could not be read")
    if evidence.site is None or not evidence.site.nodes:
        return undecided(SLUG, "there is no site yet")
    if evidence.site.adopted:
        return undecided(SLUG, "adopted: how its settings differ is told as drift")
    values = config_values(evidence.site, evidence.site.nodes[0].node_id, "", Paths())
    aside = list(_aside(list(_given(evidence.k3s_drop_ins)), values))
    seen = evidence.hardening or HardeningSeen()
    aside += [(f"namespace {name} ({level})", reason) for name, level, reason in seen.lowered]
    aside += [(f"default account of {name}", reason) for name, reason in seen.handing if reason]
    made = [*_exceptions(aside), *_not_in_force(seen)]
    if not made:
        said = f"{len(hardened(values))} settings, {evidence.site.hardening}, no exceptions"
        return passed(
            SLUG, said if evidence.hardening and seen.asked else f"{said}; the cluster could not be asked"
        )
    return found(SLUG, f"{len(aside)} exceptions", *made)


def _exceptions(aside: list[tuple[str, str]]) -> Iterator[Finding]:
    lines = tuple(f"{name}: {said}" for name, said in aside)
    bare = [name for name, said in aside if not said]
    if bare:
        yield finding("hardening-exception-unexplained", lines, names=", ".join(bare))
    elif aside:
        yield finding("hardening-exception", lines, names=", ".join(name for name, _ in aside))


def _not_in_force(seen: HardeningSeen) -> Iterator[Finding]:
    if seen.missing:
        yield finding("network-policies-missing", seen.missing, names=", ".join(seen.missing))
    handing = tuple(name for name, reason in seen.handing if not reason)
    if handing:
        yield finding("default-accounts-open", handing, names=", ".join(handing))
    if seen.shared_token:
        yield finding("agent-token-shared")


def _given(text: str) -> Iterator[_Given]:
    """Yield the top-level keys of the drop-ins with their items, and the remark right above each."""
    remarks: list[str] = []
    current: _Given | None = None
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            remarks.append(line.lstrip("# ").strip())
        elif key := _KEY.match(line):
            if current:
                yield current
            current = _Given(key[1], bool(key[2]), key[3].split(" #")[0].strip(), " ".join(remarks))
            remarks = []
        elif current and (item := _ITEM.match(line)):
            current.items.append(item[1].strip())
            current.remark = " ".join([current.remark, *remarks]).strip()
            remarks = []
        elif not line.strip():
            remarks = []
    if current:
        yield current


def _aside(given: list[_Given], values: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Yield each hardened setting that a drop-in sets to something else, with the remark."""
    wanted = hardened(values)
    for one in given:
        off = TAKES_AWAY.get(one.key)
        if off is not None and one.value.strip("\"'").lower().startswith(off):
            yield one.key, one.remark
        if not one.key.endswith("-arg"):
            if one.key in wanted and one.value.strip("\"'").lower() != wanted[one.key].lower():
                yield one.key, one.remark
            continue
        ours = values.get(one.key)
        names = dict(item.split("=", 1) for item in ours) if isinstance(ours, list) else {}
        said = one.items or ([one.value.strip("\"'")] if one.value else [])
        theirs = {name: value or "true" for name, _, value in (item.partition("=") for item in said)}
        for name, value in names.items():
            if (name in theirs and theirs[name] != value) or (name not in theirs and not one.adds):
                yield name, one.remark
