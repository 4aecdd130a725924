"""Push without a node: keeps what browsers state, and who has a page open."""

from __future__ import annotations

from collections.abc import Callable


class FakePush:
    """Implements `telcon.web.push.Push`."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.public: str | None = None
        self.subscriptions: dict[str, bytes] = {}
        self.here: list[str] = []

    def key(self) -> str | None:
        return self.public

    def is_on(self, token: str) -> bool:
        return token in self.subscriptions

    async def turn_on(self, token: str, subscription: bytes) -> None:
        self.subscriptions[token] = subscription

    async def turn_off(self, token: str) -> None:
        self.subscriptions.pop(token, None)

    def present(self, token: str) -> Callable[[], None]:
        self.here.append(token)
        return lambda: self.here.remove(token)
