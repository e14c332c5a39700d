"""Wait until the Kubernetes API answers and calls itself ready."""

from archipel_agent.steps.base import Context, Step
from archipel_agent.steps.waiting import Look, wait_until


def answers(context: Context) -> str | None:
    """Say so when the API is ready; /readyz with any valid identity answers 200 then (measured on 1.36)."""
    return "ready" if context.ports.kube.request("GET", "/readyz").status == 200 else None


def look(context: Context) -> Look:
    """Look once."""
    said = answers(context)
    return Look(said is not None, said or "")


def run(context: Context) -> str:
    """Wait."""
    return wait_until(
        context, lambda: look(context), context.settings.api_timeout, "api-timeout", "the API to answer"
    )


STEP = Step(slug="wait-api", title="Wait for the API", check=answers, run=run)
