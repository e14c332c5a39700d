"""Amounts as people read them, the same in every language: `1.4 GB`, `63 %`.

Called by the checks that measure. Decimal units, as on the packaging of disks.
"""

MB = 1_000_000
GB = 1_000_000_000
MIB = 1 << 20


def size(count: int) -> str:
    """Return `count` bytes as `850 MB` or `1.4 GB`."""
    return f"{count / GB:.1f} GB" if count >= GB else f"{count / MB:.0f} MB"


def percent(part: float, whole: float) -> str:
    """Return `part` of `whole` as `63 %`; `whole` must not be zero."""
    return f"{100 * part / whole:.0f} %"
