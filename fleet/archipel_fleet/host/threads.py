"""Threads whose unexpected end is noticed: a controller in which one part has died must not look alive."""

import threading
from collections.abc import Callable

import structlog


class Watched:
    """A thread that runs until it is told to end; `ended` is called once if it ends before, or with an error."""

    def __init__(
        self, name: str, run: Callable[[], None], stopping: Callable[[], bool], ended: Callable[[str], None]
    ) -> None:
        self._name = name
        self._run = run
        self._stopping = stopping
        self._ended = ended
        self._thread = threading.Thread(target=self._watched, name=name, daemon=True)

    def start(self) -> None:
        """Start it."""
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Wait for its end; return whether it came."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _watched(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - whatever ended it is said, and ends the process
            structlog.get_logger("archipel_fleet").exception(
                "a part of the controller broke", part=self._name
            )
            self._ended(f"{self._name}: {type(error).__name__}: {error}")
        else:
            if not self._stopping():
                self._ended(f"{self._name} ended although nobody asked it to")
