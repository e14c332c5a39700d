"""`python -m benchmarks [NAME...]`: measures every published figure, or those named, and prints them with their bounds.

Called by `make bench`. The exit code is 0 when every bound that could be measured holds, else 1.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence

from benchmarks import (
    bundle_import,
    ending,
    enrolment,
    first_paint,
    help_time,
    idle_cpu,
    idle_identified,
    idle_linked,
    idle_memory,
    idle_writes,
    ingest,
    link_bytes,
    machine,
    preflight,
    restore_time,
    scale,
    setup_time,
    status_time,
    tls_reconnect,
    up_bundle,
    up_time,
    verify,
    web_list,
)
from benchmarks.figure import Figure, Skipped, number
from benchmarks.ground import Ground, tell

Measured = tuple[list[Figure], dict[str, str], dict[str, str]]

PLAIN = "-plain"  # ends the name of a figure taken without certificates, for comparison; only on request

# The idle agent is watched before anything is asked of it.
FIGURES: dict[str, Callable[[Ground], Figure]] = {
    "up-time": up_time.measure,
    "up-bundle": up_bundle.measure,
    "preflight": preflight.measure,
    "backup-pause": restore_time.pause,
    "restore-time": restore_time.restore,
    "setup-time": setup_time.measure,
    "idle-cpu": idle_cpu.measure,
    "idle-writes": idle_writes.measure,
    "idle-memory": idle_memory.measure,
    "link-cpu": idle_linked.cpu,
    "link-memory": idle_linked.memory,
    "identity-cpu": idle_identified.cpu,
    "identity-memory": idle_identified.memory,
    "link-bytes": link_bytes.always_on,
    "link-bytes-dial-in": link_bytes.dial_in,
    "link-bytes-hung-up": link_bytes.hung_up,
    "link-bytes-plain": link_bytes.always_on_plain,
    "link-bytes-dial-in-plain": link_bytes.dial_in_plain,
    "help-time": help_time.measure,
    "status-time": status_time.measure,
    "first-paint": first_paint.measure,
    "ingest-rate": ingest.rate,
    "ingest-latency": ingest.latency,
    "ingest-rate-embedded": ingest.rate_embedded,
    "ingest-latency-embedded": ingest.latency_embedded,
    "ingest-rate-plain": ingest.rate_plain,
    "ingest-latency-plain": ingest.latency_plain,
    "fleet-cpu": scale.cpu,
    "fleet-memory": scale.memory,
    "reconnect": scale.reconnect,
    "fleet-cpu-plain": scale.cpu_plain,
    "fleet-memory-plain": scale.memory_plain,
    "reconnect-plain": scale.reconnect_plain,
    "tls-reconnect": tls_reconnect.failed,
    "tls-return": tls_reconnect.back,
    "web-list": web_list.measure,
    "enrolment": enrolment.measure,
    "verify": verify.measure,
    "bundle-import": bundle_import.rate,
    "bundle-memory": bundle_import.memory,
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    made.add_argument("names", nargs="*", metavar="NAME", help=f"figures to measure: {', '.join(FIGURES)}")
    made.add_argument(
        "--quick", action="store_true", help="fewer runs and a shorter window; not for publishing"
    )
    made.add_argument(
        "--compare",
        action="store_true",
        help="also without certificates, where a figure has that, and the ratio",
    )
    made.add_argument("--json", action="store_true", help="print the figures as JSON")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    made = parser()
    chosen = made.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in FIGURES]
    if unknown:
        made.error(f"there is no figure {unknown[0]!r}; there are {', '.join(FIGURES)}")
    described = machine.describe()
    if not chosen.json:
        print(
            "machine   " + "\n          ".join(f"{name}: {value}" for name, value in described.items()),
            flush=True,
        )
    names = list(chosen.names) or [name for name in FIGURES if not name.endswith(PLAIN)]
    if chosen.compare:
        names += [name + PLAIN for name in names if name + PLAIN in FIGURES and name + PLAIN not in names]
    found, skipped, broken = measure_all(names, Ground(quick=chosen.quick), quiet=chosen.json)
    if chosen.json:
        figures = [figure.data() for figure in found]
        print(
            json.dumps(
                {"machine": described, "figures": figures, "skipped": skipped, "broken": broken}, indent=2
            )
        )
    else:
        print("".join(f"\n{line}" for line in compared(found)))
        passed = sum(figure.passes for figure in found)
        print(f"\n{passed} of {len(found)} bounds hold, {len(skipped)} figures skipped, {len(broken)} broken")
    return 0 if not broken and all(figure.passes for figure in found) else 1


def compared(found: Sequence[Figure]) -> list[str]:
    """Return a line for each figure that was taken with certificates and without."""
    taken = {figure.name: figure.median for figure in found}
    pairs = [(name, taken[name], taken[name + PLAIN]) for name in taken if name + PLAIN in taken]
    return [
        f"{name}: {number(secured)} over mTLS, {number(plain)} without certificates"
        + (f", {secured / plain:.2f} times as much" if plain else "")
        for name, secured, plain in pairs
    ]


def measure_all(names: list[str], ground: Ground, quiet: bool) -> Measured:
    """Return the figures, why others cannot be measured here, and why measuring failed."""
    found: list[Figure] = []
    skipped: dict[str, str] = {}
    broken: dict[str, str] = {}
    try:
        for name in names:
            tell(name)
            try:
                figure = FIGURES[name](ground)
            except Skipped as reason:
                skipped[name] = str(reason)
                shown = f"SKIP  {name}: {reason}"
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                broken[name] = str(error)
                shown = f"BROKEN  {name}: {error}"
            else:
                found.append(figure)
                shown = figure.text()
            if not quiet:
                print(f"\n{shown}", flush=True)
    finally:
        ground.close()
    return found, skipped, broken


if __name__ == "__main__":
    with ending.nothing_is_left():
        sys.exit(main())
