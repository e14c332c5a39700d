"""Wait until the Kubernetes API answers and calls itself ready."""

from archipel_agent.steps.base import Context, Step
from archipel_agent.steps.identity import identity_file
from archipel_agent.steps.waiting import Look, make_durable, wait_until

STRANGE_AUTHORITY = b"CERTIFICATE_VERIFY_FAILED"  # as Python's ssl module says it


def answers(context: Context) -> str | None:
    """Say so when the API is ready; /readyz with any valid identity answers 200 then (measured on 1.36)."""
    return "ready" if context.ports.kube.request("GET", "/readyz").status == 200 else None


def look(context: Context) -> Look:
    """Look once; an identity that belongs to another cluster is dropped, or it would never be let in here.

    That cluster is gone with its data directory, and k3s has made a new one with an authority of its own.
    """
    reply = context.ports.kube.request("GET", "/readyz")
    if reply.status == 0 and STRANGE_AUTHORITY in reply.body:
        context.ports.disk.remove(identity_file(context.paths))
        context.ports.kube.close()
    return Look(reply.status == 200, "ready" if reply.status == 200 else "")


def run(context: Context) -> str:
    """Wait."""
    said = wait_until(
        context, lambda: look(context), context.settings.api_timeout, "api-timeout", "the API to answer"
    )
    make_durable(context)
    return said


STEP = Step(slug="wait-api", title="Wait for the API", check=answers, run=run)
