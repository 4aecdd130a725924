"""`telcon export` and `telcon verify`."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from telcon.cli.record import read_private_key
from telcon.core.entry import LAYERS
from telcon.errors import OperatorError, SealedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telcon.node.proof.steps import Progress
    from telcon.node.record.sealing import PrivateKey
    from telcon.node.store import StoreReader
    from telcon.node.store.records import LineRecord

__all__ = ["add_commands"]

LAYER_NAMES = tuple(layer.name for layer in LAYERS)


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of this module to `commands`."""
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
        help="a key card that you keep; give it twice, once for each side",
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
    from telcon.ledger import parse_key_card
    from telcon.node.audit import AuditEvent
    from telcon.node.noting import note
    from telcon.node.proof import export_call
    from telcon.node.store import Store
    from telcon.node.store.further import further_witnesses

    key = read_private_key(arguments.key) if arguments.key is not None else None
    with Store.open_read_only(arguments.data) as store, ProgressLine() as progress:
        call, record = _find_call(store, arguments.call, progress)
        out = str(arguments.out)
        if key is not None:
            keeper = key.reader.id.hex()
            note(arguments.data, AuditEvent.RECORD_UNSEALED, call=call, keeper=keeper, folder=out)
        note(arguments.data, AuditEvent.EXPORT_MADE, call=call, layer=arguments.show, folder=out)
        report = export_call(
            store.stored_log(record.own_origin),
            store.stored_log(record.peer_origin),
            own_card=parse_key_card(record.own_card),
            peer_card=parse_key_card(record.peer_card),
            call=call,
            out=arguments.out,
            layer=arguments.show,
            whole_log=arguments.whole_log,
            recordings=_recordings(arguments.data, store, call, record, key),
            further=further_witnesses(store, record),
            progress=progress,
        )
    print(f"{report.folder}: {report.receipts} receipts of call {call}, layer {arguments.show}")
    for name in report.not_countersigned:
        print(f"  left out, the other side has not signed that it holds it yet: {name}")
    return 0


def _recordings(
    folder: Path, store: "StoreReader", call: str, line: "LineRecord", key: "PrivateKey | None"
) -> "list[tuple[str, Iterator[bytes]]]":
    """Return name and pieces of the file of each track; of a record that is agreed, just that.

    Of a record that is destroyed, or sealed to others than `key`, nothing; that is said.

    Raises:
        StorageError: the record cannot be read.
    """
    from telcon.node.proof.files import read_pieces
    from telcon.node.proof.layout import recording_name
    from telcon.node.proof.selection import fold_line
    from telcon.node.record.place import SUFFIX, RecordPlace
    from telcon.node.record.rendering import render_agreed, render_recorded

    rows = [
        one
        for one in store.recordings(call)
        if one.size_octets and one.origin in (line.own_origin, line.peer_origin)
    ]
    if not rows:
        return []
    if not rows[0].path.endswith(SUFFIX):  # of a version that wrote a file for each track
        return [(Path(row.path).name, read_pieces(folder / row.path)) for row in rows]
    logs = (store.stored_log(line.own_origin), store.stored_log(line.peer_origin))
    state = fold_line(*logs).calls[call]
    agreed: set[tuple[str, int]] = set()
    if line.own_origin in state.agreed:
        index, stated = state.agreed[line.own_origin]
        if logs[0].cosigned_note_over(index) is not None:
            agreed = {track[:2] for track in stated}
    if line.own_origin in state.destroyed:
        print("  recordings left out: this node's record of the call is destroyed")
        return []
    try:
        journal = RecordPlace(folder, rows[0].path).read(key)
    except SealedError as error:
        print(f"  recordings left out: {error}. {error.advice()}")
        return []
    found = []
    for track in ((row.origin, row.track) for row in rows):
        pieces = (
            render_agreed(journal, track, state.chunks[track].count)
            if track in agreed
            else render_recorded(journal, track)
        )
        found.append((recording_name(track), pieces))
    return found


def _verify(arguments: argparse.Namespace) -> int:
    from telcon.cli.progress import ProgressLine
    from telcon.node.proof import format_json, format_words, verify_paths
    from telcon.node.proof.steps import QUIET

    with ProgressLine() as progress:
        report = verify_paths(
            arguments.paths,
            policy=arguments.policy,
            cards=arguments.card,
            witnesses=arguments.witness,
            progress=QUIET if arguments.json else progress,
        )
    print(format_json(report) if arguments.json else format_words(report), end="")
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
