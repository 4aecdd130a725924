"""What the pages need from the node, as protocols: nothing here knows a node, a store or a socket.

Everything is called on the loop that serves the pages. A *device* is one page of one session: it
keeps its id over a lost WebSocket, and loses it when it is closed, signs out, or stays away too
long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NewType, Protocol

DeviceId = NewType("DeviceId", str)
"""One open page: 32 hex digits, unguessable, never reused."""

Message = Mapping[str, Any]
"""One JSON object between page and node."""


class Desk(Protocol):
    """The acts and the view of one principal."""

    def snapshot(self, device: DeviceId) -> Message:
        """Return all that `device` shows, as one JSON object; cheap enough for every change."""

    def subscribe(
        self,
        device: DeviceId,
        changed: Callable[[], None],
        send: Callable[[Message], None],
    ) -> Callable[[], None]:
        """Call `changed` whenever the snapshot of `device` did, `send` for what passes by.

        What passes by is one object with one key: `slots` or `hint`. Of each key only the
        newest is kept when the page is slow. Neither callable blocks or raises.

        Returns: a function that ends the subscription.
        """

    async def do(self, device: DeviceId, message: Message) -> Message:
        """Carry out one act of `device` and return what the answer adds to `ok`.

        `message` is checked for form (see `telcon.web.asks`), not for sense.

        Raises: TelconError when the act is not possible now.
        """

    async def course(self, call: str) -> Message | None:
        """Return what happened in `call`, 32 hex digits; None if there is no such call.

        Raises: StorageError when it cannot be read.
        """

    def device_gone(self, device: DeviceId) -> None:
        """Forget `device`: its page will not come back; close its legs, leave its calls."""


class SignIn(Protocol):
    """One-time links and the sessions they open."""

    async def redeem(self, secret: str) -> str:
        """Use up the link with `secret` and return the token of a new session.

        Raises: OperatorError when the link is unknown, expired or used.
        """

    def who(self, token: str) -> str | None:
        """Return the principal's id, or None when `token` opens nothing (any more)."""

    async def sign_out(self, token: str) -> None:
        """End the session of `token`; unknown tokens are ignored."""


class Audit(Protocol):
    """Writes one event to the node's audit file."""

    def __call__(self, event: str, /, **fields: str | int | None) -> None:
        """Write `event` (`audit.web.…`) with `fields`; never a secret."""
