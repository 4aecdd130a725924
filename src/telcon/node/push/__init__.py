"""Wakes the principal's browsers while no page of theirs is open, by the one word "ring".

Off unless the operator names push services (`push.services`). A ring that has sounded for a moment
is sent to every browser that was turned on and has no page open; nothing on its way waits for it,
and what a service answers changes nothing but whether that browser is tried again.

`sealing` closes the word for one browser, `vapid` says who sends, `subscription` reads what a
browser stated, `telcon.node.posting` carries it.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from telcon.errors import NetworkError
from telcon.node.audit import AuditEvent
from telcon.node.posting import post
from telcon.node.push.sealing import RING, seal
from telcon.node.push.subscription import Subscription, parse_subscription_untrusted
from telcon.node.push.vapid import VapidKey
from telcon.node.store import Store, wakings

__all__ = ["Push", "VapidKey"]

# A ring lights up at once and sounds after two seconds; who is woken is woken by the sound.
AFTER_S = 2.0
TRIES_S = (0.0, 3.0, 10.0)  # before each try, while it rings
RING_S = 45  # a service that cannot deliver within a ring need not
MAX_BROWSERS = 16
GONE = (404, 410)
_LOG = logging.getLogger(__name__)


class Push:
    """The browsers that one node wakes. Everything on the node's loop."""

    def __init__(
        self,
        keys: Path,
        services: tuple[str, ...],
        store: Store,
        *,
        session: Callable[[str], int | None],
        audit: Callable[..., None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        contact: Callable[[], str],
        trusted: ssl.SSLContext | None = None,
        after_s: float = AFTER_S,
    ) -> None:
        """Wake by `services` alone.

        `keys` is the folder for the node's key, `session` gives the number of a token's session,
        `contact` the address that a service is told; `trusted` says whose certificates count, the
        system's if None.
        """
        self._keys, self._services, self._store = keys, services, store
        self._session, self._audit, self._spawn = session, audit, spawn
        self._contact = contact
        self._trusted = trusted
        self._after_s = after_s
        self._vapid: VapidKey | None = None
        self._present: dict[int, int] = {}  # pages open, by session
        self._rings: dict[str, set[int]] = {}  # the sessions told already, by ringing call
        self._sounding: set[str] = set()

    # -- telcon.web.push.Push

    def key(self) -> str:
        """Return the public key that browsers subscribe under, made at first use."""
        return self._own_key().public

    def is_on(self, token: str) -> bool:
        """Tell whether the browser of that session is woken."""
        number = self._session(token)
        return number in self._browsers()

    async def turn_on(self, token: str, subscription: bytes) -> None:
        """Wake the browser of that session from now on.

        Raises:
            MalformedError: `subscription` is none.
            OperatorError: the node speaks to no such service.
            StorageError: the disk refused.
        """
        number = self._session(token)
        stated = parse_subscription_untrusted(subscription, self._services)
        if number is None:
            return

        def work(connection: Connection) -> None:
            wakings.put(connection, number, stated.endpoint, stated.key, stated.auth)
            wakings.keep_newest(connection, MAX_BROWSERS)

        await self._store.commit(work)
        self._audit(AuditEvent.PUSH_ON, session=number, service=stated.service)

    async def turn_off(self, token: str) -> None:
        """Wake the browser of that session no more."""
        number = self._session(token)
        if number is not None:
            await self._forget(number, "asked for")

    def present(self, token: str) -> Callable[[], None]:
        """Note that a page of that session is open, until the returned function is called."""
        number = self._session(token)
        if number is None:
            return lambda: None
        self._present[number] = self._present.get(number, 0) + 1

        def gone() -> None:
            self._present[number] -= 1
            if not self._present[number]:
                del self._present[number]
                self._wake_all()  # it may be ringing

        return gone

    # -- rings

    def ringing(self, calls: Collection[str]) -> None:
        """Note which calls ring here now; told at every change, and quick."""
        for call in [known for known in self._rings if known not in calls]:
            del self._rings[call]
            self._sounding.discard(call)
        for call in calls:
            if call not in self._rings:
                self._rings[call] = set()
                asyncio.get_running_loop().call_later(self._after_s, self._sounds, call)

    def _sounds(self, call: str) -> None:
        if call in self._rings:
            self._sounding.add(call)
            self._wake_all()

    def _wake_all(self) -> None:
        if not self._sounding:
            return
        for number, browser in self._browsers().items():
            for call in self._sounding:
                if number not in self._present and number not in self._rings[call]:
                    self._rings[call].add(number)
                    self._spawn(self._wake(call, number, browser))

    async def _wake(self, call: str, number: int, browser: Subscription) -> None:
        why = ""
        for pause_s in TRIES_S:
            await asyncio.sleep(pause_s)
            if call not in self._rings:
                return
            try:
                status = await self._send(browser)
            except NetworkError as error:
                why = str(error)
                continue
            if status in GONE:
                await self._forget(number, "gone")
                return
            if 200 <= status < 300:
                return
            why = f"status {status}"
        _LOG.warning("push.failed: %s: %s", browser.service, why)
        self._audit(AuditEvent.PUSH_FAILED, session=number, service=browser.service, why=why)

    async def _send(self, browser: Subscription) -> int:
        if self._trusted is None:
            self._trusted = ssl.create_default_context()
        now_s = int(time.time())
        headers = {
            "Authorization": self._own_key().authorization(browser.origin, self._contact(), now_s),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(RING_S),
            "Urgency": "high",
            "Topic": RING.decode("ascii"),  # a ring that was not delivered gives way to the next
        }
        body = seal(RING, browser.key, browser.auth)
        return (await post(browser.endpoint, headers, body, self._trusted)).status

    def _own_key(self) -> VapidKey:
        if self._vapid is None:
            self._vapid = VapidKey.load_or_make(self._keys)
        return self._vapid

    # -- the store

    def _browsers(self) -> dict[int, Subscription]:
        rows = self._store.read(wakings.find_all)
        return {row.session: Subscription(row.endpoint, row.key, row.auth) for row in rows}

    async def _forget(self, number: int, why: str) -> None:
        browser = self._browsers().get(number)
        await self._store.commit(lambda connection: wakings.delete(connection, number))
        if browser is not None:
            service = browser.service
            self._audit(AuditEvent.PUSH_OFF, session=number, service=service, why=why)
