"""`archipel tui`: reads the command line, looks at the terminal, and starts the screen or the plain menu.

Textual is imported only once it is known to be wanted, so that `--help` and the plain menu stay light.
"""

import argparse
import os
import sys
from pathlib import Path

from archipel_contract.api import SOCKET
from archipel_contract.catalogue import LANGUAGES
from archipel_contract.catalogue.ui import Words
from archipel_contract.console import LANGUAGE_NAMES, language_of
from archipel_contract.exits import Exit
from archipel_tui.terminal import Mode, Terminal, basic, decide, probe

_EPILOG = """\
keys:
  0 menu, 1 home, 2 doctor, 4 pods, 6 logs, 8 support bundle; U set up or start, S stop, J progress
  arrows and PgUp/PgDn move, Enter opens or says yes, Esc goes back or says no
  F1 or H help, F9 or G German/English, Ctrl+L draws again, Q or F10 leaves; whatever runs goes on

  terminals: Works from 60x20 up, on the kernel's console, over SSH and on serial lines. A terminal that
  cannot move a cursor (TERM=dumb), is smaller or slower than 9600 baud gets a numbered menu, which suits
  screen readers too.

examples:
  archipel tui                     this machine
  archipel tui --lang de --mono    German, no colour (the environment's NO_COLOR does the same)
  archipel tui --plain             the numbered menu
  ARCHIPEL_ROOT=DIR archipel tui     the agent of a demo or a test below DIR

exit codes: 0 left, 2 usage or no terminal
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="archipel tui",
        description="The technician's screen: how this box does, what is wrong, and what to do. "
        "It talks to the agent on this machine and changes nothing by itself.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--socket", type=Path, metavar="PATH", help="the agent's socket (default: below ARCHIPEL_ROOT)"
    )
    made.add_argument(
        "--lang",
        choices=LANGUAGES,
        help=f"language (default: by the first set of {', '.join(LANGUAGE_NAMES)})",
    )
    made.add_argument("--mono", action="store_true", help="no colour; states are told by marks anyway")
    made.add_argument("--plain", action="store_true", help="a numbered menu instead of screens")
    return made


def main(arguments: list[str]) -> int:
    """Run `archipel tui ARGUMENTS`; return an exit code."""
    chosen = parser().parse_args(arguments)
    socket = chosen.socket or Path(os.environ.get("ARCHIPEL_ROOT") or "/") / SOCKET
    language = language_of(chosen.lang, os.environ)
    found = probe()
    if not found.is_tty and not chosen.plain:
        print(
            "archipel tui: this is no terminal. Use archipel status, or archipel tui --plain.",
            file=sys.stderr,
        )
        return Exit.USAGE
    terminal = decide(found, os.environ, plain=chosen.plain, mono=chosen.mono)
    if terminal.mode is Mode.SERIAL:
        terminal = _ask_serial(terminal, language)
    if terminal.mode is Mode.PLAIN:
        return _plain(socket, terminal, language)
    return _screens(socket, terminal, language)


def _ask_serial(terminal: Terminal, language: str) -> Terminal:
    """Ask what a serial line can do, since nothing on it tells; Enter alone is the safe answer."""
    words = Words(language, ascii_only=True)
    print(f"{words('serial.ask')} [1] ", end="", flush=True)
    return terminal if sys.stdin.readline().strip() == "2" else basic(terminal)


def _plain(socket: Path, terminal: Terminal, language: str) -> int:
    from archipel_tui.plain import PlainMenu, on_terminal

    words = Words(language, terminal.ascii_only)
    return PlainMenu(socket, words, on_terminal()).run()


def _screens(socket: Path, terminal: Terminal, language: str) -> int:
    # Textual takes both from the environment, as it is when it is imported and when the app is made.
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    if terminal.mono:
        os.environ["NO_COLOR"] = "1"
    else:
        os.environ.pop("NO_COLOR", None)  # set but empty means colour
    from archipel_tui.app import ArchipelApp

    app = ArchipelApp(socket, terminal, language)
    app.run(mouse=terminal.mode is Mode.RICH)
    return app.return_code or Exit.OK
