"""The reasons for which an entry has no effect, spelt as docs/protocol.md §4 spells them.

Void is not refused: the entry is stored and cosigned all the same, and everybody who folds the two
logs finds the same reason.
"""

from enum import StrEnum

from telcon.errors import PeerError

__all__ = ["Void", "VoidError"]


class Void(StrEnum):
    """Why an entry has no effect; the value is the wording for people and protocols."""

    NOT_CANONICAL = "not canonical"
    UNKNOWN_TYPE = "unknown type"
    NOT_IN_TERMS = "not in both sides' terms"
    WRONG_SEEN_ROOT = "wrong seen root"
    SEEN_FELL = "seen fell"
    SEEN_BEYOND = "seen beyond the log"
    LINE_NOT_OPENED = "line not opened"
    LINE_ALREADY_OPENED = "line already opened"
    LINE_FROZEN = "line frozen"
    NO_SUCH_CALL = "no such call"
    CALL_ID_USED = "call id already used"
    REFERS_TO_NOTHING = "refers to nothing"
    NOT_YOURS = "not yours to do"
    NOT_RINGING = "not ringing"
    NOT_LIVE = "not live"
    CALL_ENDED = "call ended"
    ALREADY_ANSWERED = "already answered"
    NOT_ON_ROSTER = "not on the roster"
    HANDLE_IN_USE = "handle in use"
    TRACK_IN_USE = "track in use"
    NO_SUCH_TRACK = "no such track"
    CHUNK_DOES_NOT_FOLLOW = "chunk does not follow"
    MODE_DOES_NOT_RECORD = "mode does not record"


class VoidError(PeerError):
    """Bytes that stand in a log and can have no effect, whatever the state."""

    def __init__(self, reason: Void, detail: str) -> None:
        """Name the fold's `reason` and, for the log, the `detail` that was found."""
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
