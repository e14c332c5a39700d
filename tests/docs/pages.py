"""Reads the pages: tables by their first column, commands in fenced blocks and in running text, links."""

import re
import shlex
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("install", "technician", "workshop", "site", "listeners", "hardening", "files", "fleet-admin")


def text(page: str) -> str:
    """The page as it stands."""
    return (DOCS / f"{page}.md").read_text()


def rows(page: str) -> list[list[str]]:
    """Every row of every table, as cells without blanks around; headers and rulers are left out."""
    found = []
    lines = text(page).splitlines()
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if line.startswith("|") and not line.startswith("|---") and not following.startswith("|---"):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def codes(cell: str) -> list[str]:
    """What stands in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def commands(page: str) -> list[list[str]]:
    """Every command in a fenced `sh` block, as words."""
    blocks = re.findall(r"```sh\n(.*?)```", text(page), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.strip()]


def mentions(page: str) -> list[list[str]]:
    """Every `archipel ...` in running text, as words."""
    prose = re.sub(r"```.*?```", "", text(page), flags=re.DOTALL)
    return [shlex.split(code) for code in codes(prose) if re.match(r"(sudo )?archipel [a-z]", code)]


def links(page: str) -> list[str]:
    """Targets of links to other pages."""
    return re.findall(r"\]\(([^)#]+)\)", text(page))


def prose_words(page: str) -> int:
    """How many words there are to read, commands and examples in blocks left out."""
    prose = re.sub(r"```.*?```", "", text(page), flags=re.DOTALL)
    return len(re.findall(r"\w[\w'’./-]*", prose))
