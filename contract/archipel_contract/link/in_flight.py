"""What a connection has taken and not got rid of: QoS 1 until it is acknowledged, QoS 0 until its bytes have left.

`mqtt` asks it whether there is room for one more. Pure bookkeeping: no socket, no clock.
"""

from collections import deque


class InFlight:
    """The messages of one carrier on their way out; emptied with each connection."""

    def __init__(self, window: int, waiting_limit: int) -> None:
        """At most `window` messages unacknowledged, and `waiting_limit` bytes that the network has not taken."""
        self._window, self._waiting_limit = window, waiting_limit
        self._unacknowledged: set[int] = set()
        self._leaving: deque[int] = deque()  # QoS 0: where each message ends, in bytes handed over
        self._refused = False

    def takes(self, qos: int, waiting: int) -> bool:
        """Whether there is room for one more while `waiting` bytes have not left; a no is remembered for `room_again`."""
        room = waiting <= self._waiting_limit and (not qos or len(self._unacknowledged) < self._window)
        self._refused = self._refused or not room
        return room

    def room_again(self, waiting: int) -> bool:
        """Whether there is room after a no; said once for each no.

        Only when half is free, or a fast sender and the network would wake one another for each message.
        """
        full = waiting > self._waiting_limit // 2 or len(self._unacknowledged) > self._window // 2
        if not self._refused or full:
            return False
        self._refused = False
        return True

    def sent(self, qos: int, identifier: int, accepted: int) -> None:
        """Note a message that was handed over; it ends at byte `accepted`."""
        if qos:
            self._unacknowledged.add(identifier)
        else:
            self._leaving.append(accepted)

    def acknowledged(self, identifier: int) -> None:
        """Note the broker's acknowledgement."""
        self._unacknowledged.discard(identifier)

    def count(self, left: int) -> int:
        """How many are on their way, when `left` bytes have left in all."""
        while self._leaving and self._leaving[0] <= left:
            self._leaving.popleft()
        return len(self._unacknowledged) + len(self._leaving)

    def clear(self) -> None:
        """Forget them; their connection is gone."""
        self._unacknowledged.clear()
        self._leaving.clear()
