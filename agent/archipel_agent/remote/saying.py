"""Says the results of orders piece by piece, as the outbox has room. Called by `worker`, in its thread.

A result is on disk before a word of it is said; how far it was said is kept as well, so that the next start goes on there.
"""

from collections import deque

from archipel_agent.remote.parts import Teller
from archipel_agent.remote.pieces import PIECE_BYTES, piece
from archipel_agent.state.orders import SAID, OrderStore
from archipel_contract.commands import Result

FEED_BYTES = 1 << 20  # of results in the outbox at a time: room stays for what is worth more
AT_ONCE = 4  # pieces in one commit
PENDING_LIMIT = 100  # words that were not kept on disk
RETRY_SECONDS = (1.0, 60.0)  # until saying is tried again; doubles while nothing goes


class Saying:
    """What remains to be said."""

    def __init__(self, orders: OrderStore) -> None:
        self._orders = orders
        self._pending: deque[Result] = deque(maxlen=PENDING_LIMIT)
        self._retry = RETRY_SECONDS[0]

    def add(self, result: Result) -> None:
        """Say something that is not kept on disk; from any thread."""
        self._pending.append(result)

    def hurry(self) -> None:
        """Try again soon: something has changed."""
        self._retry = RETRY_SECONDS[0]

    def patience(self) -> float:
        """Return after how many seconds to try again, longer each time while nothing goes."""
        wait, self._retry = self._retry, min(RETRY_SECONDS[1], self._retry * 2)
        return wait

    def say(self, teller: Teller) -> bool:
        """Say what there is room for; return whether something is left. Raises StateUnusable."""
        while self._pending:
            if not teller.say(self._pending[0]):
                return True
            self._pending.popleft()
        return any([not self._say_result(teller, order) for order in self._orders.unsaid()])

    def _say_result(self, teller: Teller, order: str) -> bool:
        """Say one result as far as there is room; return whether that was its end."""
        kept = self._orders.result(order)
        if kept is None or kept.said < 0:
            return True
        at = kept.said
        while at < kept.head.pieces:
            waiting, _ = teller.results()
            count = min(AT_ONCE, kept.head.pieces - at)
            if waiting and waiting + count * PIECE_BYTES * 4 // 3 > FEED_BYTES and kept.size:
                return False
            bodies = [piece(kept.head, one, self._bytes(order, one)) for one in range(at, at + count)]
            if not teller.say(*bodies):
                if count == 1 or not teller.say(bodies[0]):
                    return False
                count = 1
            at += count
            self._orders.note_said(order, at if at < kept.head.pieces else SAID)
            self.hurry()
        return True

    def _bytes(self, order: str, number: int) -> bytes:
        return self._orders.slice(order, number * PIECE_BYTES, PIECE_BYTES)
