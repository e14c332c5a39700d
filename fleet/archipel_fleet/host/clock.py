"""The clock of this machine, behind the controller's port; randomness is `secrets.token_bytes`."""

import time


class SystemClock:
    """See ports.Clock."""

    def now(self) -> int:
        """Return milliseconds since 1970 UTC by the wall clock."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()
