"""`telcon house …`: the acts that this node answers for, and who signs that they were logged."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from telcon.errors import OperatorError
from telcon.node.control import call_node, control_socket

if TYPE_CHECKING:
    from telcon.ledger import VerifierKey
    from telcon.node.house_acts import Act
    from telcon.node.store import HouseRecord, StoreReader

__all__ = ["add_commands"]

SHOWN_ACTS = 50


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of this module to `commands`."""
    house = commands.add_parser("house", help="the log of what was done on this node itself")
    parts = house.add_subparsers(required=True, metavar="COMMAND")

    log = parts.add_parser("log", help="list the newest acts, and how far they were witnessed")
    log.add_argument(
        "--count",
        type=int,
        default=SHOWN_ACTS,
        metavar="N",
        help=f"how many acts (default: {SHOWN_ACTS})",
    )
    log.set_defaults(run=_log)

    keys = parts.add_parser("keys", help="print this node's house key, and its witnesses' keys")
    keys.set_defaults(run=_keys)

    export = parts.add_parser("export", help="write a receipt of one entry, to be shown alone")
    export.add_argument(
        "--entry", type=int, required=True, metavar="INDEX", help="as `telcon house log` has it"
    )
    export.add_argument(
        "--log", metavar="ORIGIN", help="a log that has ended (default: the newest)"
    )
    export.add_argument(
        "--show",
        choices=("existence", "content"),
        default="content",
        help="that the act was, or also what it was about (default: content)",
    )
    export.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="a new or empty folder"
    )
    export.set_defaults(run=_export)

    trust = parts.add_parser(
        "trust", help="take the house log and witness that another node states now"
    )
    trust.add_argument("name", help="the other node, like borealis.example")
    trust.set_defaults(run=_trust)


def _log(arguments: argparse.Namespace) -> int:
    from telcon.node.house_acts import acts_of
    from telcon.node.store import Store

    with Store.open_read_only(arguments.data) as store:
        records = store.house_logs()
        newest = _record(records, None)
        for act in reversed(list(islice(acts_of(store), max(0, arguments.count)))):
            print(_line(act, newest.origin))
        for record in records:
            for line in _standing(store, record):
                print(line)
    return 0


def _line(act: "Act", newest: str) -> str:
    from telcon.node.proof.wording import escape, quote

    time = datetime.fromtimestamp(act.time_us / 1e6, UTC)
    about = " ".join(f"{escape(name)}={quote(str(one))}" for name, one in act.details.items())
    where = "" if act.origin == newest else f"  of {act.origin}"
    return f"{act.index:06}  {time:%Y-%m-%d %H:%M:%S} UTC  {act.by:9}  {act.act}  {about}{where}"


def _standing(store: "StoreReader", record: "HouseRecord") -> Iterator[str]:
    from telcon.ledger import organisation
    from telcon.node.proof.house import cosigners
    from telcon.node.proof.wording import escape, utc_from_seconds

    log = store.stored_house(record)
    yield f"{record.origin}: {log.size} entries, blanks included"
    if record.ended is not None:
        yield f"  ended: {escape(record.ended)}"
    found = log.newest_note()
    if found is None:
        yield "  no other node has cosigned it yet"
        return
    size, note = found
    for key, time_s in cosigners(note, [witness for _, _, witness in _pinned(store)]):
        when = utc_from_seconds(time_s)
        yield f"  {organisation(key.name)} has cosigned the first {size} by {when} on its clock"


def _keys(arguments: argparse.Namespace) -> int:
    from telcon.ledger import format_vkey
    from telcon.node.store import Store

    with Store.open_read_only(arguments.data) as store:
        newest = _record(store.house_logs(), None)
        print(f"Our house log is signed by:\n  {format_vkey(_vkey(newest))}")
        for peer, log, witness in _pinned(store):
            print(f"{peer}, as first stated over its line or trusted since:")
            print(f"  its house log  {format_vkey(log)}")
            print(f"  it cosigns by  {format_vkey(witness)}")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from telcon.node.audit import AuditEvent
    from telcon.node.noting import note
    from telcon.node.proof.house import export_house
    from telcon.node.store import Store

    with Store.open_read_only(arguments.data) as store:
        record = _record(store.house_logs(), arguments.log)
        out = str(arguments.out)
        event, index = AuditEvent.HOUSE_EXPORTED, arguments.entry
        told = partial(note, arguments.data, event, origin=record.origin, index=index, folder=out)
        path, signers = export_house(
            store.stored_house(record),
            _vkey(record),
            [witness for _, _, witness in _pinned(store)],
            index,
            arguments.out,
            is_opened=arguments.show == "content",
            told=told,
        )
    print(f"{arguments.out}: entry {index} of {record.origin}, cosigned by {', '.join(signers)}")
    print(f"Check it with: telcon verify --policy POLICY {arguments.out / path}")
    return 0


def _trust(arguments: argparse.Namespace) -> int:
    request = {"do": "trust-house", "peer": arguments.name}
    for answer in call_node(control_socket(arguments.data), request):
        print(f"{arguments.name} is held to these keys from now on:")
        print(f"  its house log  {answer['log']}")
        print(f"  it cosigns by  {answer['witness']}")
    return 0


def _record(records: "list[HouseRecord]", origin: str | None) -> "HouseRecord":
    found = [record for record in records if origin in (None, record.origin)]
    if not found:
        raise OperatorError(
            f"this node has no house log {origin}" if origin else "this node has no house log yet",
            advice="See: telcon house log" if origin else "It has one once it was started.",
        )
    return found[-1]


def _vkey(record: "HouseRecord") -> "VerifierKey":
    from telcon.ledger import ED25519, SigningKey, VerifierKey

    return VerifierKey(record.origin, ED25519, SigningKey(record.seed).public)


def _pinned(store: "StoreReader") -> "Iterator[tuple[str, VerifierKey, VerifierKey]]":
    """Yield each other node with the keys of its house log and witness, once."""
    from telcon.ledger import parse_vkey
    from telcon.node.store.house import find_pins

    pins = {(one.log_vkey, one.witness_vkey): peer for peer, one in store.read(find_pins)}
    for (log, witness), peer in pins.items():
        yield peer, parse_vkey(log), parse_vkey(witness)
