"""How much of one kind goes to the audit file or the house log: nobody outside may fill the disk.

Of each event that a stranger or the other side can cause at will, a burst is written in full, after
that one each few seconds, which says how many were left out.
"""

from collections.abc import Callable

from telcon.node.audit import AuditEvent

__all__ = ["Restraint"]

BURST = 32
REFILL_S = 5.0  # one more of its kind each so many seconds

AT_WILL = frozenset(
    {
        AuditEvent.OUT_OF_FILES,
        AuditEvent.SIGN_IN_REFUSED,
        AuditEvent.WRONG_ORIGIN,
        AuditEvent.WRONG_HOST,
        AuditEvent.INVITATION_UNKNOWN,
        AuditEvent.INVITATION_EXPIRED,
        AuditEvent.INVITATION_REUSED,
        AuditEvent.PAIRING_REFUSED,
        AuditEvent.UNKNOWN_PEER_KEY,
        AuditEvent.WRONG_PEER_KEY,
        AuditEvent.MALFORMED_FRAME,
        AuditEvent.ENTRY_OVER_LIMIT,
        AuditEvent.PUSH_REFUSED,
        AuditEvent.PEER_MISBEHAVED,
        AuditEvent.PEER_SLOWED,
        AuditEvent.WRONG_SEEN,
        AuditEvent.WITNESS_FAILED,
        AuditEvent.WITNESS_REFUSED,
        AuditEvent.ACT_REFUSED,
        AuditEvent.OPENING_UNREADABLE,
        AuditEvent.TRUNK_KEY_MISMATCH,
        AuditEvent.WRONG_FINGERPRINT,
        AuditEvent.WRONG_ICE_PASSWORD,
        AuditEvent.UNKNOWN_ICE_USER,
        AuditEvent.RECORD_UNLOGGED,
        AuditEvent.RECORD_UNREADABLE,
        AuditEvent.HOUSE_PIN_REFUSED,
        AuditEvent.HOUSE_UNWITNESSED,
        AuditEvent.HOUSE_WITNESS_LIED,
    }
)


class Restraint:
    """An audit function in front of another one."""

    def __init__(
        self,
        write: Callable[..., None],
        clock: Callable[[], float],
        *,
        burst: int = BURST,
        refill_s: float = REFILL_S,
    ) -> None:
        """Pass on to `write`; `clock` gives seconds and never goes back.

        Of one kind `burst` are written in full, after that one each `refill_s` seconds.
        """
        self._write = write
        self._clock = clock
        self._burst, self._refill_s = burst, refill_s
        self._left: dict[str, tuple[float, float]] = {}  # how many may be written, and since when
        self._left_out: dict[str, int] = {}

    def event(self, event: str, /, **fields: str | int | bool | None) -> None:
        """Write `event`, or count it as left out."""
        if event in AT_WILL and not self._may_write(event):
            self._left_out[event] = self._left_out.get(event, 0) + 1
            return
        left_out = self._left_out.pop(event, 0)
        self._write(event, **(fields | {"left_out": left_out} if left_out else fields))

    def settle(self) -> None:
        """Write of each kind how many were left out since one was last written."""
        left_out, self._left_out = self._left_out, {}
        for event, count in left_out.items():
            self._write(event, left_out=count)

    def _may_write(self, event: str) -> bool:
        now = self._clock()
        left, since = self._left.get(event, (float(self._burst), now))
        left = min(self._burst, left + (now - since) / self._refill_s)
        may = left >= 1
        self._left[event] = (left - 1 if may else left, now)
        return may
