"""The timeline of one call as a page to print and to file: a drawing, and the same in words.

Above the stroke is what our side did, below what theirs did; the stroke itself is solid where both
have signed. The drawing bears no text: what it shows stands in the table under it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from telcon.errors import TelconError
from telcon.web.desk_protocol import Audit, Desk, Message
from telcon.web.session import Sessions
from telcon.web.words import Catalogue, catalogue, sentences

__all__ = ["CoursePage", "draw"]

CALL_FORM = re.compile(r"[0-9a-f]{32}")
WIDTH = 360.0  # units; as wide as a phone, and scaled up from there
MARGIN = 8.0
ROW = 9.0  # one person, or the recorder
BAR = 6.0
GAP = 12.0  # from the stroke to the first row
LEAST = 2.0  # what is shorter than this can be seen all the same
ROWS = 8  # of one side; a call has that many people who speak
LONG_US = 12 * 3_600_000_000  # from the ring on; what comes later bears its day too
HEADERS = {"Cache-Control": "no-store", "Vary": "Accept-Language, Cookie"}

# What a fact looks like on the stroke; all others are ends of bars, or too many.
_MARKS = {
    "call.ring": "ring",
    "call.answer": "answer",
    "call.mode": "mode",
    "message": "message",
    "call.hang-up": "end",
    "call.decline": "broken",
    "call.cancel": "broken",
    "call.missed": "broken",
    "call.fail": "broken",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that lasted."""

    kind: str
    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, or a stretch of the stroke if it has a width."""

    kind: str
    x: float
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """All shapes of a timeline, in units."""

    width: float
    height: float
    middle: float
    bar: float
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    unsigned: tuple[Mark, ...]


def draw(course: Message) -> Drawing:
    """Return where everything of `course` stands."""
    begin: int = course["from_us"]
    end: int = max(course["to_us"], begin + 1)

    def x(us: int) -> float:
        part = (min(max(us, begin), end) - begin) / (end - begin)
        return round(MARGIN + part * (WIDTH - 2 * MARGIN), 1)

    def wide(one: Mapping[str, Any]) -> tuple[float, float]:
        until = end if one["to_us"] is None else one["to_us"]
        return x(one["from_us"]), max(LEAST, round(x(until) - x(one["from_us"]), 1))

    rows = {side: _rows(course, side) for side in ("ours", "theirs")}
    middle = GAP + ROW * len(rows["ours"])
    bars = []
    for side, sign in (("ours", -1), ("theirs", 1)):
        for number, (kind, ones) in enumerate(rows[side]):
            y = middle + sign * (GAP + ROW * number) - (BAR if sign < 0 else 0)
            for start, width in map(wide, ones):
                bars.append(Bar(kind, start, round(y, 1), width))
    unsigned = [wide({"from_us": one, "to_us": other}) for one, other in course["unsigned"]]
    return Drawing(
        WIDTH,
        round(2 * GAP + ROW * (len(rows["ours"]) + len(rows["theirs"])), 1),
        middle,
        BAR,
        tuple(bars),
        tuple(
            Mark(_MARKS[fact["kind"]], x(fact["at_us"]))
            for fact in course["facts"]
            if fact["kind"] in _MARKS
        ),
        tuple(Mark("unsigned", start, width) for start, width in unsigned),
    )


def _rows(course: Message, side: str) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Return the bars of one side, nearest to the stroke first: people, then the recorder."""
    people = [("person", [one]) for one in course["people"] if one["side"] == side][:ROWS]
    times = [one for one in course["recorders"] if one["side"] == side]
    return [*people, *([("recorder", times)] if times else [])]


@dataclass(frozen=True, slots=True)
class CoursePage:
    """Answers `GET /calls/CALL` for whoever is signed in."""

    desk: Desk
    sessions: Sessions
    render: Callable[..., str]
    """Renders a template, by name, with what it shows."""
    audit: Audit

    async def show(self, request: Request) -> Response:
        """Return the page of one call."""
        if self.sessions.token(request) is None:
            return RedirectResponse("/", 303)  # it says how to sign in
        call = request.path_params["call"]
        try:
            course = await self.desk.course(call) if CALL_FORM.fullmatch(call) else None
        except TelconError as error:
            return self._refusal(503, *sentences(error))
        if course is None:
            return self._refusal(404, catalogue()["refused.not-found"])
        self.audit("audit.record.opened", call=call)
        # Beside the loop: twenty thousand messages take a second, and audio does not wait.
        return HTMLResponse(await asyncio.to_thread(self._page, course), headers=HEADERS)

    def _refusal(self, status: int, heading: str, text: str = "") -> Response:
        return HTMLResponse(
            self.render("refused.html", heading=heading, text=text), status, HEADERS
        )

    def _page(self, course: Message) -> str:
        words = catalogue()
        return self.render(
            "course.html",
            course=course,
            drawing=draw(course),
            facts=[_told(fact, course, words) for fact in course["facts"]],
            summary=_summary(course, words),
            record=_record(course, words),
            readings=[
                {
                    "at_us": one["at_us"],
                    "what": words[f"course.reading.{one['act']}"],
                    "by": words[f"course.reading.by.{one['by']}"],
                }
                for one in course["readings"]
            ],
            chunks=[
                say(words, f"course.chunks.{one['side']}", count=one["chunks"])
                for one in course["recorders"]
                if one["chunks"]
            ],
            say=lambda key, **values: say(words, key, **values),
            plain=_plain,
            utc=_utc,
        )


def say(words: Catalogue, key: str, **values: str | int) -> str:
    """Return the sentence under `key` with `values` put in, each isolated as the page does."""
    sentence = words[key]
    for name, value in values.items():
        sentence = sentence.replace(f"{{{name}}}", f"\u2068{_plain(str(value))}\u2069")
    return sentence


def _plain(text: str) -> str:
    """Return `text` without marks that turn what stands around it."""
    return re.sub("[\u202a-\u202e\u2066-\u2069]", "\ufffd", text)


def _told(fact: Mapping[str, Any], course: Message, words: Catalogue) -> dict[str, Any]:
    """Return a fact in words, with its time as its author stated it."""
    key = _key(fact, words)
    who = fact["who"] or words[f"course.{fact['side']}"]
    detail = fact["detail"]
    if fact["kind"] in ("call.ring", "call.mode"):
        detail = words[f"mode.{detail}"]
    elif fact["kind"] == "call.ringing":
        detail = ""
    elif fact["kind"] == "call.fail" and f"reason.{detail}" in words:  # a node's, not a person's
        detail = words[f"reason.{detail}"]
    elif fact["kind"] in ("call.record-gap", "call.record-held"):
        detail = say(words, "course.seconds", seconds=detail)
    late = fact["late"] and words.get(f"course.late.{fact['late']}", fact["late"])
    return {
        **fact,
        "what": say(words, key if key in words else "course.other", who=who),
        "detail": _plain(detail),
        "late": late,
        "apart": course["moved_us"] and fact["side"] == "theirs",
        "form": "time" if abs(fact["stated_us"] - course["rung_us"]) < LONG_US else "moment",
    }


def _key(fact: Mapping[str, Any], words: Catalogue) -> str:
    """Return the key of the sentence that tells `fact`."""
    kind, side = fact["kind"], fact["side"]
    if kind == "call.record-held":
        return f"course.unheard.{side}"
    if fact["stops_recorder"]:
        return f"course.recorder-stopped.{side}"
    # What a node says of its own record nobody else can prove: whose node says so is told.
    sided = f"course.{kind}.{side}"
    return sided if sided in words else f"course.{kind}"


def _summary(course: Message, words: Catalogue) -> str:
    """Return the drawing in one sentence, for those who do not see it."""
    people = len(course["people"])
    lasted = max(0, (course["to_us"] - course["from_us"]) // 1_000_000)
    key = "course.summary.unsigned" if course["unsigned"] else "course.summary"
    return say(words, key, people=people, minutes=lasted // 60, seconds=lasted % 60)


def _record(course: Message, words: Catalogue) -> list[str]:
    """Return what can be said of the record: sentences, none if nothing was recorded."""
    record = course["record"]
    if record["state"] == "none":
        return []
    found = [words[f"course.record.{record['state']}"]]
    if record["state"] == "differs":
        off = {fact["side"] for fact in course["facts"] if fact["stops_recorder"]}
        found += [words[f"course.record.off.{side}"] for side in sorted(off)]
    for what in ("absent", "differing"):
        found += [
            say(words, f"course.record.{what}.{side}", count=count)
            for side, count in record[what].items()
            if count
        ]
    # What was agreed is not what is held still.
    gone = {f["side"] for f in course["facts"] if f["kind"] == "call.record-destroyed"}
    found += [f"{words[f'course.call.record-destroyed.{side}']}." for side in sorted(gone)]
    return found


def _utc(us: int, form: str) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).strftime(form)
