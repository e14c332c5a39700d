"""The demo without a screen: every site is seen on the web page and on the command line, troubles are noticed, explained and
healed, and what happened while a link was cut comes in afterwards. Raises NotSeen where a promise is not kept.
"""

import json
from typing import Any

from tests.demo.fleet import NODES, SITES, Fleet
from tests.demo.grounds import Ground
from tests.demo.story import NotSeen, Story

CUT = "rehearsed-001"  # a site the scenario leaves alone
TROUBLE = "crash-loop"  # happens there while its link is cut


def check(fleet: Fleet, ground: Ground, story: Story) -> None:
    """Tell the whole story."""
    story.until("the rehearsed sites report", lambda: _rehearsed(fleet))
    fleet.steer("cut", CUT)
    story.tell(f"trouble made: the link of {CUT} is cut, and then its k3s fails")
    fleet.steer(TROUBLE, f"{CUT}-a")
    story.until("this machine's site is up", lambda: _healthy(ground))
    own = _report(ground)["site"]["site_id"]
    ground.break_it()
    story.tell(f"trouble made: {ground.fault}")
    story.until("every site, on the command line", lambda: _all_listed(fleet, own))
    story.until("every site, on the web page", lambda: _all_on_page(fleet, own))
    story.until("found at the machine", lambda: _title(ground))
    story.until("seen by the fleet", lambda: _seen_by_fleet(fleet, own, ground.code))
    _explained(fleet, ground, story)
    story.until("the silent site is noticed", lambda: _contact(fleet, CUT, "overdue"))
    if "Overdue" not in fleet.page(f"/sites/{_site(fleet, CUT)['site']['site_id']}"):
        raise NotSeen(f"the page of {CUT} does not say that it is overdue")
    ground.heal_it()
    fleet.steer("heal", CUT)
    fleet.steer("heal", f"{CUT}-a")
    story.until("healed at the machine", lambda: "" if _title(ground) else _healthy(ground))
    story.until("healed in the fleet's eyes", lambda: _well_again(fleet, own, ground.code))
    story.until("the silent site is back", lambda: _contact(fleet, CUT, "connected"))
    story.until("what happened there meanwhile came in", lambda: _filled_in(fleet))
    story.until("nothing was lost", lambda: _nothing_lost(fleet, story))


def _report(ground: Ground) -> dict[str, Any]:
    """Return what `archipel status --json` says now."""
    said = ground.archipel("status", "--json")
    report: dict[str, Any] = json.loads(said.stdout) if said.stdout else {}
    return report


def _healthy(ground: Ground) -> str:
    report = _report(ground)
    return report["sentence"] if report.get("health") == "healthy" else ""


def _title(ground: Ground) -> str:
    found = [one for one in _report(ground).get("findings", []) if one["code"] == ground.code]
    return found[0]["summary"] if found else ""


def _sites(fleet: Fleet) -> list[dict[str, Any]]:
    """Return the rows of `archipel fleet sites --json`."""
    said = fleet.asks("sites")
    rows: list[dict[str, Any]] = said["rows"] if said else []
    return rows


def _site(fleet: Fleet, name: str) -> dict[str, Any]:
    """Return what `archipel fleet site NAME --json` says; empty when it says nothing."""
    said: dict[str, Any] = fleet.asks("site", name, "--events", "100") or {}
    return said


def _rehearsed(fleet: Fleet) -> str:
    found = [one for one in _sites(fleet) if one["rehearsed"] and one["nodes"] == NODES]
    return f"{len(found)} sites of {NODES} nodes" if len(found) == SITES else ""


def _all_listed(fleet: Fleet, own: str) -> str:
    rows = {one["site_id"]: one for one in _sites(fleet)}
    rehearsed = [one for one in rows.values() if one["rehearsed"] and one["name"].startswith("rehearsed-")]
    if own not in rows or len(rehearsed) != SITES or any(one["nodes"] != NODES for one in rehearsed):
        return ""
    return f"{len(rows)} sites, {sum(one['nodes'] for one in rows.values())} nodes"


def _all_on_page(fleet: Fleet, own: str) -> str:
    page = fleet.page("/")
    missing = [one["name"] for one in _sites(fleet) if one["site_id"] not in page or one["name"] not in page]
    if missing or own not in page or "REHEARSED" not in page.upper():
        return ""
    return f"{fleet.address}/ shows them all"


def _contact(fleet: Fleet, name: str, wanted: str) -> str:
    site = _site(fleet, name).get("site", {})
    contact = site.get("contact", {}).get("state", "")
    return (
        f"{name} is {contact}, health as last heard: {site['health']['health']}" if contact == wanted else ""
    )


def _seen_by_fleet(fleet: Fleet, own: str, code: str) -> str:
    found = [one for one in _site(fleet, own).get("findings", []) if one["finding"]["code"] == code]
    return f"{found[0]['finding']['summary']} ({found[0]['node_name']})" if found else ""


def _well_again(fleet: Fleet, own: str, code: str) -> str:
    site = _site(fleet, own)
    if not site or _seen_by_fleet(fleet, own, code) or site["site"]["health"]["health"] != "healthy":
        return ""
    return f"{site['site']['name']} is healthy"


def _explained(fleet: Fleet, ground: Ground, story: Story) -> None:
    for who, said in (
        ("at the machine", ground.archipel("why", ground.code).stdout),
        ("by the fleet", fleet.archipel("fleet", "why", ground.code).stdout),
    ):
        lines = [line.strip() for line in said.splitlines()]
        remedy = next((line for line in lines if "remedy" in line.lower() or "next" in line.lower()), "")
        if not remedy:
            raise NotSeen(f"why {ground.code} names no remedy {who}: {said[:500]}")
        story.tell(f"explained {who}: {remedy}")


def _filled_in(fleet: Fleet) -> str:
    events = _site(fleet, CUT).get("timeline", [])
    told = [one for one in events if one["kind"] == "finding-appeared" and one["node_name"] == f"{CUT}-a"]
    return f"{told[0]['subject']} appeared while the link was cut" if told else ""


def _nothing_lost(fleet: Fleet, story: Story) -> str:
    """Say so when no sequence is missing and nobody declared one lost, at any site."""
    lost = []
    for row in json.loads(fleet.page("/api/v1/sites?size=100"))["rows"]:
        site = json.loads(fleet.page(f"/api/v1/sites/{row['site_id']}"))
        lost += [f"{row['name']}: gap ({one['reason']})" for one in site["gaps"]]
        codes = [one["finding"]["code"] for one in site["findings"]]
        lost += [f"{row['name']}: {code}" for code in codes if code == "fleet-sequence-missing"]
    if lost:
        story.tell(f"not yet: {', '.join(lost)}")
    return "" if lost else "no gap was declared and no sequence is missing"
