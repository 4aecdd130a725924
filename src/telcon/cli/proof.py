"""`telcon export`, `evidence`, `attest`, `excerpt` and `verify`."""

import argparse
import re
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telcon.core.entry import LAYERS
from telcon.errors import MalformedError, OperatorError, SealedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from telcon.node.proof.steps import Progress
    from telcon.node.record.sealing import PrivateKey
    from telcon.node.store import StoreReader
    from telcon.node.store.records import LineRecord

__all__ = [
    "add_commands",
    "line_named",
    "logs_of",
    "noting_export",
    "noting_unsealed",
    "read_moment",
    "read_private_key",
    "read_time",
]

LISTED_CHARACTERS = 60
TIME_ADVICE = "Give it in UTC, like 2026-04-01 or 2026-04-01T08:30."
LAYER_NAMES = tuple(layer.name for layer in LAYERS)


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of this module to `commands`."""
    for add in (_add_export, _add_evidence, _add_attest, _add_excerpt, _add_verify):
        add(commands)


def _add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    export = commands.add_parser("export", help="write the proof folder of a call")
    which = export.add_mutually_exclusive_group(required=True)
    which.add_argument("--call", metavar="ID", help="32 hex digits, at the foot of its timeline")
    which.add_argument("--last", action="store_true", help="the call that was rung last")
    export.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="a new or empty folder"
    )
    export.add_argument(
        "--show",
        choices=LAYER_NAMES,
        default=LAYER_NAMES[-1],
        help=f"how much to show, each with those before it (default: {LAYER_NAMES[-1]})",
    )
    export.add_argument(
        "--key", type=Path, metavar="FILE", help="a record-keeper's private key, for the recordings"
    )
    export.add_argument("--whole-log", action="store_true", help="all entries of the line as tiles")
    export.set_defaults(run=_export)


def _add_evidence(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    evidence = commands.add_parser(
        "evidence", help="write what shows that a log has two histories, for others to check"
    )
    evidence.add_argument(
        "line", nargs="?", metavar="NAME", help="the other node, or the line's 32 hex digits"
    )
    evidence.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="a new or empty folder"
    )
    evidence.set_defaults(run=_evidence)


def _add_attest(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    attest = commands.add_parser(
        "attest", help="write the proof that a line had no call in a time, from both whole logs"
    )
    attest.add_argument("--none", action="store_true", required=True, help="that there was no call")
    attest.add_argument("--line", required=True, metavar="NAME", help="the other node, or the id")
    attest.add_argument("--from", dest="since", required=True, metavar="TIME", help="in UTC")
    attest.add_argument(
        "--to", dest="until", required=True, metavar="TIME", help="in UTC, not itself part of it"
    )
    attest.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="a new or empty folder"
    )
    attest.set_defaults(run=_attest)


def _add_excerpt(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    excerpt = commands.add_parser(
        "excerpt",
        help="write the proof of one message, or of some seconds of a recording, and of how much"
        " is left out",
    )
    what = excerpt.add_mutually_exclusive_group(required=True)
    what.add_argument("--line", metavar="NAME", help="of a message: the other node, or the id")
    what.add_argument("--call", metavar="ID", help="of seconds: 32 hex digits")
    excerpt.add_argument(
        "--message", metavar="PLACE", help="like ours:17; without it, all are listed"
    )
    excerpt.add_argument(
        "--track", metavar="NODE:NUMBER", help="whose seconds; without it, all are listed"
    )
    excerpt.add_argument(
        "--from",
        dest="since",
        metavar="SECONDS",
        help="like 65, 65.5 or 1:05, as a player shows them for the track's recording",
    )
    excerpt.add_argument("--to", dest="until", metavar="SECONDS", help="not itself part of it")
    excerpt.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NODE:NUMBER",
        help="another track to show for that time, or all; of those not shown, packets are counted",
    )
    excerpt.add_argument(
        "--key", type=Path, metavar="FILE", help="a record-keeper's private key, for seconds"
    )
    excerpt.add_argument("--out", type=Path, metavar="FOLDER", help="a new or empty folder")
    excerpt.set_defaults(run=_excerpt)


def _add_verify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verify = commands.add_parser("verify", help="check proof folders and receipts, offline")
    verify.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="proof folders or single receipts"
    )
    keys = verify.add_mutually_exclusive_group()
    keys.add_argument(
        "--policy", type=Path, metavar="FILE", help="a policy that you keep, for one log"
    )
    keys.add_argument(
        "--card",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a key card that you keep; twice, one of each side; for evidence one is enough",
    )
    verify.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="VKEY",
        help="the key of a further witness that you keep; with --card",
    )
    verify.add_argument("--json", action="store_true", help="the report for programs")
    verify.set_defaults(run=_verify)


def _export(arguments: argparse.Namespace) -> int:
    from telcon.cli.progress import ProgressLine
    from telcon.node.proof import export_call
    from telcon.node.store import Store
    from telcon.node.store.further import further_witnesses

    key = read_private_key(arguments.key) if arguments.key is not None else None
    with Store.open_read_only(arguments.data) as store, ProgressLine() as progress:
        call, record = _find_call(store, arguments.call, progress)
        recordings = _recordings(arguments.data, store, call, record, key)
        opened_with = key if recordings else None
        report = export_call(
            **logs_of(store, record),
            call=call,
            out=arguments.out,
            layer=arguments.show,
            whole_log=arguments.whole_log,
            recordings=recordings,
            further=further_witnesses(store, record),
            told=noting_export(arguments, opened_with, layer=arguments.show, call=call),
            progress=progress,
        )
    print(f"{report.folder}: {report.receipts} receipts of call {call}, layer {arguments.show}")
    for name in report.not_countersigned:
        print(f"  no receipt, the other side has not signed that it holds it: {name}")
    return 0


def _evidence(arguments: argparse.Namespace) -> int:
    from telcon.ledger import parse_key_card
    from telcon.node.audit import AuditEvent
    from telcon.node.noting import note
    from telcon.node.proof import export_fork
    from telcon.node.store import Store

    with Store.open_read_only(arguments.data) as store:
        found = [
            (record, fork)
            for record in store.lines()
            if arguments.line in (None, record.peer_name, record.line)
            for fork in store.evidence(record.line)
        ]
    if not found:
        raise OperatorError(
            "no evidence of two histories is kept here" + _of(arguments.line),
            advice="There is some where `telcon line list` says so.",
        )
    for number, (record, fork) in enumerate(found, 1):
        out = _numbered(arguments.out, number)
        fields = {"line": record.line, "folder": str(out)}
        cards = parse_key_card(record.own_card), parse_key_card(record.peer_card)
        told = partial(note, arguments.data, AuditEvent.EVIDENCE_EXPORTED, **fields)
        export_fork(fork, cards, out, told)
        print(f"{out}: two histories on the line to {record.peer_name}")
    return 0


def _of(line: str | None) -> str:
    return f" of {line}" if line else ""


def _numbered(out: Path, number: int) -> Path:
    """Return where the evidence of that number goes: the first to `out`, the next beside it."""
    return out if number == 1 else out.with_name(f"{out.name}-{number}")


def _recordings(
    folder: Path, store: "StoreReader", call: str, line: "LineRecord", key: "PrivateKey | None"
) -> "list[tuple[str, Iterator[bytes]]]":
    """Return name and pieces of the file of each track; of a record that is agreed, just that.

    Of a record that is destroyed, or sealed to others than `key`, nothing; that is said. Pieces
    raise what `render_stated` does.

    Raises:
        StorageError: the record cannot be read.
    """
    from telcon.node.proof.files import read_pieces
    from telcon.node.proof.layout import recording_name
    from telcon.node.proof.selection import fold_line
    from telcon.node.record.place import SUFFIX, RecordPlace
    from telcon.node.record.rendering import render_stated

    rows = [
        one
        for one in store.recordings(call)
        if one.size_octets and one.origin in (line.own_origin, line.peer_origin)
    ]
    if not rows:
        return []
    own, theirs = store.stored_log(line.own_origin), store.stored_log(line.peer_origin)
    state = fold_line(own, theirs).calls[call]
    if own.origin in state.destroyed:
        print("  recordings left out: this node's record of the call is destroyed")
        return []
    if not rows[0].path.endswith(SUFFIX):  # of a version that wrote a file for each track
        return [(Path(row.path).name, read_pieces(folder / row.path)) for row in rows]
    try:
        journal = RecordPlace(folder, rows[0].path).read(key)
    except SealedError as error:
        print(f"  recordings left out: {error}. {error.advice()}")
        return []
    return [
        (recording_name(track), render_stated(journal, track, state, own, theirs))
        for track in ((row.origin, row.track) for row in rows)
    ]


def noting_export(
    arguments: argparse.Namespace, opened_with: "PrivateKey | None" = None, **fields: str
) -> "Callable[[], None]":
    """Return what an export to `arguments.out` calls before its first byte, to stand in the log.

    What is refused before that was not made, and is not in the log. `opened_with` is the
    record-keeper's key by which a record is read for it, if there is one.

    Raises:
        OperatorError: `arguments.out` is taken.
        StorageError: the folder around it is not there, or cannot be written.
    """
    from telcon.node.audit import AuditEvent
    from telcon.node.noting import note
    from telcon.node.proof.files import require_place

    unsealed = (
        None if opened_with is None else noting_unsealed(arguments, opened_with, fields["call"])
    )

    def tell() -> None:
        if unsealed is not None:
            unsealed()
        note(arguments.data, AuditEvent.EXPORT_MADE, **fields, folder=str(arguments.out))

    require_place(arguments.out)  # before minutes of reading
    return tell


def noting_unsealed(
    arguments: argparse.Namespace, opened_with: "PrivateKey", call: str
) -> "Callable[[], None]":
    """Return what the opening of a record into `arguments.out` calls, as an export does.

    Raises:
        OperatorError: `arguments.out` is taken.
        StorageError: the folder around it is not there, or cannot be written.
    """
    from telcon.node.audit import AuditEvent
    from telcon.node.noting import note
    from telcon.node.proof.files import require_place

    fields = {"call": call, "keeper": opened_with.reader.id.hex(), "folder": str(arguments.out)}
    require_place(arguments.out)
    return partial(note, arguments.data, AuditEvent.RECORD_UNSEALED, **fields)


def logs_of(store: "StoreReader", record: "LineRecord") -> dict[str, Any]:
    """Return both logs of a line and both key cards, as every export takes them."""
    from telcon.ledger import parse_key_card

    return {
        "ours": store.stored_log(record.own_origin),
        "theirs": store.stored_log(record.peer_origin),
        "own_card": parse_key_card(record.own_card),
        "peer_card": parse_key_card(record.peer_card),
    }


def line_named(store: "StoreReader", wanted: str) -> "LineRecord":
    """Return the line with that id, or the newest one to that node that both sides confirmed.

    Raises:
        OperatorError: there is none.
    """
    found = _named(store, wanted)
    if not found:
        raise OperatorError(f"there is no line {wanted}", advice="See: telcon line list")
    return max(found, key=lambda one: one.confirmed_at_us)


def _named(store: "StoreReader", wanted: str) -> "list[LineRecord]":
    """Return the lines with that id or to that node; of several, those confirmed there too."""
    found = [one for one in store.lines() if wanted in (one.line, one.peer_name)]
    if len(found) < 2:
        return found
    from telcon.node.opening import was_confirmed_there

    return [one for one in found if was_confirmed_there(store, one)] or found


def only_line_named(store: "StoreReader", wanted: str) -> "LineRecord":
    """Return the line with that id, or the only one there ever was to that node, on both sides.

    Of a line that was renewed, the newest log alone would say nothing of calls in the one before.

    Raises:
        OperatorError: there is none, or more than one.
    """
    named = sorted(one.line for one in _named(store, wanted))
    if len(named) > 1:
        raise OperatorError(
            f"there have been {len(named)} lines to {wanted}, and each log speaks of its own alone",
            advice=f"Attest for each by its id: {', '.join(named)}",
        )
    return line_named(store, wanted)


def read_private_key(path: Path) -> "PrivateKey":
    """Return the private key in the file `path`.

    Raises:
        StorageError: it cannot be read.
        OperatorError: it is no record-keeper's private key.
    """
    from telcon.node.proof.files import read_plain
    from telcon.node.record.keepers import MAX_KEY_FILE_OCTETS, parse_private_key_untrusted

    try:
        return parse_private_key_untrusted(read_plain(path, MAX_KEY_FILE_OCTETS))
    except MalformedError as error:
        raise OperatorError(f"{path}: {error}", advice="Give the file of `keeper new`.") from error


def read_time(text: str) -> int:
    """Read a date or time as ISO 8601 has it, in UTC unless it says otherwise, in microseconds.

    Raises:
        OperatorError: it reads otherwise, or lies before 1970.
    """
    try:
        moment = datetime.fromisoformat(text)
        in_utc = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise OperatorError(f"{text!r} is no time", advice=TIME_ADVICE) from error
    time_us = (in_utc - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if time_us < 0:
        raise OperatorError(f"{text!r} lies before 1970", advice=TIME_ADVICE)
    return time_us


def _attest(arguments: argparse.Namespace) -> int:
    from telcon.cli.progress import ProgressLine
    from telcon.node.proof import attest_none
    from telcon.node.proof.absence_check import opening_words
    from telcon.node.store import Store

    since_us, until_us = read_time(arguments.since), read_time(arguments.until)
    with Store.open_read_only(arguments.data) as store, ProgressLine() as progress:
        record = only_line_named(store, arguments.line)
        logs = logs_of(store, record)
        found = attest_none(
            **logs,
            from_us=since_us,
            to_us=until_us,
            out=arguments.out,
            told=noting_export(arguments, layer="absence", line=record.line),
            progress=progress,
        )
        opened = opening_words((logs["ours"], logs["theirs"]), since_us, until_us)
    print(f"{arguments.out}: no call on the line {record.line} to {record.peer_name} in that time")
    if opened:
        print(f"  {opened}")
    print(f"  line tests answered in it: {found.tests}")
    for origin in (record.own_origin, record.peer_origin):
        if not found.statements.of(origin):
            who = origin.partition("/")[0]
            print(f"  {who} had not stated by then what its log covers: see telcon coverage")
    print("See what it shows and what not: telcon verify")
    return 0


def _excerpt(arguments: argparse.Namespace) -> int:
    from telcon.cli.progress import ProgressLine
    from telcon.node.proof import export_message
    from telcon.node.store import Store

    if arguments.call is not None:
        return _excerpt_of_call(arguments)
    if arguments.track or arguments.since or arguments.until or arguments.also or arguments.key:
        raise OperatorError(
            "seconds are of a call, messages of a line",
            advice="Like: --call ID --track NODE:NUMBER --from 1:05 --to 1:25 --out FOLDER",
        )
    with Store.open_read_only(arguments.data) as store, ProgressLine() as progress:
        record = line_named(store, arguments.line)
        origins = {"ours": record.own_origin, "theirs": record.peer_origin}
        if arguments.message is None:
            return _list_messages(store, origins, progress)
        side, _, index = arguments.message.partition(":")
        if side not in origins or not index.isdecimal() or arguments.out is None:
            raise OperatorError(
                "it takes the place of a message, and a folder to write to",
                advice="Like: --message ours:17 --out FOLDER",
            )
        talk = export_message(
            **logs_of(store, record),
            place=(origins[side], int(index)),
            out=arguments.out,
            told=noting_export(arguments, layer="excerpt", line=record.line),
            progress=progress,
        )
    print(f"{arguments.out}: one message of {talk.left_out + 1}; the others stay sealed")
    return 0


def _excerpt_of_call(arguments: argparse.Namespace) -> int:
    from telcon.cli.progress import ProgressLine
    from telcon.node.proof import export_span
    from telcon.node.record.place import SUFFIX, RecordPlace
    from telcon.node.store import Store

    with Store.open_read_only(arguments.data) as store, ProgressLine() as progress:
        call, record = _find_call(store, arguments.call, progress)
        if arguments.track is None:
            return _list_tracks(store, call, record, progress)
        if None in (arguments.since, arguments.until, arguments.out) or arguments.message:
            raise OperatorError(
                "it takes a track, two moments, and a folder to write to",
                advice="Like: --track borealis.example:1 --from 1:05 --to 1:25 --out FOLDER",
            )
        from_ms, to_ms = read_moment(arguments.since), read_moment(arguments.until)
        if from_ms >= to_ms:
            raise OperatorError("it ends before it begins", advice="Give the earlier one first.")
        track = _read_track(arguments.track, record)
        others = [_read_track(one, record) for one in arguments.also if one != "all"]
        paths = {row.path for row in store.recordings(call) if row.path.endswith(SUFFIX)}
        paths = {path for path in paths if path.split("/")[1] == record.line}
        if not paths:
            raise OperatorError(
                f"this node has no record of the call {call} that could be shown in part",
                advice="Recordings of older versions are exported whole: telcon export",
            )
        key = read_private_key(arguments.key) if arguments.key is not None else None
        place = RecordPlace(arguments.data, paths.pop())
        report = export_span(
            **logs_of(store, record),
            call=call,
            track=track,
            from_ms=from_ms,
            to_ms=to_ms,
            open_journal=lambda: place.read(key),
            out=arguments.out,
            also=None if "all" in arguments.also else others,
            told=noting_export(arguments, key, layer="excerpt", call=call),
            progress=progress,
        )
    print(
        f"{arguments.out}: packets {report.first} to {report.first + report.count - 1} of"
        f" {arguments.track}; {report.before} before and {report.after} after are left out"
        + (f"; {report.unrecorded} of these were not recorded" if report.unrecorded else "")
    )
    for (origin, number), packets in report.not_shown:
        print(f"  not shown: {origin.partition('/')[0]}:{number}, {packets} packets in that time")
    return 0


def _list_tracks(
    store: "StoreReader", call: str, record: "LineRecord", progress: "Progress"
) -> int:
    """Print every track of a call, with the packets that its speaker's node logged of it."""
    from telcon.node.proof.span import survey_record

    logs = [store.stored_log(origin) for origin in (record.own_origin, record.peer_origin)]
    found = survey_record(logs[0], logs[1], call, progress=progress)
    for track in [] if found is None else found.tracks():
        packets = 0 if found is None else found.count(track)
        print(
            f"{track[0].partition('/')[0]}:{track[1]}  {packets} packets, as its node logged them"
        )
    return 0


def _read_track(text: str, record: "LineRecord") -> tuple[str, int]:
    """Read a track as it is listed.

    Raises:
        OperatorError: it is of no node of the line, or no number.
    """
    node, _, number = text.rpartition(":")
    for origin in (record.own_origin, record.peer_origin):
        if origin.partition("/")[0] == node and number.isascii() and number.isdecimal():
            return origin, int(number)
    raise OperatorError(f"{text!r} is no track", advice="Leave out --track to see which there are.")


def read_moment(text: str) -> int:
    """Read a moment of a recording, like 65, 65.5, 1:05 or 1:01:05, in milliseconds.

    Raises:
        OperatorError: it reads otherwise.
    """
    read = re.fullmatch(r"(?:(?:(\d{1,3}):)?(\d{1,4}):)?(\d{1,6})(?:\.(\d{1,3}))?", text, re.ASCII)
    if read is None:
        raise OperatorError(f"{text!r} is no moment", advice="Give seconds, or minutes:seconds.")
    hours, minutes, seconds, rest = read.groups(default="0")
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1_000 + int(rest.ljust(3, "0"))


def _list_messages(store: "StoreReader", origins: "Mapping[str, str]", progress: "Progress") -> int:
    """Print the place, time and words of every message of a line."""
    from telcon.core.seal import parse_text_untrusted
    from telcon.node.proof.selection import fold_line
    from telcon.node.proof.wording import quote, utc_from_us

    logs = {side: store.stored_log(origin) for side, origin in origins.items()}
    sides = {origin: side for side, origin in origins.items()}
    for one in fold_line(logs["ours"], logs["theirs"], progress=progress).messages:
        side = sides[one.origin]
        shown = [o.content for _, o in logs[side].openings(one.index, 1) if o.member == "text"]
        try:
            words = quote(parse_text_untrusted(shown[0]).text[:LISTED_CHARACTERS])
        except (IndexError, MalformedError):
            words = "(unreadable)"
        print(f"{side}:{one.index}  {utc_from_us(one.time_us)}  {words}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from telcon.cli.progress import ProgressLine
    from telcon.node.proof import format_json, format_words, verify_paths
    from telcon.node.proof.steps import QUIET
    from telcon.node.proof.verify import closing_words

    with ProgressLine() as progress:
        report = verify_paths(
            arguments.paths,
            policy=arguments.policy,
            cards=arguments.card,
            witnesses=arguments.witness,
            progress=QUIET if arguments.json else progress,
        )
    if arguments.json:
        print(format_json(report), end="")
    else:
        print(format_words(report) + closing_words(report), end="")
    return report.exit_code


def _find_call(
    store: "StoreReader", wanted: str | None, progress: "Progress"
) -> tuple[str, "LineRecord"]:
    """Return the call to export and its line: the one named, else the one rung last.

    Raises:
        OperatorError: there is no such call.
    """
    from telcon.node.proof.selection import fold_line

    found = []
    now_us = time.time_ns() // 1_000
    for record in store.lines():
        ours, theirs = (store.stored_log(o) for o in (record.own_origin, record.peer_origin))
        calls = fold_line(ours, theirs, progress=progress).calls
        # In the order of the logs, for the other side's clock may say anything.
        newest = next((call for call in reversed(calls) if wanted in (None, call)), None)
        if newest is not None:
            found.append((min(calls[newest].rung_us, now_us), newest, record))
    if not found:
        raise OperatorError(
            f"no call {wanted} here" if wanted else "no call here yet",
            advice="Give --last for the call rung last; the timeline of a call names it."
            if wanted
            else "There is one once somebody has rung, answered or not.",
        )
    _, call, record = max(found, key=lambda item: item[0])
    return call, record
