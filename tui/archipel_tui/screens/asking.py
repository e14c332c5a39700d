"""Calling the agent from a screen without blocking the event loop: a worker thread calls, messages bring the
answer.
"""

from typing import Any, cast

from textual.message import Message
from textual.screen import Screen

from archipel_contract.client import AgentAway, ApiRefused
from archipel_contract.wire import WireError
from archipel_tui.screens.ui import Ui
from archipel_tui.store import Scene


class Answered(Message):
    """The agent answered what a screen asked."""

    def __init__(self, what: str, value: Any) -> None:
        super().__init__()
        self.what = what
        self.value = value


class Failed(Message):
    """The agent did not, or refused."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__()
        self.what = what
        self.reason = reason


class Asking(Screen[None], inherit_bindings=False):
    """A screen that can ask the agent."""

    @property
    def ui(self) -> Ui:
        """The app, as far as screens may know it."""
        return cast(Ui, self.app)

    @property
    def scene(self) -> Scene:
        """What to draw."""
        return self.ui.scene

    def redraw(self) -> None:
        """Draw whatever changed."""

    def answered(self, what: str, value: Any) -> None:
        """Take what the agent answered to `ask`."""

    def failed(self, what: str, reason: str) -> None:
        """Take that the agent did not answer `ask`."""

    def ask(self, what: str, name: str, body: Any = None, timeout: float = 10.0, **words: str) -> None:
        """Call the endpoint `name` in a thread; `answered` or `failed` hears of it as `what`."""

        def call() -> None:
            try:
                value = self.ui.client.call(name, body, timeout, **words)
            except ApiRefused as error:
                reason = f"{error.problem.message} {error.problem.remedy}".strip()
                self.post_message(Failed(what, self.scene.words("job.refused", message=reason)))
            except (AgentAway, WireError) as error:
                self.post_message(Failed(what, str(error)))
            else:
                self.post_message(Answered(what, value))

        self.run_worker(call, thread=True, group=what)

    def on_answered(self, message: Answered) -> None:
        """Hand on an answer."""
        self.answered(message.what, message.value)
        self.redraw()

    def on_failed(self, message: Failed) -> None:
        """Hand on a failure."""
        self.failed(message.what, message.reason)
        self.redraw()
