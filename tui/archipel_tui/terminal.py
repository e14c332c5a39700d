"""What kind of terminal this is, decided once at the start from what it answers rather than from its name
alone.

Called by `main`. `probe` asks the kernel, `decide` is pure and holds the rules, so that tests cover every
terminal.
"""

import array
import fcntl
import os
import struct
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

SMALLEST = (60, 20)  # columns and rows below which only the plain menu is usable

# From <linux/kd.h>.
_KDGKBTYPE = 0x4B33  # answers only on a virtual console of the kernel
_KB_101 = 2
_GIO_UNIMAP = 0x4B66  # which characters the console's font has
_UNIMAP_ENTRIES = 4096  # fonts hold at most 512 glyphs; each may stand for several characters

_SLOW = (termios.B0, termios.B1200, termios.B2400, termios.B4800, termios.B9600)
_SERIAL_LINES = ("/dev/ttyS", "/dev/ttyAMA", "/dev/ttyUSB", "/dev/ttyACM", "/dev/hvc")
# Names of terminal emulators; whatever calls itself otherwise on a pseudo-terminal (a console that came here over SSH,
# say) is used as a console is: without what only emulators know.
_EMULATORS = (
    "xterm", "tmux", "screen", "rxvt", "konsole", "gnome", "vte", "alacritty", "foot", "kitty", "wezterm", "ghostty",
)  # fmt: skip
_SERIAL_NAMES = ("vt100", "vt102", "vt220")


class Mode(StrEnum):
    """How to draw."""

    CONSOLE = "console"  # the kernel's virtual console, or what may be one: 16 colours, its font, no mouse
    RICH = "rich"  # a terminal emulator
    SERIAL = "serial"  # a serial line: ask what it can do
    PLAIN = "plain"  # a numbered menu, for everything that cannot move a cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What could be found out about the terminal."""

    is_tty: bool
    is_console: bool = False
    font: frozenset[str] | None = None  # the console's font; None where not known
    name: str = ""  # the device
    columns: int = 0  # 0 if the line does not say
    rows: int = 0
    speed: int | None = None  # a termios B... constant
    utf8: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """How this terminal is to be used."""

    mode: Mode
    ascii_only: bool = False
    mono: bool = False
    font: frozenset[str] | None = None  # fold everything else to a likeness

    @property
    def is_basic(self) -> bool:
        """Whether to leave out everything that only terminal emulators know."""
        return self.mode is not Mode.RICH


def decide(probe: Probe, environment: Mapping[str, str], plain: bool = False, mono: bool = False) -> Terminal:
    """Return how to use the terminal, from what was found, the environment and the two flags."""
    kind = environment.get("TERM", "")
    mono = mono or bool(environment.get("NO_COLOR"))  # https://no-color.org: any value that is not empty
    ascii_only = not probe.utf8
    small = probe.columns and probe.rows and (probe.columns < SMALLEST[0] or probe.rows < SMALLEST[1])
    serial = probe.name.startswith(_SERIAL_LINES)
    slow = serial and probe.speed in _SLOW
    if plain or not probe.is_tty or kind in ("", "dumb") or small or slow:
        return Terminal(mode=Mode.PLAIN, ascii_only=ascii_only, mono=True)
    if probe.is_console:
        return Terminal(mode=Mode.CONSOLE, ascii_only=ascii_only, mono=mono, font=probe.font)
    if serial or kind in _SERIAL_NAMES:
        return Terminal(mode=Mode.SERIAL, ascii_only=ascii_only, mono=mono)
    if not kind.startswith(_EMULATORS):
        return Terminal(mode=Mode.CONSOLE, ascii_only=ascii_only, mono=mono)
    return Terminal(mode=Mode.RICH, ascii_only=ascii_only, mono=mono or kind.endswith(("-m", "-mono")))


def basic(terminal: Terminal) -> Terminal:
    """Return the same terminal in ASCII and without colour."""
    return Terminal(mode=terminal.mode, ascii_only=True, mono=True, font=terminal.font)


def probe() -> Probe:
    """Ask the terminal on standard input and error (which Textual draws on)."""
    utf8 = (sys.stderr.encoding or "").lower().replace("-", "") == "utf8"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return Probe(is_tty=False, utf8=utf8)
    descriptor = sys.stdin.fileno()
    size = os.terminal_size((0, 0))
    speed = None
    try:
        size = os.get_terminal_size(sys.stderr.fileno())
        speed = termios.tcgetattr(descriptor)[5]
    except (OSError, termios.error):
        pass  # a line that answers neither is used with the defaults
    console = _is_console(descriptor)
    return Probe(
        is_tty=True,
        is_console=console,
        font=_font(descriptor) if console else None,
        name=_name(descriptor),
        columns=size.columns,
        rows=size.lines,
        speed=speed,
        utf8=utf8,
    )


def _name(descriptor: int) -> str:
    """Return the device's path; empty where it has none here, as in a container entered from outside (ENODEV)."""
    try:
        return os.ttyname(descriptor)
    except OSError:
        return ""


def _is_console(descriptor: int) -> bool:
    answer = bytearray(1)
    try:
        fcntl.ioctl(descriptor, _KDGKBTYPE, answer)
    except OSError:
        return False
    return answer[0] == _KB_101


def _font(descriptor: int) -> frozenset[str] | None:
    """Return the characters the console's font has, None if the kernel does not tell."""
    pairs = array.array("H", bytes(4 * _UNIMAP_ENTRIES))
    address, _ = pairs.buffer_info()
    request = bytearray(struct.pack("@HP", _UNIMAP_ENTRIES, address))
    try:
        fcntl.ioctl(descriptor, _GIO_UNIMAP, request)
    except OSError:
        return None
    (count,) = struct.unpack_from("@H", request)
    return frozenset(chr(code) for code in pairs[0 : 2 * count : 2])
