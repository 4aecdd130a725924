"""`telcon export`, `telcon evidence` and `telcon verify`."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from telcon.core.entry import LAYERS
from telcon.errors import OperatorError

if TYPE_CHECKING:
    from telcon.node.proof.steps import Progress
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
    export.add_argument("--whole-log", action="store_true", help="all entries of the line as tiles")
    export.set_defaults(run=_export)

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
    verify.add_argument("--json", action="store_true", help="the report for programs")
    verify.set_defaults(run=_verify)


def _export(arguments: argparse.Namespace) -> int:
    from telcon.cli.progress import ProgressLine
    from telcon.ledger import parse_key_card
    from telcon.node.audit import AuditEvent, AuditFile
    from telcon.node.proof import export_call
    from telcon.node.store import Store

    with Store.open_read_only(arguments.data) as store, ProgressLine() as progress:
        call, record = _find_call(store, arguments.call, progress)
        report = export_call(
            store.stored_log(record.own_origin),
            store.stored_log(record.peer_origin),
            own_card=parse_key_card(record.own_card),
            peer_card=parse_key_card(record.peer_card),
            call=call,
            out=arguments.out,
            layer=arguments.show,
            whole_log=arguments.whole_log,
            recordings=[
                (Path(recording.path).name, arguments.data / recording.path)
                for recording in store.recordings(call)
                if recording.size_octets
            ],
            progress=progress,
        )
    with AuditFile(arguments.data / "audit.jsonl") as audit:
        out = str(arguments.out)
        audit.event(AuditEvent.EXPORT_MADE, call=call, layer=arguments.show, folder=out)
    print(f"{report.folder}: {report.receipts} receipts of call {call}, layer {arguments.show}")
    for name in report.not_countersigned:
        print(f"  no receipt, the other side has not signed that it holds it: {name}")
    return 0


def _evidence(arguments: argparse.Namespace) -> int:
    from telcon.ledger import parse_key_card
    from telcon.node.audit import AuditEvent, AuditFile
    from telcon.node.proof import export_fork
    from telcon.node.store import Store

    written: list[tuple[LineRecord, Path]] = []
    with Store.open_read_only(arguments.data) as store:
        for record in store.lines():
            if arguments.line not in (None, record.peer_name, record.line):
                continue
            cards = parse_key_card(record.own_card), parse_key_card(record.peer_card)
            for fork in store.evidence(record.line):
                out = _numbered(arguments.out, len(written) + 1)
                export_fork(fork, cards, out)
                written.append((record, out))
    if not written:
        raise OperatorError(
            "no evidence of two histories is kept here" + _of(arguments.line),
            advice="There is some where `telcon line list` says so.",
        )
    with AuditFile(arguments.data / "audit.jsonl") as audit:
        for record, out in written:
            audit.event(AuditEvent.EVIDENCE_EXPORTED, line=record.line, folder=str(out))
            print(f"{out}: two histories on the line to {record.peer_name}")
    return 0


def _of(line: str | None) -> str:
    return f" of {line}" if line else ""


def _numbered(out: Path, number: int) -> Path:
    """Return where the evidence of that number goes: the first to `out`, the next beside it."""
    return out if number == 1 else out.with_name(f"{out.name}-{number}")


def _verify(arguments: argparse.Namespace) -> int:
    from telcon.cli.progress import ProgressLine
    from telcon.node.proof import format_json, format_words, verify_paths
    from telcon.node.proof.steps import QUIET

    with ProgressLine() as progress:
        report = verify_paths(
            arguments.paths,
            policy=arguments.policy,
            cards=arguments.card,
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
