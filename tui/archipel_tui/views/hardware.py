"""The hardware of this box: bars for CPU, memory and disk; temperature and power; network interfaces; its model."""

from archipel_contract.facts import Nic
from archipel_tui.store import Scene
from archipel_tui.text import Line, bar, clean, labelled, line, pad, size_of

LABEL = 9  # cells for the names on the left, in German too


def page(scene: Scene, cells: int) -> list[Line]:
    """Bars for CPU, memory and disk; temperature and power; the network interfaces; what the machine is."""
    report, words = scene.picture.report, scene.words
    if report is None:
        return []
    usage, facts = report.node.usage, report.node.facts
    found = [
        _gauge(words("fact.cpu"), usage.cpu_percent, cells, words("fact.unknown")),
        _share(
            words("fact.ram"), usage.memory_used_bytes, usage.memory_total_bytes, cells, words("fact.unknown")
        ),
        _share(
            words("fact.disk"), usage.disk_used_bytes, usage.disk_total_bytes, cells, words("fact.unknown")
        ),
    ]
    degrees = "\N{DEGREE SIGN}C" if not words.ascii_only else "C"
    heat = words("fact.unknown") if usage.temperature_c is None else f"{usage.temperature_c:.0f} {degrees}"
    power, style = _power(scene)
    found += labelled(words("fact.temperature"), f"{heat}  {power}".rstrip(), cells, LABEL, style)
    flash, style = _flash(scene)
    if flash:
        found += labelled(words("fact.flash"), flash, cells, LABEL, style)
    for nic in [nic for nic in facts.nics if not nic.virtual][:2]:
        found += labelled(clean(nic.name), _nic(nic, scene), cells, LABEL)
    machine = clean(facts.model or facts.os_name)
    if machine:
        found.append(
            line((pad(words("fact.box"), LABEL), "label"), pad(words.shown(machine), cells - LABEL).rstrip())
        )
    return found


def _gauge(label: str, percent: float | None, cells: int, unknown: str) -> Line:
    if percent is None:
        return line((pad(label, LABEL), "label"), f"? {unknown}")
    style = "bad" if percent >= 95 else "warn" if percent >= 85 else ""
    figure = f"{percent:4.0f} %" + (" !" if style else "  ")
    return line(
        (pad(label, LABEL), "label"), (bar(percent, max(cells - LABEL - 8, 4)), style), (figure, style)
    )


def _share(label: str, used: int | None, total: int | None, cells: int, unknown: str) -> Line:
    return _gauge(label, None if used is None or not total else 100 * used / total, cells, unknown)


def _power(scene: Scene) -> tuple[str, str]:
    words, report = scene.words, scene.picture.report
    state = report.node.usage.throttling if report else None
    if state is None:
        return "", ""
    supply = report.node.usage.supply if report else ""
    if supply in ("battery", "low"):
        return (
            (f"x {words('hardware.battery-low')}", "bad")
            if supply == "low"
            else (f"! {words('hardware.on-battery')}", "warn")
        )
    if state.under_voltage:
        return f"x {words('hardware.power-low')}", "bad"
    if state.throttled or state.capped:
        return f"! {words('hardware.throttled')}", "warn"
    if state.under_voltage_since_boot:
        return f"! {words('hardware.power-was-low')}", "warn"
    return "", ""


def _flash(scene: Scene) -> tuple[str, str]:
    """What is written a day to the disk with the data, and how worn it says it is; empty where neither is known."""
    words, report = scene.words, scene.picture.report
    if report is None:
        return "", ""
    usage, parts = report.node.usage, []
    if usage.written_mb_per_day is not None:
        parts.append(words("hardware.written", mb=usage.written_mb_per_day))
    worn = usage.wear_percent
    if worn is None:
        return "  ".join(parts), ""
    style = "bad" if worn >= 100 else "warn" if worn >= 80 else ""
    mark = {"bad": "x ", "warn": "! "}.get(style, "")
    return "  ".join([*parts, f"{mark}{words('hardware.worn', percent=worn)}"]), style


def _nic(nic: Nic, scene: Scene) -> str:
    words = scene.words
    if nic.carrier is False:
        return f"! {words('hardware.no-cable')}"
    address = nic.addresses[0].partition("/")[0] if nic.addresses else words("hardware.no-address")
    return address + (f"  {nic.speed_mbit} Mb/s" if nic.speed_mbit else "")


def machine_size(scene: Scene) -> str:
    """How large the machine is, for the title of its box: `4 CPU, 4 GiB`."""
    report = scene.picture.report
    facts = report.node.facts if report else None
    if facts is None or not facts.cpus or not facts.memory_bytes:
        return ""
    return f"{facts.cpus} CPU, {size_of(facts.memory_bytes)}"
