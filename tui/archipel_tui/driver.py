"""Textual's terminal driver, made fit for the kernel's console and for serial lines.

What Textual 8.2's driver does not do: outlive a byte that is not UTF-8 (line noise, an 8-bit terminal),
restore the terminal at SIGTERM and SIGHUP, end when the line is hung up, keep what only terminal emulators
understand from others, and draw a likeness for characters a console font lacks. `app` names this class; it
reads `app.terminal`.
"""

import asyncio
import codecs
import contextlib
import os
import re
import selectors
import signal
from typing import Any, Protocol, cast

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers import linux_driver
from textual.drivers._writer_thread import WriterThread
from textual.geometry import Size

from archipel_tui.glyphs import SAFE, Fold
from archipel_tui.repaint import Repaint
from archipel_tui.terminal import Terminal

# Focus reports, bracketed paste, the kitty keyboard, in-band resize, synchronized output, the alternate
# screen: unknown to the console and to real terminals, some of which print them.
_EMULATORS_ONLY = re.compile(
    r"\x1b\]22;[^\x07]*\x07|\x1b\[(?:\?(?:1004|1049|2004|2048|2026)(?:[hl]|\$p)|[<>]\d*u)"
)
_HOME_AND_CLEAR = "\x1b[0m\x1b[2J\x1b[H"
_READ = 4096


class _KnowsTerminal(Protocol):
    terminal: Terminal


class _Unhurt(WriterThread):
    """The writer of the driver, except that a line which was hung up swallows what is written to it.

    In Textual's own, the thread ends with the first failure, and the program then waits for it for ever.
    """

    def run(self) -> None:
        """Write until told to stop."""
        while (text := self._queue.get()) is not None:
            with contextlib.suppress(OSError):
                self._file.write(text)
                if self._queue.empty():
                    self._file.flush()
        with contextlib.suppress(OSError):
            self._file.flush()


class ConsoleDriver(linux_driver.LinuxDriver):
    """The driver of the technician's screen, in every terminal."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        terminal = cast(_KnowsTerminal, app).terminal
        if terminal.is_basic:
            options["mouse"] = False
        super().__init__(app, **options)
        self._basic = terminal.is_basic
        self._repaint = Repaint()
        self._drawn_at: Size | None = None
        self._fold: Fold | None = None
        if terminal.ascii_only:
            self._fold = Fold()
        elif terminal.is_basic:
            self._fold = Fold(terminal.font if terminal.font is not None else SAFE)

    def write(self, data: str) -> None:
        """Send to the terminal what it understands and can draw."""
        if self._basic:
            data = _EMULATORS_ONLY.sub("", data)
        if self._fold is not None:
            data = data.translate(self._fold)
        if self._drawn_at != self._app.size:
            self._drawn_at = self._app.size
            self._repaint.forget()
        if needed := self._repaint.needed(data):
            super().write(needed)

    def start_application_mode(self) -> None:
        """Take the terminal over; from here on SIGTERM and SIGHUP leave through the front door."""
        # The base class makes its writer here, from the name in its module, and offers no other way to
        # choose it.
        vars(linux_driver)["WriterThread"] = _Unhurt
        super().start_application_mode()  # type: ignore[no-untyped-call]  # it has no annotations
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._app.exit)
        if self._basic:
            self.write(_HOME_AND_CLEAR)

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was found, without our picture on it."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._loop.remove_signal_handler(number)
        super().stop_application_mode()
        if self._basic:
            self.write(_HOME_AND_CLEAR)
            self.flush()

    def run_input_thread(self) -> None:
        """Read keys until told to stop; bytes that are no UTF-8 become replacement characters, which are no
        keys.
        """
        parser = XTermParser(self._debug)
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    data = self._read()
                    if not data:
                        self._loop.call_soon_threadsafe(self._app.exit)
                        break
                    for event in parser.feed(decoder.decode(data)):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
        with contextlib.suppress(EOFError, ParseError):
            list(parser.feed(""))

    def _read(self) -> bytes:
        """Return what was typed; empty when the line is gone."""
        try:
            return os.read(self.fileno, _READ)
        except OSError:
            return b""
