"""The display name the fleet gives a device: from what it says of itself, printable, unique among its neighbours. Pure."""

from collections.abc import Container

LONGEST = 63


def printable(text: str, longest: int = LONGEST) -> str:
    """Return foreign text without control characters, of one line and of bounded length."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:longest].strip()


def display_name(hostname: str, site_name: str, node_id: str, taken: Container[str]) -> str:
    """Return a name that is not `taken`: the hostname, with the site's name, or with a number."""
    base = printable(hostname) or node_id
    if base not in taken:
        return base
    site = printable(site_name)
    if site:
        both = f"{base[: LONGEST - 25]} ({site[:20]})"
        if both not in taken:
            return both
        base = both
    number = 2
    while f"{base[: LONGEST - 7]}-{number}" in taken:
        number += 1
    return f"{base[: LONGEST - 7]}-{number}"
