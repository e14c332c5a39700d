"""Amounts of memory and disk as people read them: powers of 1024, named so. Called by the other views."""


def size(count: float) -> str:
    """Return bytes as `3.7 GiB`."""
    value, unit = float(count), "B"
    for bigger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, bigger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def mebibytes(count: float) -> str:
    """Return mebibytes as `3.7 GiB`."""
    return size(count * 1024 * 1024)
