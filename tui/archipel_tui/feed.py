"""The workers that listen to the agent, each a blocking loop for a thread of its own.

`app` starts them and gives each a `tell` that hands a change over to the event loop. They end when `stop` is
set and the client closed. They never give up: an agent that went away is asked again, at most every few
seconds.
"""

from collections.abc import Callable
from http import HTTPStatus
from threading import Event

from archipel_contract import catalogue
from archipel_contract.client import AgentAway, AgentClient, ApiRefused
from archipel_contract.wire import WireError
from archipel_tui.clock import Clock
from archipel_tui.store import Change, allowed, began, happened, heard, refused, silent

Tell = Callable[[Change], object]

# The agent sends a sign of life every 5 s (`AgentClient.stream`); twice that and a little is a hanging agent.
STREAM_TIMEOUT = 12.0
# Seconds between two tries: soon after the agent went, so that a restart is hardly seen; then seldom, to
# spare a Pi.
RETRIES = (0.2, 0.5, 1.0, 2.0, 3.0)


def follow_reports(client: AgentClient, tell: Tell, clock: Clock, stop: Event) -> None:
    """Tell every report of the agent, and when it falls silent, until `stop`."""
    catalogue.entries()  # read from disk here, so that the event loop never has to
    tries = 0
    while not stop.is_set():
        locked = False
        try:
            tell(allowed(client.call("alive").role))
            for report in client.stream("watch", timeout=STREAM_TIMEOUT):
                tries = 0
                tell(heard(report, clock.monotonic()))
            reason = "the agent ended the stream"
        except ApiRefused as error:
            reason = ""
            tell(refused(f"{error.problem.message} {error.problem.remedy}".strip(), clock.now()))
        except (AgentAway, WireError) as error:
            reason = str(error)
            locked = isinstance(error.__cause__, PermissionError)
        # A stream that ended is no news yet: an agent that is being restarted is back at the first try.
        if reason and tries and not stop.is_set():
            tell(silent(reason, clock.now(), locked))
        stop.wait(RETRIES[min(tries, len(RETRIES) - 1)])
        tries += 1


def follow_job(client: AgentClient, job_id: str, tell: Tell, clock: Clock, stop: Event) -> None:
    """Tell every event of a job until it is over, across any number of restarts of the agent."""
    seen = 0
    tries = 0
    while not stop.is_set():
        try:
            tell(began(client.call("job", job_id=job_id), clock.monotonic()))
            for event in client.stream("watch_job", timeout=STREAM_TIMEOUT, job_id=job_id, after=str(seen)):
                seen, tries = event.sequence, 0
                tell(happened(event, clock.monotonic()))
                if event.job.is_over:
                    return
            if client.call("job", job_id=job_id).is_over:  # it had no further event for us
                return
        except ApiRefused as error:
            if error.status == HTTPStatus.NOT_FOUND:  # forgotten: there is nothing to watch
                return
        except (AgentAway, WireError):
            pass  # the feed of reports says that the agent is away
        stop.wait(RETRIES[min(tries, len(RETRIES) - 1)])
        tries += 1
