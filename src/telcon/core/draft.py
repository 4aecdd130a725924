"""Drafts: what a node wants to say, before nonce, time, `seen` and seals make an entry of it.

One constructor per entry type, so that a caller cannot forget a member; `compose` is the only place
where an entry's bytes are made.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from telcon.core.call import AgreedTracks
from telcon.core.entry import (
    ENTRY_TYPES,
    MODES,
    SEALS,
    SUPPORTED_TYPES,
    Entry,
    Mode,
    Ref,
    Role,
    VoidError,
    format_entry,
    parse_entry_untrusted,
)
from telcon.core.seal import (
    KEY_BYTES,
    Media,
    Opening,
    Person,
    Persons,
    Text,
    format_media,
    format_person,
    format_persons,
    format_text,
    make_seal,
)
from telcon.errors import MisuseError

__all__ = [
    "Composed",
    "Draft",
    "HeldTrack",
    "Runs",
    "answer",
    "blank",
    "cancel",
    "compose",
    "decline",
    "fail",
    "hang_up",
    "join",
    "leave",
    "line_acknowledged",
    "line_coverage",
    "line_frozen",
    "line_opened",
    "line_terms",
    "line_test",
    "line_tested",
    "message",
    "missed",
    "mode",
    "record_agreed",
    "record_chunk",
    "record_destroyed",
    "record_gap",
    "record_held",
    "record_off",
    "record_on",
    "record_sealed",
    "ring",
    "ringing",
]

NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Draft:
    """An act to be written; `compose` makes its bytes."""

    type: str
    call: str | None = None
    by: str | None = None
    re: tuple[Ref, ...] = ()
    members: Mapping[str, object] = field(default_factory=dict)  # own members in clear
    sealed: Mapping[str, bytes] = field(default_factory=dict)  # own members' contents to seal


Runs: TypeAlias = tuple[tuple[int, int], ...]
"""First index and count of packets in a row; rising, with a gap between."""

HeldTrack: TypeAlias = tuple[int, str, Runs, Runs, Runs]
"""Number, hex root over what is held; runs that hold all repaired, absent, differing packets."""


class Composed(NamedTuple):
    """An entry that was made and read back."""

    data: bytes
    openings: tuple[Opening, ...]
    """Of its seals, in the entry's order."""
    entry: Entry
    """What any reader of `data` finds."""


def compose(
    draft: Draft,
    *,
    origin: str,
    time_us: int,
    seen: tuple[int, bytes],
    random: Callable[[int], bytes],
) -> Composed:
    """Make the entry that `draft` asks for.

    `origin` is the author's log, `time_us` the author's clock, `seen` size and root of the other
    log as stored and cosigned here; `random(n)` returns n fresh random octets.

    Raises:
        MisuseError: the draft does not make a canonical entry of its type.
    """
    rules = [rule for rule in SEALS.get(draft.type, ()) if rule.member in draft.sealed]
    fresh = random(len(rules) * KEY_BYTES + NONCE_BYTES)
    openings = tuple(
        Opening(rule.member, fresh[at : at + KEY_BYTES], draft.sealed[rule.member])
        for at, rule in zip(range(0, len(fresh), KEY_BYTES), rules, strict=False)
    )
    members: dict[str, object] = {
        "nonce": fresh[-NONCE_BYTES:].hex(),
        "time": time_us,
        "seen": (seen[0], seen[1].hex()),
    }
    named = {"call": draft.call, "by": draft.by, "re": draft.re or None}
    members |= {member: value for member, value in named.items() if value is not None}
    expected = len(members) + len(draft.members) + len(draft.sealed)
    members |= draft.members
    for one in openings:
        members[one.member] = make_seal(origin, draft.type, one.member, one.key, one.content)
    if len(members) != expected:
        msg = f"a draft of {draft.type} bears a member twice, or seals what is no seal"
        raise MisuseError(msg)
    data, entry = _write(draft.type, members)
    return Composed(data, openings, entry)


def _write(kind: str, members: dict[str, object]) -> tuple[bytes, Entry]:
    """Make the bytes and read them back as any stranger would: that is the only check of values."""
    if "from" in members:
        members["sender"] = members.pop("from")  # `from` is a word of Python's
    try:
        make: Callable[..., Entry] = ENTRY_TYPES[kind]
        data = format_entry(make(**members))
        return data, parse_entry_untrusted(data)
    except (KeyError, TypeError, ValueError, VoidError) as error:
        msg = f"a draft of {kind} makes no entry: {error}"
        raise MisuseError(msg) from error


def line_opened(cards: tuple[bytes, bytes], previous: tuple[str, int, bytes] | None) -> Draft:
    """Open a log; `cards`: hashes of both key cards, of the name that sorts first first."""
    before = None if previous is None else (previous[0], previous[1], previous[2].hex())
    members = {"cards": (cards[0].hex(), cards[1].hex()), "previous": before}
    return Draft("line.opened", members=members)


def line_terms(
    link_lost: str,
    types: Sequence[tuple[str, int]] = SUPPORTED_TYPES,
    conditions: Sequence[str] = (),
) -> Draft:
    """State what this side gives effect to, and what becomes of a call without a link.

    `conditions` are words that a node may know (`telcon.core.duties`); others are left.
    """
    members = {
        "types": tuple(sorted(types)),
        "policy": "mirror",
        "conditions": tuple(conditions),
        "link_lost": link_lost,
    }
    return Draft("line.terms", members=members)


def line_test() -> Draft:
    """Test the line."""
    return Draft("line.test")


def line_tested(test: Ref) -> Draft:
    """Answer the other side's `line.test`."""
    return Draft("line.tested", re=(test,))


def line_frozen(reason: Text) -> Draft:
    """Trust this line no more."""
    return Draft("line.frozen", sealed={"reason": format_text(reason)})


def line_acknowledged(evidence: bytes, reason: Text) -> Draft:
    """Take note of a fork, by its hash (`telcon.ledger.fork_hash`)."""
    members = {"evidence": evidence.hex()}
    return Draft("line.acknowledged", members=members, sealed={"reason": format_text(reason)})


def line_coverage(
    since_us: int,
    until_us: int | None,
    hours: tuple[tuple[int, int], ...],
    persons: tuple[Person, ...],
    modes: tuple[Mode, ...] = MODES,
) -> Draft:
    """State what this side's log of the line covers; see `telcon.core.coverage` for `hours`."""
    members: dict[str, object] = {"since": since_us}
    if until_us is not None:
        members["until"] = until_us
    members |= {"hours": hours, "modes": modes}
    sealed = {"persons": format_persons(Persons(persons))}
    return Draft("line.coverage", members=members, sealed=sealed)


def ring(
    call: str,
    by: str,
    *,
    mode: Mode,
    track: int,
    person: Person,
    media: Media,
    topic: Text | None = None,
) -> Draft:
    """Ring the other side's principal; `call` and `by` are fresh random hex."""
    sealed = {"person": format_person(person), **_text("topic", topic)}
    sealed["media"] = format_media(media)
    return Draft("call.ring", call, by, members={"mode": mode, "track": track}, sealed=sealed)


def ringing(call: str, rung: Ref, devices: int) -> Draft:
    """Say that `devices` devices ring here."""
    return Draft("call.ringing", call, re=(rung,), members={"devices": devices})


def answer(
    call: str,
    by: str,
    rung: Ref,
    *,
    mode: Mode,
    track: int,
    person: Person,
    media: Media,
    own_ring: Ref | None = None,
) -> Draft:
    """Answer the ring `rung`; with `own_ring`, because both sides rang at once (glare)."""
    members = {"mode": mode, "glare": own_ring is not None, "track": track}
    sealed = {"person": format_person(person), "media": format_media(media)}
    refs = (rung,) if own_ring is None else (rung, own_ring)
    return Draft("call.answer", call, by, refs, members, sealed)


def decline(call: str, rung: Ref, reason: Text | None = None) -> Draft:
    """Do not take the call."""
    return Draft("call.decline", call, re=(rung,), sealed=_text("reason", reason))


def cancel(call: str, rung: Ref, reason: Text | None = None) -> Draft:
    """Take the own ring back."""
    return Draft("call.cancel", call, re=(rung,), sealed=_text("reason", reason))


def missed(call: str, rung: Ref) -> Draft:
    """Say that nobody answered in time."""
    return Draft("call.missed", call, re=(rung,))


def join(call: str, by: str, *, role: Role, track: int, person: Person, media: Media) -> Draft:
    """Let one more person of this side take part."""
    sealed = {"person": format_person(person), "media": format_media(media)}
    return Draft("call.join", call, by, members={"role": role, "track": track}, sealed=sealed)


def leave(call: str, by: str) -> Draft:
    """Let a person of this side go."""
    return Draft("call.leave", call, by)


def mode(call: str, by: str, stated: Mode) -> Draft:
    """State anew what this side lets be recorded."""
    return Draft("call.mode", call, by, members={"mode": stated})


def record_on(call: str, track: tuple[str, int]) -> Draft:
    """Say that this node records `track`, of either side."""
    return Draft("call.record-on", call, members={"track": track})


def record_chunk(call: str, tracks: Sequence[tuple[int, int, int, bytes]], key: bytes) -> Draft:
    """State, per own track: number, first index, count and root of the last seconds."""
    stated = tuple((number, first, count, root.hex()) for number, first, count, root in tracks)
    return Draft("call.record-chunk", call, members={"tracks": stated}, sealed={"key": key})


def record_gap(call: str, tracks: Sequence[tuple[int, int, int]]) -> Draft:
    """State which packets of own tracks no chunk holds: number, first index and count of each."""
    return Draft("call.record-gap", call, members={"tracks": tuple(tracks)})


def record_held(call: str, chunk: Ref, tracks: Sequence[HeldTrack]) -> Draft:
    """State what this node holds of the other side's `chunk`, per track by rising number."""
    return Draft("call.record-held", call, re=(chunk,), members={"tracks": tuple(tracks)})


def record_agreed(call: str, tracks: AgreedTracks) -> Draft:
    """State the record as this node holds it, per track by rising origin and number."""
    return Draft("call.record-agreed", call, members={"tracks": tracks})


def record_sealed(call: str, keepers: int) -> Draft:
    """Say that this node erased its key: so many record-keepers alone open the record."""
    return Draft("call.record-sealed", call, members={"keepers": keepers})


def record_destroyed(call: str, reason: Text) -> Draft:
    """Say that this node destroyed its record of the call."""
    return Draft("call.record-destroyed", call, sealed={"reason": format_text(reason)})


def record_off(
    call: str, track: tuple[str, int], sha256: bytes, size: int, reason: Text | None = None
) -> Draft:
    """Say that the recording of `track` is closed: hash and octets of its file."""
    members = {"track": track, "sha256": sha256.hex(), "size": size}
    return Draft("call.record-off", call, members=members, sealed=_text("reason", reason))


def hang_up(call: str, by: str) -> Draft:
    """End the call."""
    return Draft("call.hang-up", call, by)


def fail(call: str, reason: Text) -> Draft:
    """Say that this node cannot carry the call on."""
    return Draft("call.fail", call, sealed={"reason": format_text(reason)})


def message(
    sender: Person, to: Person, text: Text, *, call: str | None = None, re: Ref | None = None
) -> Draft:
    """Write a text, in a call or out of one, perhaps in reply to the message `re`."""
    sealed = {"from": format_person(sender), "to": format_person(to), "text": format_text(text)}
    return Draft("message", call, re=() if re is None else (re,), sealed=sealed)


def blank() -> Draft:
    """Write nothing, so that a watcher cannot count acts."""
    return Draft("blank")


def _text(member: str, text: Text | None) -> dict[str, bytes]:
    return {} if text is None else {member: format_text(text)}
