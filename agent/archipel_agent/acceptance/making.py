"""Puts a report together from figures, rounds, and what the machine says of itself."""

from archipel_agent import clocks
from archipel_agent.acceptance.figures import Figure, Report, Verdict
from archipel_agent.acceptance.measuring import unmeasured
from archipel_agent.acceptance.power_cut import Loop
from archipel_agent.host.clock import text
from archipel_agent.ports import Ports
from archipel_contract import __version__

ROUNDS = "Power cuts"


def report(ports: Ports, node_id: str, figures: tuple[Figure, ...], loop: Loop | None, quick: bool) -> Report:
    """Return the report; a power-cut loop that was not done to its end stands in it as such."""
    facts = ports.machine.facts()
    time = clocks.trusted(None, ports.clock, ports.machine.clock_synchronized(), facts.has_rtc)
    return Report(
        made_at=text(ports.clock.now()),
        node_id=node_id,
        hostname=facts.hostname,
        model=facts.model,
        serial=facts.serial,
        kernel=facts.kernel,
        architecture=facts.architecture,
        agent_version=__version__,
        clock=time.quality.value,
        quick=quick,
        figures=(*figures, _cuts(loop)),
        rounds=loop.rounds if loop else (),
    )


def _cuts(loop: Loop | None) -> Figure:
    method = "marks written and acknowledged until the plug is pulled; all of them looked for after the start"
    bound = "every acknowledged write is there, and k3s is ready, after each cut"
    if loop is None or not loop.rounds:
        return unmeasured("power-cuts", ROUNDS, "the loop was not begun: archipel accept cut", method, bound)
    good = sum(one.verdict is Verdict.PASS for one in loop.rounds)
    failed = any(one.verdict is Verdict.FAIL for one in loop.rounds)
    open_verdict = Verdict.PASS if loop.is_over and good == len(loop.rounds) else Verdict.NOT_MEASURABLE
    return Figure(
        name="power-cuts",
        title=ROUNDS,
        value=float(good),
        unit=f"of {loop.wanted} rounds",
        method=method,
        bound=bound,
        verdict=Verdict.FAIL if failed else open_verdict,
        said=f"{len(loop.rounds)} of {loop.wanted} rounds done",
    )
