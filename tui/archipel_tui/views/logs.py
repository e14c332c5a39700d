"""Log lines of k3s or the agent, all or only those that look like errors."""

import re

from archipel_contract.api import LogLines
from archipel_tui.store import Scene
from archipel_tui.text import Line, paragraph

# logrus (`level=error`), klog (`E0613 ...`), Go panics, and what the agent writes.
_ERROR = re.compile(
    r"level=(?:error|fatal|panic)|(?:^|\s)[EF]\d{4} \d\d:|\bpanic:|\b(?:ERROR|FATAL|CRITICAL)\b|Traceback"
)


def is_error(text: str) -> bool:
    """Whether a log line reports an error."""
    return _ERROR.search(text) is not None


def page(scene: Scene, cells: int, lines: LogLines | None, only_errors: bool) -> list[Line]:
    """The lines, wrapped, oldest first; errors stand out."""
    words = scene.words
    if lines is None:
        return paragraph(words("logs.wait"), cells)
    chosen = [text for text in lines.lines if not only_errors or is_error(text)]
    if not chosen:
        return paragraph(words("logs.empty-errors" if only_errors else "logs.empty"), cells)
    found: list[Line] = []
    for text in chosen:
        found += paragraph(words.shown(text), cells, "bad" if is_error(text) else "")
    return found


def heading(scene: Scene, lines: LogLines | None, source: str, only_errors: bool) -> str:
    """What is shown: the source and how many lines."""
    key = "logs.of-errors" if only_errors else "logs.of"
    return scene.words(key, source=source, count=len(lines.lines) if lines else 0)
