"""Tells pages and followers which sites changed: the ingest publishes, every open event stream has a subscription.

Made by `serve`, published to from any thread, awaited by the API's and the pages' streams. It keeps no history and no
content: a reader that is told of a site asks the store for it, within its own scope.
"""

import asyncio
import threading

NAMED = 1000  # sites a slow reader is told by name; beyond that it is told to look at everything
EVERY_SITE = frozenset({"*"})


class Subscription:
    """What changed since one reader last asked: a set, so that a reader who never asks costs no more than NAMED names."""

    def __init__(self, live: "Live", loop: asyncio.AbstractEventLoop) -> None:
        self._live = live
        self._loop = loop
        self._lock = threading.Lock()
        self._changed: frozenset[str] = frozenset()
        self._event = asyncio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nothing will come any more: the reader closed it, or the controller ends."""
        return self._closed

    async def next(self, timeout: float) -> frozenset[str]:  # noqa: ASYNC109 - to the reader silence is an answer
        """Return the ids of the sites that changed since the last call, waiting up to `timeout` seconds for the first.

        Empty when nothing changed in that time or the subscription is closed; EVERY_SITE when too many changed to name.
        """
        try:
            async with asyncio.timeout(timeout):
                while not self._changed and not self._closed:
                    self._event.clear()
                    if not self._changed and not self._closed:
                        await self._event.wait()
        except TimeoutError:
            return frozenset()
        with self._lock:
            taken, self._changed = self._changed, frozenset()
        return taken

    def offer(self, site_ids: frozenset[str]) -> None:
        """Add to what changed; called by Live from any thread."""
        with self._lock:
            together = self._changed | site_ids
            named = len(together) <= NAMED and not together & EVERY_SITE
            self._changed = together if named else EVERY_SITE
        self._wake()

    def end(self) -> None:
        """Let the reader return; called by Live from any thread."""
        self._closed = True
        self._wake()

    def close(self) -> None:
        """End the subscription."""
        self._live.forget(self)
        self.end()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:
            # The reader's loop has ended without closing its subscription; nobody waits any more.
            self._closed = True
            self._live.forget(self)


class Live:
    """All subscriptions of this controller."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: set[Subscription] = set()
        self._ended = False

    def publish(self, site_ids: frozenset[str]) -> None:
        """Tell every reader that these sites changed; may be called from any thread and never waits."""
        if not site_ids:
            return
        with self._lock:
            readers = tuple(self._readers)
        for reader in readers:
            reader.offer(site_ids)

    def subscribe(self) -> Subscription:
        """Return a subscription for the running event loop; whoever takes one closes it."""
        made = Subscription(self, asyncio.get_running_loop())
        with self._lock:
            if not self._ended:
                self._readers.add(made)
                return made
        made.end()
        return made

    @property
    def readers(self) -> int:
        """How many subscriptions are open."""
        with self._lock:
            return len(self._readers)

    def forget(self, subscription: Subscription) -> None:
        """Stop telling this subscription."""
        with self._lock:
            self._readers.discard(subscription)

    def close(self) -> None:
        """End every subscription, now and later, so that open streams end before the server does."""
        with self._lock:
            self._ended = True
            readers = tuple(self._readers)
            self._readers.clear()
        for reader in readers:
            reader.end()
