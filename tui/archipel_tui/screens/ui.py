"""What screens may ask of the app, as a protocol, so that they need not know it."""

from collections.abc import Callable
from typing import Protocol

from archipel_contract.api import Checks
from archipel_contract.client import AgentClient
from archipel_contract.findings import Finding
from archipel_contract.jobs import Job, Verb
from archipel_tui.store import Scene

Options = dict[str, str | bool | int | list[str]]  # of a JobRequest


class Ui(Protocol):
    """What a screen may ask of the app."""

    client: AgentClient

    @property
    def scene(self) -> Scene:
        """What is known, the words, and the time."""

    def go(self, name: str) -> None:
        """Do what the key of this name does everywhere."""

    def watch_job(self, job: Job) -> None:
        """Follow a job that was just started."""

    def forget_checks(self) -> None:
        """The checks are being run again."""

    def take_checks(self, checks: Checks) -> None:
        """The checks were run."""

    def explain(self, finding: Finding) -> None:
        """Open the screen that explains this finding."""

    def confirm(self, title: str, question: Callable[[], list[str]], then: Callable[[], None]) -> None:
        """Ask, and act on Enter."""

    def begin(self, verb: Verb, options: Options) -> None:
        """Start a job and open its screen."""
