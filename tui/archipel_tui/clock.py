"""The one place where the screen takes its time from; everything else is given a `Clock`, and tests give
their own.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of day with its zone, and seconds that only grow."""

    now: Callable[[], datetime] = lambda: datetime.now().astimezone()
    monotonic: Callable[[], float] = time.monotonic
