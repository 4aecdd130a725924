"""A desk without a node: shows the snapshots it is given, keeps what it is asked, answers as told.

The snapshots of every screen stand in `SCREENS`, with Arcadia's principal at the page.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from typing import Any

from telcon.errors import InvitationError, TelconError
from telcon.web.desk_protocol import DeviceId, Message

LINE = "11" * 16
LINES = [LINE, "22" * 16, "33" * 16, "44" * 16]
CALL = "c0" * 16
OURS, THEIRS, SECOND = "a1" * 8, "b2" * 8, "c3" * 8
NOW_US = 1_773_482_400_000_000  # 14 March 2026, 10:00 UTC
MINUTE_US = 60_000_000
ME = {"name": "Adrian Rey", "office": "President of Arcadia", "organisation": "Arcadia"}
PEER = {
    "name": "Elena Voss",
    "office": "Chancellor of Borealis",
    "organisation": "Borealis",
    "node": "borealis.example",
}
GOOD_SECRET = "good-secret-0123456789"
WAIT_S = 40.0  # a page answers in milliseconds, unless the machine is busy with other tests


class FakeDesk:
    """Implements `telcon.web.desk_protocol.Desk`."""

    def __init__(self, snapshot: Mapping[str, Any] | None = None) -> None:
        """Show `snapshot`, or one line that is up."""
        self.state: Mapping[str, Any] = snapshot or idle()
        self.done: list[tuple[DeviceId, dict[str, Any]]] = []
        self.gone: list[DeviceId] = []
        self.opened = 0  # connections of pages so far
        self.answers: dict[str, Mapping[str, Any] | TelconError] = {"ring": {"call": CALL}}
        self.after: dict[str, Mapping[str, Any]] = {}
        self.courses: dict[str, Mapping[str, Any] | TelconError] = {CALL: course()}
        self.hold: Callable[[Mapping[str, Any]], Any] | None = None
        self._moved = threading.Condition()
        self._pages: dict[DeviceId, tuple[Callable[[], None], Callable[[Message], None]]] = {}

    def snapshot(self, device: DeviceId) -> Message:
        return self.state

    def subscribe(
        self, device: DeviceId, changed: Callable[[], None], send: Callable[[Message], None]
    ) -> Callable[[], None]:
        mine = (changed, send)
        self._pages[device] = mine
        self.opened += 1
        self._move()

        def unsubscribe() -> None:
            if self._pages.get(device) is mine:
                del self._pages[device]
            self._move()

        return unsubscribe

    async def do(self, device: DeviceId, message: Message) -> Message:
        self.done.append((device, dict(message)))
        self._move()
        if self.hold is not None:
            await self.hold(message)
        if message["do"] in self.after:
            self.show(self.after[message["do"]])
        answer = self.answers.get(message["do"], {})
        if isinstance(answer, TelconError):
            raise answer
        return answer

    async def course(self, call: str) -> Message | None:
        found = self.courses.get(call)
        if isinstance(found, TelconError):
            raise found
        return found

    def device_gone(self, device: DeviceId) -> None:
        self.gone.append(device)
        self._move()

    def show(self, snapshot: Mapping[str, Any]) -> None:
        """Change the state, and say so to every page; on the loop that serves them."""
        self.state = snapshot
        for changed, _ in list(self._pages.values()):
            changed()

    def pass_by(self, message: Message) -> None:
        """Send `message` to every page."""
        for _, send in list(self._pages.values()):
            send(message)

    def asked(self, do: str) -> list[dict[str, Any]]:
        """Return the acts of kind `do` so far."""
        return [message for _, message in self.done if message["do"] == do]

    def wait(self, true: Callable[[], bool]) -> bool:
        """Wait in another thread until `true` after something came here; False after long."""
        with self._moved:
            return self._moved.wait_for(true, WAIT_S)

    def _move(self) -> None:
        with self._moved:
            self._moved.notify_all()

    @property
    def pages(self) -> int:
        """How many pages listen now."""
        return len(self._pages)


class FakeSignIn:
    """Implements `telcon.web.desk_protocol.SignIn` with one link and one session."""

    def __init__(self) -> None:
        """Accept `GOOD_SECRET` once."""
        self.tokens: set[str] = set()
        self.links = {GOOD_SECRET}

    async def redeem(self, secret: str) -> str:
        if secret not in self.links:
            raise InvitationError("no such link")
        self.links.remove(secret)
        token = f"token-{len(self.tokens)}-of-tests"
        self.tokens.add(token)
        return token

    def who(self, token: str) -> str | None:
        return "principal" if token in self.tokens else None

    async def sign_out(self, token: str) -> None:
        self.tokens.discard(token)


class FakeAudit:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        """Begin empty."""
        self.events: list[tuple[str, dict[str, str | int | None]]] = []

    def __call__(self, event: str, /, **fields: str | int | None) -> None:
        self.events.append((event, fields))

    def names(self) -> list[str]:
        """Return the names of all events so far."""
        return [event for event, _ in self.events]


def line(number: int = 0, peer: Mapping[str, str] = PEER, **changes: Any) -> dict[str, Any]:
    """Return one line of a snapshot."""
    base = {
        "line": LINES[number],
        "peer": dict(peer),
        "up": True,
        "since_us": NOW_US - 90 * MINUTE_US,
    }
    rest = {"waiting": 0, "messages_waiting": 0, "wished": False, "catching": None}
    over = {"frozen": False, "renewed_by": None, "broken": None, "forked": None, "noted": True}
    return {**base, **rest, "tests": by_the_hour(), **over, **changes}


def by_the_hour(
    ours: str = "", theirs: str = "", *missed: Mapping[str, Any], outcome: str = "answered"
) -> dict[str, Any]:
    """Return line tests by the hour: eight days answered, the last hours as in `ours`, `theirs`."""
    hour = 60 * MINUTE_US
    return {
        "every_minutes": 60,
        "last": {"time_us": NOW_US - hour, "side": "ours", "outcome": outcome},
        "from_us": (NOW_US // hour - 191) * hour,
        "ours": ("." * 20 + "a" * 192 + ours)[-192:],
        "theirs": ("." * 20 + "a" * 192 + theirs)[-192:],
        "missed": list(missed),
    }


def missed_one(hours: int, side: str = "ours", outcome: str = "missed") -> dict[str, Any]:
    """Return a test that nobody answered in time, so many hours ago."""
    return {"side": side, "time_us": NOW_US - hours * 60 * MINUTE_US, "outcome": outcome}


def gap(kind: str, days: float, minutes: int | None, count: int = 0) -> dict[str, Any]:
    """Return a time without tests or answers, that began so many days ago."""
    begin = NOW_US - round(days * 1440) * MINUTE_US
    end = None if minutes is None else begin + minutes * MINUTE_US
    return {"kind": kind, "from_us": begin, "to_us": end, "tests": count}


def idle(*lines: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a snapshot without a call."""
    return {
        "me": ME,
        "node": "arcadia.example",
        "now_us": NOW_US,
        "lines": [dict(each) for each in lines] or [line()],
        "call": None,
        "messages": {},
        "history": {},
        "gaps": {},
        **changes,
    }


def call(phase: str, side: str = "ours", **changes: Any) -> dict[str, Any]:
    """Return the call of a snapshot in `phase`, rung by `side`."""
    live = phase == "live"
    return {
        "call": CALL,
        "line": LINE,
        "phase": phase,
        "side": side,
        "peer": dict(PEER),
        "rung_us": NOW_US - 13 * MINUTE_US,
        "ringing": ringing() if phase == "ringing" else None,
        "answered_us": NOW_US - 767_000_000 if live or phase == "ended" else None,
        "mode": "audio",
        "stated": {"ours": "audio", "theirs": "audio"},
        "mine": live or side == "ours",
        "countersigned": True,
        "unsigned_since_us": None,
        "goes_on_unsigned": False,
        "quality": quality() if live else None,
        "recorders": {"ours": {"on": live, "age_ms": 400}, "theirs": {"on": live, "age_ms": 600}},
        "silenced": False,
        "people": people() if live else [],
        "ended": None,
        "late": False,
        **changes,
    }


def ringing(**changes: Any) -> dict[str, Any]:
    """Return what a node knows of a ring: on three devices, on a line that is a year old."""
    opened = NOW_US - 365 * 1440 * MINUTE_US
    return {"devices": 3, "sounds_in_ms": 0, "line_opened_us": opened, **changes}


def quality(**changes: Any) -> dict[str, Any]:
    """Return what a node knows of the sound of a call."""
    base = {"missed": 0.0, "trunk_received": 38_000, "trunk_lost": 12, "trunk_silent_ms": 40}
    return {**base, **changes}


def people() -> list[dict[str, Any]]:
    """Return both principals and an interpreter."""
    common = {"muted": False, "office": ""}
    return [
        {**common, "handle": OURS, "side": "ours", "name": ME["name"], "role": "principal"},
        {**common, "handle": THEIRS, "side": "theirs", "name": PEER["name"], "role": "principal"},
    ]


def in_call(phase: str, side: str = "ours", **changes: Any) -> dict[str, Any]:
    """Return a snapshot with a call on the only line."""
    return idle(line(), call=call(phase, side, **changes))


def over(phase: str, side: str, by: str | None, reason: str | None = None) -> dict[str, Any]:
    """Return a snapshot in which the call has just ended."""
    ended = {"phase": phase, "by": by, "reason": reason}
    snapshot = in_call(phase, side, ended=ended)
    entry = past(0, phase=phase, by=by, reason=reason, side=side)
    if phase != "ended":
        entry["answered_us"] = None
    snapshot["history"] = {LINE: [entry]}
    return snapshot


def message(number: int, text: str, ours: bool, state: str = "signed by both") -> dict[str, Any]:
    """Return one message, some minutes before now."""
    origin = f"{'arcadia' if ours else 'borealis'}.example/line/{LINE}"
    time_us = NOW_US - (20 - 4 * number) * MINUTE_US
    return {
        "id": f"{origin}#{number}",
        "ours": ours,
        "text": text,
        "time_us": time_us,
        "state": state,
        "from": ME["name"] if ours else PEER["name"],
    }


def past(number: int, **changes: Any) -> dict[str, Any]:
    """Return one call of the history, `number` days ago."""
    rung = NOW_US - number * 1440 * MINUTE_US - 13 * MINUTE_US
    return {
        "call": CALL if number == 0 else f"{number:02x}" * 16,
        "phase": "ended",
        "side": "ours",
        "rung_us": rung,
        "answered_us": rung + 9_000_000,
        "ended_us": rung + 776_000_000,
        "by": "ours",
        "reason": None,
        "signed": True,
        **changes,
    }


def course(**changes: Any) -> dict[str, Any]:
    """Return the course of a call of 13 minutes, of which one was not signed at once."""
    begin = NOW_US - 13 * MINUTE_US

    def fact(second: float, side: str, kind: str, who: str = "", **more: Any) -> dict[str, Any]:
        at = begin + round(second * 1e6)
        rest = {"detail": "", "signed": True, "late": None, "at_us": at, "stated_us": at}
        rest |= {"cut": False, "stops_recorder": False}
        return {"place": f"{side}#{second}", "side": side, "kind": kind, "who": who, **rest, **more}

    def seat(side: str, name: str, first: float, last: float | None) -> dict[str, Any]:
        to_us = None if last is None else begin + round(last * 1e6)
        return {"side": side, "name": name, "from_us": begin + round(first * 1e6), "to_us": to_us}

    ours, theirs = ME["name"], PEER["name"]
    return {
        "call": CALL,
        "line": LINE,
        "me": ME,
        "peer": PEER,
        "own_node": "arcadia.example",
        "phase": "ended",
        "side": "ours",
        "mode": "audio",
        "by": "theirs",
        "reason": None,
        "rung_us": begin,
        "record": {"state": "none", "absent": {}, "differing": {}},
        "readings": [
            {"at_us": NOW_US, "act": "audit.record.opened", "by": "principal"},
            {"at_us": begin + 800_000_000, "act": "audit.record.exported", "by": "operator"},
        ],
        "moved_us": 0,
        "from_us": begin,
        "to_us": begin + 776_000_000,
        "facts": [
            fact(0, "ours", "call.ring", ours, detail="audio"),
            fact(0.2, "theirs", "call.ringing", detail="3"),
            fact(9, "theirs", "call.answer", theirs),
            fact(9.1, "ours", "call.record-on"),
            fact(9.2, "theirs", "call.record-on"),
            fact(120, "ours", "call.join", "Ines Roth"),
            fact(300, "theirs", "message", theirs, detail="Page two, please."),
            fact(410, "ours", "call.mode", ours, detail="notes only"),
            fact(505, "ours", "call.record-gap", detail="90.0"),
            fact(640, "ours", "call.leave", "Ines Roth"),
            fact(775, "theirs", "call.hang-up", theirs),
            fact(776, "ours", "call.record-off", signed=False),
        ],
        "people": [
            seat("ours", ours, 0, None),
            seat("theirs", theirs, 9, None),
            seat("ours", "Ines Roth", 120, 640),
        ],
        "recorders": [
            {**seat("ours", "", 9.1, 410), "chunks": 150},
            {**seat("ours", "", 500, 776), "chunks": 0},
            {**seat("theirs", "", 9.2, 776), "chunks": 150},
        ],
        "unsigned": [[begin + 420_000_000, begin + 480_000_000]],
        **changes,
    }


def course_of_a_record() -> dict[str, Any]:
    """Return the course of a call whose record was broken off for a time, and destroyed since."""
    told = course(record={"state": "differs", "absent": {"ours": 830}, "differing": {}})
    template = told["facts"][3]
    rest = {
        "call.record-off": (400, "ours", "The minister asked"),
        "call.record-destroyed": (40 * 86_400, "theirs", "The time for keeping it is over"),
    }
    for kind, (second, side, detail) in rest.items():
        at = told["from_us"] + second * 1_000_000
        fact = {**template, "kind": kind, "side": side, "detail": detail, "place": f"{side}#{kind}"}
        fact |= {"at_us": at, "stated_us": at, "stops_recorder": kind == "call.record-off"}
        told["facts"].append(fact)
    told["facts"].sort(key=lambda fact: int(fact["at_us"]))
    return told


def _renewed(**changes: Any) -> dict[str, Any]:
    """Return a line that was stopped for its keys to be renewed, and the one that goes on."""
    old = line(1, frozen=True, renewed_by=LINE, messages_waiting=0)
    return idle(old, line(), messages={LINES[1]: _talk()[:3]}, **changes)


def _contacts() -> dict[str, Any]:
    medina = {**PEER, "name": "Tomás Medina", "office": "President-elect of Caldera"}
    nour = {**PEER, "name": "Nour Al-Hadi", "office": "Prime Minister of Dahna"}
    olsen = {**PEER, "name": "Ingrid Olsen", "office": "Secretary-General, Union of the North"}
    down = line(2, nour, up=False, since_us=NOW_US - 6 * MINUTE_US)
    late = line(1, medina, tests=by_the_hour("m", outcome="missed"))
    return idle(line(), late, down, line(3, olsen, frozen=True))


def _years(count: int) -> list[dict[str, Any]]:
    """Return messages of several days, as many as a snapshot holds."""
    said = ["The council meets at noon.", "I read the draft: page two, please.", "Agreed."]
    return [
        {
            **message(number, said[number % 3], ours=number % 2 == 0),
            "time_us": NOW_US - (count - number) * 170 * MINUTE_US,
        }
        for number in range(count)
    ]


def _gaps() -> list[dict[str, Any]]:
    return [
        gap("unanswered.theirs", 0.2, None, 1),
        gap("down.ours", 1.5, 190, 3),
        gap("untested", 5, 2 * 1440),
    ]


def _talk() -> list[dict[str, Any]]:
    return [
        message(0, "Can you talk before the council meets?", ours=False),
        message(1, "Yes. I will call at ten, just us and interpreters.", ours=True),
        message(2, "Thank you, Adrian.", ours=False),
        message(3, "The draft is with your sherpa.", ours=True, state="waiting"),
    ]


def _past() -> list[dict[str, Any]]:
    return [
        past(0, side="theirs", by="both"),
        past(1, phase="declined", by="theirs", reason="asleep, try 07:00", answered_us=None),
        past(2, phase="missed", side="theirs", by=None, answered_us=None),
        past(4, phase="cancelled", by="ours", answered_us=None),
        past(9, phase="failed", by=None, reason="not countersigned", signed=False),
        past(400, ended_us=NOW_US - 400 * 1440 * MINUTE_US + 5_400_000_000),
    ]


_unsigned: dict[str, Any] = {"countersigned": False, "unsigned_since_us": NOW_US - 80_000_000}
_late = {"ours": {"on": True, "age_ms": 300}, "theirs": {"on": True, "age_ms": 9000}}
_off = {"ours": {"on": True, "age_ms": 300}, "theirs": {"on": False, "age_ms": None}}
_down = line(
    up=False,
    since_us=NOW_US - 6 * MINUTE_US,
    waiting=2,
    messages_waiting=2,
    tests=by_the_hour("m", ".", missed_one(0)),
)
_troubled = line(
    tests=by_the_hour(
        "a" * 20 + "lll" + "a" * 10 + "m" + "a" * 7,
        "a" * 21 + "ll" + "a" * 18,
        missed_one(7),
        missed_one(18, outcome="late"),
        missed_one(19, "theirs", "late"),
    )
)

# name → (snapshot, what stands behind # in the address, words that must be there)
SCREENS: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "contacts": (
        _contacts(),
        "",
        ("Elena Voss", "tested", "test missed", "down 6 min", "frozen", "Call"),
    ),
    "no-lines": ({**idle(), "lines": []}, "", ("No line yet", "telcon line invite")),
    "line-up": (idle(), f"line/{LINE}", ("The line is up", "as stated by borealis.example")),
    "line-missed-tests": (
        idle(_troubled),
        f"line/{LINE}",
        ("Tests of this line", "was never answered", "was answered only when the line was back"),
    ),
    "line-catching-up": (
        idle(line(waiting=9, catching={"count": 1200, "total": 10_000})),
        f"line/{LINE}",
        ("Catching up: 1200 of 10000 entries",),
    ),
    "line-wished": (
        idle({**_down, "wished": True}),
        f"line/{LINE}",
        ("You will be told when it is back", "2 messages wait for the line"),
    ),
    "line-is-back": (
        idle(line(wished=True)),
        f"line/{LINE}",
        ("The line to", "is back", "Open"),
    ),
    "line-down": (idle(_down), f"line/{LINE}", ("The line is down since", "Write a message")),
    "line-frozen": (
        idle(line(frozen=True)),
        f"line/{LINE}",
        ("The line is frozen", "Messages", "History"),
    ),
    "line-renewed": (
        _renewed(),
        f"line/{LINES[1]}",
        ("This line has new keys", "Go to the newer line", "Messages", "History"),
    ),
    "line-broken": (
        idle(line(broken="The other side signed two different histories.")),
        f"line/{LINE}",
        ("The line has stopped", "two different histories"),
    ),
    "line-forked": (
        idle(line(frozen=True, broken="x", forked="theirs", noted=False)),
        f"line/{LINE}",
        ("The other node has signed two histories", "about its own log cannot both be true"),
    ),
    "line-forked-ours": (
        idle(line(broken="x", forked="ours", noted=True)),
        f"line/{LINE}",
        ("Two histories bear this node", "its key was stolen", "a new line can be set up"),
    ),
    "ringing": (in_call("ringing"), "", ("Ringing at Borealis", "Cancel")),
    "ringing-unsigned": (
        in_call("ringing", countersigned=False),
        "",
        ("Waiting until borealis.example has signed the ring",),
    ),
    "incoming": (
        in_call("ringing", "theirs"),
        "",
        ("Elena Voss", "as stated by borealis.example", "Audio is recorded by both sides"),
    ),
    "incoming-reasons": (
        in_call("ringing", "theirs"),
        "",
        ("Say why, and decline", "In a meeting"),
    ),
    "live": (
        in_call("live"),
        "",
        ("12:47", "our recorder is on", "their recorder is on", "Signed by both", "End call"),
    ),
    "live-unsigned": (
        in_call("live", **_unsigned, recorders=_late),
        "",
        ("Not countersigned since", "their recorder is silent for 9 seconds"),
    ),
    "live-elsewhere": (
        in_call("live", mine=False, recorders=_off),
        "",
        ("Join on this device", "their recorder is off"),
    ),
    "live-notes": (
        in_call(
            "live",
            mode="notes only",
            stated={"ours": "audio", "theirs": "notes only"},
            recorders=_off,
        ),
        "",
        ("Only notes are kept, no audio", "What is kept", "notes, no audio"),
    ),
    "live-recorder-off": (
        in_call(
            "live",
            recorders={
                "ours": {"on": False, "age_ms": 900, "switched_off": True, "reason": "Legal"},
                "theirs": {"on": True, "age_ms": 600, "reason": None},
            },
            silenced=True,
        ),
        "",
        ("our recorder is off", "Our recorder is switched off: Legal", "Nobody is heard while"),
    ),
    "live-kept": (
        in_call("live"),
        "",
        ("You let be kept", "The other side reads it at once", "Switch our recorder off"),
    ),
    "ended": (over("ended", "ours", "theirs"), "", ("Call ended", "Elena Voss ended it")),
    "declined": (
        over("declined", "ours", "theirs", "In a meeting"),
        "",
        ("Call declined", "In a meeting"),
    ),
    "missed": (over("missed", "theirs", None), "", ("nobody answered here",)),
    "failed": (
        over("failed", "ours", None, "not countersigned"),
        "",
        ("The call failed", "did not sign in time"),
    ),
    "messages": (
        idle(_down, messages={LINE: _talk()}),
        f"messages/{LINE}",
        ("signed by both", "waiting: the line is down since", "Send"),
    ),
    "messages-frozen": (
        idle(line(frozen=True), messages={LINE: _talk()[:3]}),
        f"messages/{LINE}",
        ("Thank you, Adrian.", "Nothing more can be written on this line"),
    ),
    "messages-renewed": (
        _renewed(),
        f"messages/{LINES[1]}",
        ("Thank you, Adrian.", "a newer line with", "Go to the newer line"),
    ),
    "messages-none": (idle(), f"messages/{LINE}", ("Nothing written yet",)),
    "messages-older": (
        idle(messages={LINE: _years(50)}),
        f"messages/{LINE}",
        ("Today", "Yesterday", "Search"),
    ),
    "history-gaps": (
        idle(history={LINE: _past()}, gaps={LINE: _gaps()}),
        f"history/{LINE}",
        ("The line was down for 3 hours", "The line was not tested for 2 days", "Timeline"),
    ),
    "history": (
        idle(history={LINE: _past()}),
        f"history/{LINE}",
        ("Call, 13 min", "Call declined", "asleep, try 07:00", "Missed call", "Call failed"),
    ),
    "history-none": (idle(), f"history/{LINE}", ("No call yet",)),
}


# Names and words as long as they come, and in another direction than the page.
LONG = {
    **PEER,
    "name": "Maximiliane-Sophie Oberhäuser-Wolkenstein zu Trostberg",
    "office": "Federal Chancellor and Chair of the Council of Ministers of the Northern Federation",
    "organisation": "Federal Chancellery of the Northern Federation",
    "node": "leitstelle.bundeskanzleramt.nordfoederation.borealis.example",
}
ARABIC = {**PEER, "name": "نور الهادي", "office": "رئيسة وزراء دهنة", "organisation": "دهنة"}
REASON = (
    "The council sits until late tonight and I cannot leave the table before the vote on the"
    " budget; please try again at seven tomorrow morning, or let our sherpas settle paragraph four"
    " before that."
)


def _crowd() -> list[dict[str, Any]]:
    extra = [
        ("Ana-Lucía Fernández de Córdoba y Montemayor", "ours", "interpreter"),
        ("نور الهادي", "theirs", "notetaker"),
        ("", "theirs", "expert"),
    ]
    common = {"muted": True, "office": ""}
    more = [
        {**common, "handle": f"{number:x}" * 16, "side": side, "name": name, "role": role}
        for number, (name, side, role) in enumerate(extra, 1)
    ]
    return [*people(), *more]


def _long_talk() -> list[dict[str, Any]]:
    return [
        message(0, "نعم، سأتصل بك في العاشرة. Yes, at ten.", ours=False),
        message(1, "Word" * 60, ours=True),
        message(2, f"{REASON}\n\n{REASON} {REASON}", ours=False),
        message(3, "Yes.", ours=True, state="waiting"),
    ]


_long_line: dict[str, Any] = {"peer": dict(LONG)}
SCREENS |= {
    "contacts-long": (
        idle(line(0, LONG), line(1, ARABIC), line(2, LONG, up=False), line(3, ARABIC, frozen=True)),
        "",
        ("Trostberg", "نور الهادي"),
    ),
    "line-long": (idle(line(0, LONG)), f"line/{LINE}", ("Trostberg", "Northern Federation")),
    "line-arabic": (idle(line(0, ARABIC)), f"line/{LINE}", ("نور الهادي", "The line is up")),
    "ringing-long": (in_call("ringing", **_long_line), "", ("Trostberg", "Cancel")),
    "incoming-long": (in_call("ringing", "theirs", **_long_line), "", ("Trostberg", "Answer")),
    "incoming-arabic": (
        in_call("ringing", "theirs", peer=dict(ARABIC)),
        "",
        ("نور الهادي", "رئيسة وزراء دهنة", "Answer"),
    ),
    "live-long": (
        in_call("live", **_long_line, **_unsigned, recorders=_late, people=_crowd()),
        "",
        ("Trostberg", "End call"),
    ),
    "declined-long": (over("declined", "ours", "theirs", REASON), "", ("paragraph four",)),
    "messages-long": (
        idle(_down, messages={LINE: _long_talk()}),
        f"messages/{LINE}",
        ("Yes, at ten", "Send"),
    ),
    "history-long": (
        idle(
            line(0, LONG),
            history={
                LINE: [
                    past(1, phase="declined", by="theirs", reason=REASON, answered_us=None),
                    past(2, side="theirs", by="theirs", signed=False),
                ]
            },
        ),
        f"history/{LINE}",
        ("paragraph four",),
    ),
}

SCREENS |= {
    "ringing-nobody": (
        in_call("ringing", ringing=ringing(devices=0)),
        "",
        ("Ringing at Borealis", "None of their devices is open just now"),
    ),
    "incoming-times": (
        in_call("ringing", "theirs"),
        "",
        ("Propose a time, and decline", "In 15 minutes", "today"),
    ),
    "live-goes-on": (
        in_call("live", **_unsigned, goes_on_unsigned=True),
        "",
        ("This call goes on without the other node’s signature",),
    ),
    "live-security": (
        in_call("live"),
        "",
        ("encrypted on every leg", "Your node cannot check this leg", "Both nodes can"),
    ),
    "declined-proposed": (
        over("declined", "ours", "theirs", "Can we talk at 2026-03-15 09:15 UTC?"),
        "",
        ("Elena Voss proposes to talk tomorrow", "your time"),
    ),
    "audio": (idle(), "audio", ("Sound and microphone", "Check the microphone", "Cancel echo")),
}

# name → what is clicked, one after the other, before the words of that screen are there
STEPS: dict[str, tuple[str, ...]] = {"incoming-reasons": ("Decline with a reason",)}
STEPS |= {"incoming-times": ("Propose a time",), "live-security": ("Security",)}
STEPS |= {"live-kept": ("What is kept",)}


def screen(name: str) -> dict[str, Any]:
    """Return a snapshot of `SCREENS` that a test may change."""
    return copy.deepcopy(SCREENS[name][0])
