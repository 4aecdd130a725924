"""`telcon witness …`, `telcon line witness …`, `telcon line publish`: strangers and checkpoints."""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from telcon.node.control import call_node, control_socket

__all__ = ["add_commands", "add_line_commands"]


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `telcon witness …` to `commands`."""
    witness = commands.add_parser("witness", help="be a witness of logs that others write")
    parts = witness.add_subparsers(required=True, metavar="COMMAND")

    key = parts.add_parser("key", help="print this node's witness key, for others to name")
    key.set_defaults(run=_key)

    admit = parts.add_parser("admit", help="witness a log from now on")
    admit.add_argument("vkey", help='the log\'s key: what its key card calls "log"')
    admit.set_defaults(run=_admit)

    listed = parts.add_parser("list", help="every log and how far it was witnessed")
    listed.set_defaults(run=_list)

    remove = parts.add_parser("remove", help="witness a log no more")
    remove.add_argument("origin", help="the log, like borealis.example/line/…")
    remove.set_defaults(run=_remove)


def add_line_commands(parts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `telcon line witness …`, `line publish` and `line unpublish` to `parts`."""
    witness = parts.add_parser("witness", help="further witnesses of our log of a line")
    inner = witness.add_subparsers(required=True, metavar="COMMAND")

    add = inner.add_parser("add", help="name a witness: a third state, a court")
    _add_name(add)
    add.add_argument("vkey", help="its key, as `telcon witness key` prints it there")
    add.add_argument("url", help="where it listens, like https://corelia.example/witness")
    add.set_defaults(run=_line_add)

    listed = inner.add_parser("list", help="the witnesses and what they signed")
    _add_name(listed)
    listed.set_defaults(run=_line_list)

    remove = inner.add_parser("remove", help="ask a witness no more; what it signed stays")
    _add_name(remove)
    remove.add_argument("witness", help="its name, like corelia.example/witness")
    remove.set_defaults(run=_line_remove)

    need = inner.add_parser("need", help="how many of them a receipt should bear")
    _add_name(need)
    need.add_argument("needed", type=int, metavar="K")
    need.set_defaults(run=_line_need)

    publish = parts.add_parser(
        "publish", help="let who knows the line ask for our log's checkpoint (public.listen)"
    )
    _add_name(publish)
    publish.set_defaults(run=_publish)

    unpublish = parts.add_parser("unpublish", help="let nobody ask for it")
    _add_name(unpublish)
    unpublish.set_defaults(run=_unpublish)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="the other node, like borealis.example")


def _ask(arguments: argparse.Namespace, **request: Any) -> Mapping[str, Any]:
    *_, answer = call_node(control_socket(arguments.data), request)
    return answer


def _key(arguments: argparse.Namespace) -> int:
    print(_ask(arguments, do="witness-key")["vkey"])
    return 0


def _admit(arguments: argparse.Namespace) -> int:
    answer = _ask(arguments, do="witness-admit", vkey=arguments.vkey)
    print(f"{answer['origin']} is witnessed from now on, from {answer['size']} entries.")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    logs = _ask(arguments, do="witness-list")["logs"]
    for log in logs:
        removed = "" if log["admitted"] else ", witnessed no more"
        print(f"{log['origin']}  {log['size']} entries{removed}")
        if log["refused"]:
            print(f"  {log['refused']} signed requests did not fit what was witnessed: kept")
    if not logs:
        print("No log yet. Begin with: telcon witness admit VKEY")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    _ask(arguments, do="witness-dismiss", origin=arguments.origin)
    print(f"{arguments.origin} is witnessed no more. How far it was stays known.")
    return 0


def _line_add(arguments: argparse.Namespace) -> int:
    url = arguments.url.rstrip("/")
    _ask(arguments, do="line-witness-add", peer=arguments.name, vkey=arguments.vkey, url=url)
    print(
        f"Named. It is asked from now on; how it goes: telcon line witness list {arguments.name}\n"
        "It has to admit our log; `telcon line publish` and our key card bear its key."
    )
    return 0


def _line_list(arguments: argparse.Namespace) -> int:
    answer = _ask(arguments, do="line-witness-list", peer=arguments.name)
    for witness in answer["witnesses"]:
        print(f"{witness['name']}  {_signed(witness)}  {witness['url']}")
        if witness["trouble"]:
            print(f"  does not sign: {witness['trouble']}")
    count = len(answer["witnesses"])
    if count:
        print(f"A receipt should bear {answer['needed']} of these {count}.")
    else:
        print("No further witness. Begin with: telcon line witness add")
    print("Our checkpoint is " + ("published." if answer["published"] else "not published."))
    return 0


def _signed(witness: Mapping[str, Any]) -> str:
    if witness["time_s"] is None:
        return "has signed nothing yet"
    signed = datetime.fromtimestamp(witness["time_s"], UTC)
    return f"signed {witness['size']} entries on {signed:%Y-%m-%d %H:%M:%S} UTC, by its clock"


def _line_remove(arguments: argparse.Namespace) -> int:
    _ask(arguments, do="line-witness-remove", peer=arguments.name, witness=arguments.witness)
    print(f"{arguments.witness} is asked no more. What it signed stays.")
    return 0


def _line_need(arguments: argparse.Namespace) -> int:
    _ask(arguments, do="line-witness-need", peer=arguments.name, needed=arguments.needed)
    print(f"A receipt should bear {arguments.needed} of the further witnesses from now on.")
    return 0


def _publish(arguments: argparse.Namespace) -> int:
    answer = _ask(arguments, do="line-publish", peer=arguments.name, published=True)
    print(f"Our newest checkpoint: {answer['path']} at public.listen. Our log's key:")
    print(answer["vkey"])
    if not answer["listen"]:
        print("Nobody can reach it yet: set public.listen in node.toml and restart the node.")
    return 0


def _unpublish(arguments: argparse.Namespace) -> int:
    _ask(arguments, do="line-publish", peer=arguments.name, published=False)
    print("Nobody can ask for our checkpoint any more.")
    return 0
