"""What a step is, and what it is given.

A step is four functions over one Context. `check` says whether there is nothing to do (and why) and changes nothing;
`run` does it; `verify` proves it; `undo` takes it back. All of them may be cut off at any instant and called again
later, so each is idempotent: `run` and `undo` bring about a state, they never count on the one before.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from archipel_agent.paths import Paths
from archipel_agent.ports import Ports
from archipel_agent.settings import Settings
from archipel_agent.state.store import Store
from archipel_agent.steps.options import Options
from archipel_contract.findings import Finding
from archipel_contract.jobs import Verb
from archipel_contract.site import SiteDocument


class StepFailed(Exception):
    """A step cannot go on; `finding` says why and what to do. `refused` means nothing was changed by the job yet."""

    def __init__(self, finding: Finding, refused: bool = False) -> None:
        super().__init__(finding.summary)
        self.finding = finding
        self.refused = refused


class Progress:
    """Where a step tells what it waits for and shows lines; the job engine passes both on to whoever watches."""

    def __init__(self, waiting: Callable[[str], None], line: Callable[[str], None]) -> None:
        """`waiting` takes what is waited for, `line` one log line."""
        self.waiting_for = waiting
        self.line = line


def _silent(_: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything a step may use."""

    verb: Verb
    options: Options
    ports: Ports
    paths: Paths
    settings: Settings
    store: Store
    node_id: str
    job: str = ""  # the id of the job, the same after a cut; empty for a plan
    settings_problem: str = ""  # what is wrong in agent.toml, so that the defaults are in use
    progress: Progress = field(default_factory=lambda: Progress(_silent, _silent))
    # Digests of a bundle's contents that this run of the job has itself found right; empty again after a cut.
    verified: set[str] = field(default_factory=set, compare=False)

    def site(self) -> SiteDocument:
        """Return the site document this job brings about; the step `settle` has written it."""
        document = self.store.site("desired") or self.store.site()
        if document is None:
            raise LookupError("no site document has been settled yet")
        return document


def _nothing(_: Context) -> None:
    """There is nothing to prove, or nothing to take back."""


def _always(_: Context) -> str | None:
    """The step is needed whenever the job runs."""
    return None


def _unsaid(_: Context) -> str:
    """The title says enough."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a job."""

    slug: str
    title: str
    run: Callable[[Context], str]  # returns what was done, in one line
    check: Callable[[Context], str | None] = _always  # why there is nothing to do, None if there is
    verify: Callable[[Context], None] = _nothing
    undo: Callable[[Context], None] = _nothing
    foresee: Callable[[Context], str] = (
        _unsaid  # what `run` would do, in one line, for a plan; changes nothing
    )
    changes: bool = True  # False for a step that only looks: a job refused right after it has changed nothing
