"""Reading a k3s version such as `v1.36.3+k3s1`."""

import re

_VERSION = re.compile(r"\bv?(\d+)\.(\d+)\.(\d+)")


def minor_of(text: str) -> tuple[int, int] | None:
    """Return (1, 36) for any text that holds `v1.36.3+k3s1`; None if it holds no version."""
    match = _VERSION.search(text)
    return (int(match[1]), int(match[2])) if match else None
