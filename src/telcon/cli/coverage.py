"""`telcon coverage`: what this node's logs cover, as it stated it, signed and held by the peer."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from telcon.cli.proof import line_named, logs_of, noting_export, read_time
from telcon.core.coverage import ALWAYS, read_hours
from telcon.core.entry import MODES
from telcon.errors import OperatorError
from telcon.node.control import call_node, control_socket

if TYPE_CHECKING:
    from telcon.node.proof.steps import Progress
    from telcon.node.store import StoreReader
    from telcon.node.store.records import LineRecord

__all__ = ["add_commands"]


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command of this module to `commands`."""
    coverage = commands.add_parser(
        "coverage", help="what the logs cover: without it, that there was no call means nothing"
    )
    coverage.add_argument(
        "--line", metavar="NAME", help="the other node, or the line's id (default: all lines)"
    )
    coverage.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="write what this node stated about one line, with receipts, to a new folder",
    )
    coverage.set_defaults(run=_show)
    parts = coverage.add_subparsers(metavar="COMMAND")
    stated = parts.add_parser(
        "set",
        help="state, signed, that the log of a line covers the principal of this node",
        description="States from when to when, at which hours and in which record modes the log of"
        " a line has all acts of this node's principal on it. It cannot be taken back for the time"
        " before; a later statement takes its place from its own --from on.",
    )
    stated.add_argument("name", help="the other node, like borealis.example")
    stated.add_argument("--from", dest="since", metavar="TIME", help="in UTC (default: now)")
    stated.add_argument("--to", dest="until", metavar="TIME", help="in UTC (default: no end)")
    stated.add_argument(
        "--hours",
        action="append",
        metavar="HOURS",
        help='like "Mon-Fri 08:00-18:00", in UTC; may be given again (default: all hours)',
    )
    stated.add_argument(
        "--mode",
        action="append",
        choices=MODES,
        help="a record mode; may be given again (default: all)",
    )
    stated.set_defaults(run=_set)


def _set(arguments: argparse.Namespace) -> int:
    now_us = time.time_ns() // 1_000
    since_us = now_us if arguments.since is None else read_time(arguments.since)
    until_us = None if arguments.until is None else read_time(arguments.until)
    if until_us is not None and until_us <= since_us:
        raise OperatorError("it would end before it begins", advice="Give --to a later time.")
    stated = arguments.mode or MODES
    request = {
        "do": "cover",
        "peer": arguments.name,
        "since_us": since_us,
        "until_us": until_us,
        "hours": read_hours(arguments.hours) if arguments.hours else ALWAYS,
        "modes": [mode for mode in MODES if mode in stated],
    }
    *_, answer = call_node(control_socket(arguments.data), request)
    held = f"held by {arguments.name}" if answer["held"] else f"not yet held by {arguments.name}"
    print(f"Stated as entry {answer['index']} of our log, {held}.")
    if since_us < now_us:
        print("For the time before now this was said afterwards, and every proof says so.")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from telcon.cli.progress import ProgressLine
    from telcon.node.proof import export_coverage
    from telcon.node.store import Store

    with Store.open_read_only(arguments.data) as store, ProgressLine() as progress:
        wanted = arguments.line
        records = store.lines() if wanted is None else [line_named(store, wanted)]
        if arguments.out is None:
            return _print(store, records, progress)
        if len(records) != 1:
            raise OperatorError(
                f"there are {len(records)} lines here", advice="Name one with --line."
            )
        record = records[0]
        told = noting_export(arguments, layer="coverage", line=record.line)
        logs = logs_of(store, record)
        count = export_coverage(**logs, out=arguments.out, told=told, progress=progress)
    print(f"{arguments.out}: {count} statements of coverage, each with its receipt")
    return 0


def _print(store: "StoreReader", records: "Sequence[LineRecord]", progress: "Progress") -> int:
    """Print what both sides of each line stated."""
    from telcon.node.proof.coverage import find_statements
    from telcon.node.proof.wording import coverage_in_words

    for record in records:
        logs = [store.stored_log(one) for one in (record.own_origin, record.peer_origin)]
        found = find_statements(logs[0], logs[1], progress)
        print(f"{record.peer_name}  {record.line}")
        for name, log in zip((record.own_name, record.peer_name), logs, strict=True):
            if not found[log.origin]:
                print(f"  {name} has stated nothing: that its log is silent means nothing")
            for one in found[log.origin]:
                held = "held by both" if log.cosigned_note_over(one.index) else "not yet held"
                print(f"  entry {one.index} of {name}, {held}: {coverage_in_words(one.entry)}")
    if not records:
        print("No line yet. Begin with: telcon line invite --out FILE")
    return 0
