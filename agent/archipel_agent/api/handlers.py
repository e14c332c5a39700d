"""What answers each endpoint: one function per line of the table, most of them one call of the service.

The functions here block and are run in worker threads. Streams are in `streams`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from archipel_agent.service import AgentService, Refused
from archipel_contract.api import AccessRole, Endpoint

DEFAULT_LINES, MOST_LINES = 200, 2000
DEFAULT_ENTRIES, MOST_ENTRIES = 100, 10_000  # of the audit journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, checked: its words (path and query), its body as the type the table names, and who sent it."""

    words: dict[str, str] = field(default_factory=dict)
    body: Any = None
    role: AccessRole = AccessRole.VIEW
    name: str = ""


Handler = Callable[[AgentService, Call], Any]

HANDLERS: dict[str, Handler] = {
    "alive": lambda service, call: service.alive(call.role),
    "report": lambda service, call: service.report(_flag(call, "fresh")),
    "facts": lambda service, _: service.facts(),
    "site": lambda service, _: service.site(),
    "checks": lambda service, _: service.checks(),
    "plan": lambda service, call: service.plan(call.body),
    "jobs": lambda service, _: service.jobs(),
    "start_job": lambda service, call: service.start_job(call.body, call.name),
    "job": lambda service, call: service.job(call.words["job_id"]),
    "cancel_job": lambda service, call: service.cancel_job(call.words["job_id"]),
    "logs": lambda service, call: service.logs(
        call.words.get("source", "k3s"), number(call, "lines", DEFAULT_LINES, 1, MOST_LINES)
    ),
    "set_clock": lambda service, call: service.set_clock(call.body, call.name),
    "audit": lambda service, call: service.audit(
        number(call, "lines", DEFAULT_ENTRIES, 1, MOST_ENTRIES), _flag(call, "verify")
    ),
    "enrolment": lambda service, _: service.enrolment(),
    "enrol": lambda service, call: service.enrol(call.body, call.name),
    "leave_fleet": lambda service, call: service.leave_fleet(call.name),
    "voucher_request": lambda service, _: service.voucher_request(),
    "vouch": lambda service, call: service.vouch(call.body, call.name),
    "answers": lambda service, _: service.answers(),
    "apply_answers": lambda service, call: service.apply_answers(call.body, call.name),
    "kubeconfig": lambda service, _: service.kubeconfig(),
}


class TableMismatch(Exception):
    """The table of endpoints and what answers them do not fit together; the message names both sides' leftovers."""


def check(endpoints: Sequence[Endpoint], answered: set[str], streamed: set[str]) -> None:
    """Raise TableMismatch unless every endpoint has exactly the kind of answer the table promises, and nothing is over."""
    plain = {one.name for one in endpoints if not one.stream}
    streams = {one.name for one in endpoints if one.stream}
    wrong = [f"{name}: no handler" for name in sorted((plain - answered) | (streams - streamed))]
    wrong += [f"{name}: no such endpoint" for name in sorted((answered - plain) | (streamed - streams))]
    if wrong:
        raise TableMismatch("; ".join(wrong))


def number(call: Call, name: str, default: int, least: int, most: int) -> int:
    """Return a whole number of the query; raise Refused with 400 when it is none or out of range."""
    text = call.words.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise Refused(
            400, "query", f"{name} must be a whole number from {least} to {most}, not {text[:40]!r}"
        )
    return int(text)


def _flag(call: Call, name: str) -> bool:
    text = call.words.get(name, "0")
    if text not in ("0", "1"):
        raise Refused(400, "query", f"{name} must be 0 or 1, not {text[:40]!r}")
    return text == "1"
