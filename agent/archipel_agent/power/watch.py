"""Asks the UPS, and has the machine shut down in order when its battery runs out. Owned by `core`, called between turns.

Where no UPS is set it is not made. A UPS that does not answer is asked less often, because waiting for it delays turns.
"""

import logging
from collections.abc import Callable

from archipel_agent.ports import CommandFailed, Ports, UpsSilent
from archipel_agent.power import protocol
from archipel_agent.power.seen import NOT_ASKED, UpsSeen
from archipel_agent.power.supply import Act, Memory, Reading, Supply, decide, reading_of

LOG = logging.getLogger(__name__)
LEAST_SECONDS = 4.0  # between two questions, however often turns are taken
SILENT_SECONDS = 30.0  # between two questions to one that did not answer


class PowerWatch:
    """One node's."""

    def __init__(self, ports: Ports, setting: str, patience: float, note: Callable[[str, str], None]) -> None:
        """`setting` is name@host; `note` takes an outcome and a detail for the audit journal."""
        self._ports, self._setting, self._patience, self._note = ports, setting, patience, note
        self._memory = Memory()
        self._next = 0.0
        self._seen = UpsSeen(name=setting, supply=Supply.UNKNOWN, problem=NOT_ASKED)

    @property
    def seen(self) -> UpsSeen:
        """How it stands, as last asked."""
        return self._seen

    def look(self) -> None:
        """Ask, if it is time; announce, call off or order a shutdown."""
        now = self._ports.clock.monotonic()
        if now < self._next:
            return
        reading = self._ask()
        unknown = reading.supply is Supply.UNKNOWN
        self._next = now + (SILENT_SECONDS if unknown else LEAST_SECONDS)
        decision = decide(self._memory, reading.supply, now, self._patience)
        self._memory = decision.memory
        failed = self._do(decision.act, reading) if decision.act is not Act.NOTHING else self._seen.failed
        self._seen = UpsSeen(
            name=self._setting,
            supply=reading.supply,
            charge=_tens(reading.charge_percent),
            problem=reading.problem,
            battery_worn=reading.battery_worn,
            shutting_down=self._memory.announced is not None,
            failed=failed if self._memory.ordered is not None else "",
        )

    def _ask(self) -> Reading:
        if self._ports.ups is None:
            return Reading(problem="nobody can be asked from here")
        try:
            ups, host, port = protocol.address(self._setting)
            end = protocol.end(ups)
            answer = self._ports.ups.ask(host, port, protocol.question(ups), end, protocol.ANSWER_LIMIT)
            return reading_of(protocol.variables(answer, ups))
        except (UpsSilent, protocol.AnswerRefused, ValueError) as error:
            return Reading(problem=str(error))

    def _do(self, act: Act, reading: Reading) -> str:
        """Do it; return why that failed, if it did."""
        charge = _tens(reading.charge_percent) or "?"
        detail = f"{self._setting}: {reading.supply}, charge {charge}"
        LOG.warning("power: %s (%s)", act.value, detail)
        self._note(act.value, detail)
        if act is not Act.SHUT_DOWN:
            return ""
        try:
            self._ports.privileged.call("power-off")
        except (CommandFailed, OSError) as error:
            LOG.error("the machine cannot be shut down: %s", error)
            self._note("failed", str(error))
            return str(error)
        return ""


def _tens(percent: float | None) -> str:
    return "" if percent is None else f"{int(percent // 10) * 10} %"
