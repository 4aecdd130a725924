"""`telcon line …`, `telcon link` and `telcon card`: pairing, the lines, signing in."""

import argparse
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from telcon.cli import witness
from telcon.errors import InvitationError, StorageError
from telcon.node.control import call_node, control_socket
from telcon.node.link.words import WORD_COUNT, word_list

__all__ = ["add_commands"]


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of this module to `commands`."""
    line = commands.add_parser("line", help="pair with another node; see, test, freeze lines")
    parts = line.add_subparsers(required=True, metavar="COMMAND")

    invite = parts.add_parser("invite", help="write an invitation, wait, show the six words")
    invite.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="a new file, to be handed over"
    )
    invite.set_defaults(run=_invite)

    accept = parts.add_parser("accept", help="accept an invitation, show the six words")
    accept.add_argument("file", type=Path, help="the invitation that the other side sent")
    accept.set_defaults(run=_accept)

    confirm = parts.add_parser("confirm", help="type the six words that the other side read out")
    confirm.add_argument("name", help="the other node, like borealis.example")
    confirm.add_argument("--words", help="the six words; asked for if not given")
    confirm.set_defaults(run=_confirm)

    listed = parts.add_parser("list", help="every line and how it stands")
    listed.set_defaults(run=_list)

    test = parts.add_parser("test", help="test a line: the other node answers with a signed entry")
    test.add_argument("name", help="the other node, like borealis.example")
    test.set_defaults(run=_test)

    freeze = parts.add_parser("freeze", help="trust a line no more; cannot be undone")
    freeze.add_argument("name", help="the other node, like borealis.example")
    freeze.add_argument("--reason", required=True, help="in words; the other side reads them")
    freeze.set_defaults(run=_freeze)

    renew = parts.add_parser(
        "renew", help="new keys: the old line vouches for them once both operators give this"
    )
    renew.add_argument("name", help="the other node, like borealis.example")
    renew.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="freeze the line at once, and invite to a new one by words: a file to be handed over",
    )
    renew.set_defaults(run=_renew)

    noted = parts.add_parser(
        "acknowledge", help="take note of proof of two histories; then the line can be paired anew"
    )
    noted.add_argument("name", help="the other node, like borealis.example")
    noted.add_argument("--reason", required=True, help="in words; they become an entry")
    noted.set_defaults(run=_acknowledge)

    witness.add_line_commands(parts)

    link = commands.add_parser("link", help="print a sign-in link: 15 minutes, one use")
    link.add_argument("name", help="the principal, like 'Adrian Rey'")
    link.set_defaults(run=_link)

    out = commands.add_parser("sign-out", help="sign out every device, as after a lost one")
    out.add_argument("name", help="the principal, like 'Adrian Rey'")
    out.set_defaults(run=_sign_out)

    card = commands.add_parser(
        "card", help="write this node's key card of a line, for others to keep"
    )
    card.add_argument("name", help="the node at the other end of the line")
    card.add_argument("--out", type=Path, required=True, metavar="FILE", help="the card's file")
    card.set_defaults(run=_card)


def _ask(arguments: argparse.Namespace, request: Mapping[str, Any]) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = {}
    for answer in call_node(control_socket(arguments.data), request):
        if "say" in answer:
            print(answer["say"], flush=True)
    return answer


def _invite(arguments: argparse.Namespace) -> int:
    answer = _ask(arguments, {"do": "invite", "out": str(arguments.out.absolute())})
    _show_words(arguments, answer)
    return 0


def _renew(arguments: argparse.Namespace) -> int:
    if arguments.out is None:
        answer = _ask(arguments, {"do": "renew-unworded", "peer": arguments.name})
        print(f"The line to {answer['peer']} has new keys: line {answer['line']}.")
        return 0
    out = str(arguments.out.absolute())
    _show_words(arguments, _ask(arguments, {"do": "renew", "peer": arguments.name, "out": out}))
    return 0


def _accept(arguments: argparse.Namespace) -> int:
    try:
        invitation = arguments.file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvitationError(
            f"cannot read {arguments.file}: {error}", advice="Give the file the other side sent."
        ) from error
    _show_words(arguments, _ask(arguments, {"do": "accept", "invitation": invitation}))
    return 0


def _show_words(arguments: argparse.Namespace, answer: Mapping[str, Any]) -> None:
    print(f"Words: {answer['words']}")
    print(
        f"Read them to {answer['peer']} over another channel, hear theirs, then within ten"
        f" minutes:\n  telcon --data {arguments.data} line confirm {answer['peer']}"
    )


def _confirm(arguments: argparse.Namespace) -> int:
    typed = arguments.words
    words = " ".join(_asked_words() if typed is None else _require_words(typed))
    _ask(arguments, {"do": "confirm", "peer": arguments.name, "words": words})
    print(f"The line to {arguments.name} is open on this side.")
    return 0


def _asked_words() -> list[str]:
    """Ask whoever sits at the terminal until the words are six of the list."""
    if not sys.stdin.isatty():
        raise InvitationError(
            "no words given, and standard input is no terminal", advice="Give them with --words."
        )
    while True:
        try:
            return _require_words(input("The six words that the other side read to you: "))
        except InvitationError as error:
            print(f"{error}. {error.advice()}")
        except EOFError as error:
            raise InvitationError(
                "no words given", advice="Nothing is lost: give the same command again."
            ) from error


def _require_words(typed: str) -> list[str]:
    """Return what was typed as words; a slip of the finger must not cost the pairing.

    Raises:
        InvitationError: they are not six, or one of them is no word of the list.
    """
    words = re.findall(r"[^\W\d_]+", typed.lower())
    strange = [word for word in words if word not in word_list()]
    if strange or len(words) != WORD_COUNT:
        raise InvitationError(
            f"{strange[0]!r} is not one of the words that nodes use"
            if strange
            else f"there are {len(words)} words here, not {WORD_COUNT}",
            advice="Nothing is lost: type all six again.",
        )
    return words


def _list(arguments: argparse.Namespace) -> int:
    answer = _ask(arguments, {"do": "lines"})
    newest = {line["peer"]: line["line"] for line in answer["lines"]}
    for line in answer["lines"]:
        since = datetime.fromtimestamp(line["since_us"] / 1e6, UTC)
        print(f"{line['peer']}  {_state(line)} since {since:%Y-%m-%d %H:%M:%S} UTC  {line['line']}")
        print(
            f"  our log {line['own_size']} entries, {line['cosigned']} held by them;"
            f" theirs {line['their_size']}"
        )
        if not line["cosigned"] and not line["their_size"]:
            is_newest = newest[line["peer"]] == line["line"]
            print("  not confirmed by them yet" if is_newest else "  never confirmed by them")
        if line["broken"]:
            print(f"  {line['broken']}")
        if line["frozen"] and newest[line["peer"]] != line["line"]:
            print(f"  a newer line has taken its place: {newest[line['peer']]}")
        if line["wanted_by"] == "theirs":
            print(f"  {line['peer']} wants to renew the keys: telcon line renew {line['peer']}")
        if line["wanted_by"] == "ours":
            print(f"  waits for {line['peer']} to renew the keys too")
        if line["previous"]:
            print(f"  {_previous(line['previous'])}")
        if line["forked"] and not line["noted"]:
            print("  Look at it: telcon evidence --out FOLDER")
            print(f"  Then, to pair anew: telcon line acknowledge {line['peer']} --reason WORDS")
    for pairing in answer["pairings"]:
        print(f"{pairing['peer']}  waits to be confirmed: {pairing['words']}")
    if not answer["lines"] and not answer["pairings"]:
        print("No line yet. Begin with: telcon line invite --out FILE")
    return 0


def _previous(found: Mapping[str, Any]) -> str:
    origin, size, held = found["origin"], found["size"], found["held"]
    match found["broken"]:
        case "another history" | "one of two histories":
            return f"BREAK: their log says it goes on from {origin}, and not as that is held here"
        case "unnamed":
            return "BREAK: their log names none before it, though earlier ones are here"
        case "unknown":
            return f"BREAK: their log says it goes on from {origin}, of which nothing is here"
    as_held = "as held here" if held == size else f"of which {held} are held here"
    return f"their log goes on from {origin}, {size} entries, {as_held}"


def _state(line: Mapping[str, Any]) -> str:
    if line["frozen"]:
        return "frozen, link " + ("up" if line["up"] else "down")
    return "up" if line["up"] else "down"


def _test(arguments: argparse.Namespace) -> int:
    answer = _ask(arguments, {"do": "test", "peer": arguments.name})
    print(f"Answered and signed by {arguments.name} in {answer['ms']} ms.")
    return 0


def _freeze(arguments: argparse.Namespace) -> int:
    _ask(arguments, {"do": "freeze", "peer": arguments.name, "reason": arguments.reason})
    print(f"The line to {arguments.name} is frozen for ever. Pair anew when you trust it again.")
    return 0


def _acknowledge(arguments: argparse.Namespace) -> int:
    _ask(arguments, {"do": "acknowledge", "peer": arguments.name, "reason": arguments.reason})
    print(
        f"Noted. The line to {arguments.name} stays frozen for ever; a new one can be paired now.\n"
        "What was kept stays kept: telcon evidence --out FOLDER writes it for others to check."
    )
    return 0


def _link(arguments: argparse.Namespace) -> int:
    print(_ask(arguments, {"do": "link", "name": arguments.name})["link"])
    return 0


def _sign_out(arguments: argparse.Namespace) -> int:
    ended = _ask(arguments, {"do": "sign-out", "name": arguments.name})["sessions"]
    print(f"{ended} signed in before; every page has to be opened with a new link now.")
    return 0


def _card(arguments: argparse.Namespace) -> int:
    answer = _ask(arguments, {"do": "card", "peer": arguments.name})
    try:
        arguments.out.write_bytes(answer["card"].encode())
    except OSError as error:
        raise StorageError(
            f"the key card cannot be written to {arguments.out}: {error.strerror}",
            advice="Name a file in a folder that exists and that you may write to.",
        ) from error
    print(f"{arguments.out} written. Its SHA-256, to publish or to read out:\n{answer['hash']}")
    return 0
