"""How much a day a medium bears if it is to last five years, unless the setting says it. Pure; used by `flash.watch`.

Cards: makers name no figure. Cells of the usual kind bear about 500 writes, a card writes about four times what it is given,
so its size times 500 / 4 / (5 x 365) a day: 7 %. SSDs are sold for 0.3 of their size a day over five years. Disks that turn
do not wear by writing.
"""

CARD_SHARE = 0.07
SSD_SHARE = 0.3
SHARES = {"sd": CARD_SHARE, "emmc": CARD_SHARE, "ssd": SSD_SHARE, "nvme": SSD_SHARE}
AUTO = "auto"
MB = 1_000_000


def budget(setting: str, kind: str, size: int | None) -> float | None:
    """Return bytes a day; None where there is nothing to keep within."""
    if setting != AUTO:
        return float(setting) * MB or None
    share = SHARES.get(kind)
    return None if share is None or size is None else share * size
