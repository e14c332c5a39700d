"""The streams of the API as rounds: each round says what to send now, where to go on, and whether that was the end.

Pure but for the calls of the service; run in worker threads. The connection decides when a round is due (something
changed, or the time for a sign of life has come) and writes what comes out as server-sent events.
"""

from collections.abc import Callable
from dataclasses import dataclass

from archipel_agent.api.handlers import Call, number
from archipel_agent.service import AgentService
from archipel_contract import wire

LAST_SEQUENCE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Round:
    """Events to send, as complete blocks of text/event-stream; `over` ends the stream after them."""

    events: tuple[bytes, ...] = ()
    over: bool = False


class ReportStream:
    """The report now, and again each time it changed."""

    def __init__(self, service: AgentService, call: Call) -> None:
        self._service = service
        self._last = b""

    def next(self) -> Round:
        """Return the report if it differs from the one sent last."""
        data = wire.to_json(self._service.report(False))
        if data == self._last:
            return Round()
        self._last = data
        return Round((b"data: " + data + b"\n\n",))


class JobStream:
    """A job's events above the sequence number already seen, until the job is over."""

    def __init__(self, service: AgentService, call: Call) -> None:
        self._service = service
        self._id = call.words["job_id"]
        self._after = number(call, "after", 0, 0, LAST_SEQUENCE)

    def next(self) -> Round:
        """Return the events that came since; raise Refused with 404 when there is no such job."""
        # Asked before its events: what ends between the two calls is then sent, and only the next round ends the stream.
        is_over = self._service.job(self._id).is_over
        events = self._service.job_events(self._id, self._after)
        if events:
            self._after = events[-1].sequence
        blocks = tuple(b"id: %d\ndata: " % one.sequence + wire.to_json(one) + b"\n\n" for one in events)
        return Round(blocks, is_over)


STREAMS: dict[str, Callable[[AgentService, Call], ReportStream | JobStream]] = {
    "watch": ReportStream,
    "watch_job": JobStream,
}
