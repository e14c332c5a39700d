"""Progress where nobody looks at a terminal: a log gets a line for each change that matters, not one for each percent."""

import io

import pytest

from archipel_agent.cli.output import Screen
from archipel_agent.cli.progress import progress
from archipel_contract.jobs import Job, JobEvent, JobState, Step, StepState, Verb


def lines(*waits: str) -> list[str]:
    """What a log shows of a step that waits for these things one after the other."""
    out = io.StringIO()
    shown = progress(Screen(out=out, err=out, color=False, language="en", as_json=False), lambda: 0.0)
    for number, wait in enumerate(waits, 1):
        step = Step(slug="bundle", title="Import", state=StepState.RUNNING, waiting_for=wait)
        job = Job(id="j", verb=Verb.IMPORT, state=JobState.RUNNING, steps=(step,))
        shown.show(JobEvent(sequence=number, job=job))
    return out.getvalue().splitlines()


@pytest.mark.parametrize(
    "form",
    ["the import: {:,} of 2,000 bytes", "the copy of the datastore ({:.0f} %)"],
)
def test_a_long_import_is_told_in_tenths(form: str) -> None:
    top = 2000 if "bytes" in form else 100
    told = lines(*(form.format(top * part / 200 if top == 100 else top * part // 200) for part in range(201)))
    assert 10 <= len(told) <= 12


def test_something_else_that_is_waited_for_is_told_at_once() -> None:
    assert len(lines("pod 1 of 3", "pod 2 of 3", "the API", "10.1.2.3", "10.1.2.4")) == 5
