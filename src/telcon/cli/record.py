"""`telcon keeper …` and `telcon record …`: who can open records, opening and destroying one."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telcon.cli.proof import line_named, noting_unsealed, read_private_key
from telcon.errors import OperatorError, StorageError
from telcon.node.control import call_node, control_socket

if TYPE_CHECKING:
    from telcon.node.store import StoreReader

__all__ = ["add_commands"]


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of this module to `commands`."""
    keeper = commands.add_parser("keeper", help="who opens the records of a line")
    parts = keeper.add_subparsers(required=True, metavar="COMMAND")

    new = parts.add_parser("new", help="make a record-keeper's key, away from the node")
    new.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="the private key; FILE.pub the other",
    )
    new.set_defaults(run=_new)

    add = parts.add_parser("add", help="seal the records of a line to one more record-keeper")
    add.add_argument("name", help="the other node, like borealis.example")
    add.add_argument("file", type=Path, help="the public key, FILE.pub")
    add.set_defaults(run=_add)

    listed = parts.add_parser("list", help="the record-keepers of every line")
    listed.set_defaults(run=_list)

    remove = parts.add_parser("remove", help="seal no further record to a record-keeper")
    remove.add_argument("name", help="the other node, like borealis.example")
    remove.add_argument("id", help="as in `telcon keeper list`")
    remove.set_defaults(run=_remove)

    record = commands.add_parser("record", help="open or destroy the record of a call")
    acts = record.add_subparsers(required=True, metavar="COMMAND")

    opened = acts.add_parser("open", help="write a call's recordings, with a record-keeper's key")
    opened.add_argument("--call", required=True, metavar="ID", help="32 hex digits")
    opened.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="the record-keeper's private key"
    )
    opened.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="a new or empty folder"
    )
    opened.add_argument("--line", metavar="NAME", help="the other node, if two lines have the id")
    opened.set_defaults(run=_open)

    destroy = acts.add_parser(
        "destroy", help="destroy this node's record of a call; the log says so for ever"
    )
    destroy.add_argument("--call", required=True, metavar="ID", help="32 hex digits")
    destroy.add_argument("--reason", required=True, help="in words; the other side reads them")
    destroy.add_argument("--line", metavar="NAME", help="the other node, if two lines have the id")
    destroy.set_defaults(run=_destroy)

    off = acts.add_parser(
        "off", help="switch this node's recorder off in the call that is going on; both logs say so"
    )
    off.add_argument("name", help="the other node, like borealis.example")
    off.add_argument("--reason", required=True, help="in words; the other side reads them at once")
    off.set_defaults(run=_switch)

    on = acts.add_parser("on", help="switch this node's recorder on again in the same call")
    on.add_argument("name", help="the other node, like borealis.example")
    on.set_defaults(run=_switch, reason=None)


def _ask(arguments: argparse.Namespace, request: Mapping[str, Any]) -> Mapping[str, Any]:
    *_, answer = call_node(control_socket(arguments.data), request)
    return answer


def _new(arguments: argparse.Namespace) -> int:
    from telcon.node.record.keepers import format_keeper, format_private_key
    from telcon.node.record.sealing import PrivateKey

    key = PrivateKey.generate()
    public = arguments.out.with_name(arguments.out.name + ".pub")
    _write_both(
        (arguments.out, format_private_key(key), 0o600), (public, format_keeper(key.reader), 0o644)
    )
    print(
        f"{arguments.out}: the private key. Whoever has it opens the records; keep it off the node."
    )
    print(f"{public}: give it to the node with: telcon keeper add PEER {public}")
    print(f"Its id: {key.reader.id.hex()}")
    return 0


def _write_both(*files: tuple[Path, bytes, int]) -> None:
    """Write new files of those bytes and modes, all of them or none: half a pair is of no use.

    Raises:
        StorageError: one is there already, or cannot be written.
    """
    made: list[Path] = []
    try:
        for path, data, mode in files:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            made.append(path)
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
    except BaseException as error:
        for one in made:
            one.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise StorageError(
            f"{path} cannot be written: {error.strerror}; nothing was written",
            advice="Name a file that does not exist yet, in a folder you may write to.",
        ) from error


def _add(arguments: argparse.Namespace) -> int:
    text = _read(arguments.file).decode("ascii", "replace")
    answer = _ask(arguments, {"do": "keeper-add", "peer": arguments.name, "keeper": text})
    if not answer["added"]:
        print(f"{answer['id']} keeps the records of the line to {arguments.name} already.")
        return 0
    print(
        f"From the next call on, records of the line to {arguments.name} are sealed to"
        f" {answer['id']}, and this node erases its own key once both sides hold the same."
    )
    return 0


def _list(arguments: argparse.Namespace) -> int:
    keepers = _ask(arguments, {"do": "keeper-list"})["keepers"]
    for keeper in keepers:
        print(f"{keeper['id']}  {keeper['peer']}  line {keeper['line']}")
    if not keepers:
        print("No record-keeper yet: this node alone opens its records. See: telcon keeper new")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    _ask(arguments, {"do": "keeper-remove", "peer": arguments.name, "id": arguments.id})
    print("No further record is sealed to it. What was stays so.")
    return 0


def _open(arguments: argparse.Namespace) -> int:
    from telcon.node.proof.files import FolderWriter
    from telcon.node.proof.layout import recording_name
    from telcon.node.proof.selection import fold_line
    from telcon.node.record.place import RecordPlace
    from telcon.node.record.rendering import render_stated
    from telcon.node.store import Store

    key, call = read_private_key(arguments.key), arguments.call
    with Store.open_read_only(arguments.data) as store:
        told = noting_unsealed(arguments, key, call)
        path = _path_of(store, call, arguments.line)
        line = line_named(store, path.split("/")[1])
        own, theirs = store.stored_log(line.own_origin), store.stored_log(line.peer_origin)
        state = fold_line(own, theirs).calls[call]
        journal = RecordPlace(arguments.data, path).read(key)
        _, stated = state.agreed.get(own.origin, (0, ()))
        with FolderWriter(arguments.out, told) as writer:  # told before anything can be heard
            for track in sorted({*journal.tracks(), *(one[:2] for one in stated)}):
                name = recording_name(track)
                digest, size = writer.write_pieces(
                    name, render_stated(journal, track, state, own, theirs)
                )
                print(f"{name}  {size} octets  sha256 {digest}")
            writer.finish()
    return 0


def _path_of(store: "StoreReader", call: str, line: str | None) -> str:
    """Return where the journal of `call` lies, on the line that was named if one was.

    Raises:
        OperatorError: there is none, or more than one.
    """
    from telcon.node.record.place import SUFFIX

    wanted = None if line is None else line_named(store, line).line
    paths = {
        row.path
        for row in store.recordings(call)
        if row.path.endswith(SUFFIX) and wanted in (None, row.path.split("/")[1])
    }
    if not paths:
        raise OperatorError(
            f"no record of a call {call} here",
            advice="The timeline of a call names it. Older records are plain files already.",
        )
    if len(paths) > 1:  # the other side picks the id: it may be one that another line has
        raise OperatorError(
            f"{len(paths)} lines have a record of a call {call}",
            advice="Name the line with --line.",
        )
    return paths.pop()


def _switch(arguments: argparse.Namespace) -> int:
    request = {"do": "recorder", "peer": arguments.name, "reason": arguments.reason}
    try:
        call = _ask(arguments, request)["call"]
    except OperatorError as error:
        raise _in_two_lines(error) from error
    state = "on again" if arguments.reason is None else "off; the other side sees it"
    print(f"The recorder of the call {call} is {state}.")
    return 0


def _in_two_lines(error: OperatorError) -> OperatorError:
    """Return what the node says in a page's way, which needs no advice beside a button."""
    said = str(error).removesuffix(".")
    advice = error.advice() or "In the call, the principal's page shows how both recorders stand."
    return OperatorError(f"{said[:1].lower()}{said[1:]}", advice=advice)


def _destroy(arguments: argparse.Namespace) -> int:
    request = {
        "do": "record-destroy",
        "call": arguments.call,
        "reason": arguments.reason,
        "peer": arguments.line,
    }
    if _ask(arguments, request)["said"]:
        print("Destroyed, and said so in the log. The other side holds its own.")
    else:
        print(
            "Destroyed. The log of this line is closed: the house log alone says so, and the other"
        )
        print("side does not read it. It holds its own.")
    return 0


def _read(path: Path) -> bytes:
    from telcon.node.proof.files import read_plain
    from telcon.node.record.keepers import MAX_KEY_FILE_OCTETS

    return read_plain(path, MAX_KEY_FILE_OCTETS)
