"""Listening sockets that turn away in words, and quickly, when the process may open no more files.

asyncio by itself leaves who knocks without a word, looks away for a second, and says so in the log
a hundred times for each knock. Here one descriptor is kept in hand: it is given up, the connection
taken, told, closed, and a descriptor kept again.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

__all__ = ["ListeningSocket"]

FULL = (errno.EMFILE, errno.ENFILE)
WAIT_S = 0.005  # for what the other side says first; nobody else waits longer
MOST_OCTETS = 65_536


class ListeningSocket(socket.socket):
    """A listening socket with a descriptor in hand."""

    def __init__(
        self, listening: socket.socket, *, on_full: Callable[[], None], words: bytes = b""
    ) -> None:
        """Take over `listening`; `words` is what is sent to those turned away.

        `on_full` is called for each of them and must not block.
        """
        super().__init__(listening.family, listening.type, fileno=listening.detach())
        self._words = words
        self._on_full = on_full
        self._spare: int | None = _spare()

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection.

        Raises:
            BlockingIOError: none waits, or who waited was turned away.
            OSError: the system refuses.
        """
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in FULL or self._spare is None:
                raise
            self._turn_away()
            raise BlockingIOError(errno.EAGAIN, "turned away") from error

    def close(self) -> None:
        """Close it, and what was kept in hand."""
        self._drop_spare()
        super().close()

    def _turn_away(self) -> None:
        self._drop_spare()
        with contextlib.suppress(OSError):  # it may have gone away by itself
            connection, _ = super().accept()
            with connection:
                self._tell(connection)
        with contextlib.suppress(OSError):  # another thread was faster: asyncio's own way is left
            self._spare = _spare()
        self._on_full()

    def _tell(self, connection: socket.socket) -> None:
        connection.settimeout(WAIT_S)
        with contextlib.suppress(TimeoutError):
            connection.recv(MOST_OCTETS)  # left unread, it would take the words back
        connection.send(self._words)

    def _drop_spare(self) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None


def _spare() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
