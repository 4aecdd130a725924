"""`telcon node init` and `telcon node run`."""

import argparse
import asyncio
import logging
import os
import signal
from pathlib import Path

from telcon.core.seal import Person
from telcon.errors import SettingsError
from telcon.node.folder import prepare_folder
from telcon.node.settings import (
    FILE_NAME,
    LineSettings,
    LinkSettings,
    MediaSettings,
    NodeSettings,
    WebSettings,
)

__all__ = ["add_commands"]

LOOPBACK = "127.0.0.1"
TEST_EVERY_MINUTES = 60


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of this module to `commands`."""
    node = commands.add_parser("node", help="set up and run this node")
    parts = node.add_subparsers(required=True, metavar="COMMAND")
    init = parts.add_parser("init", help="make the data folder and node.toml; listens on loopback")
    init.add_argument("--name", required=True, help="the node's name, like arcadia.example")
    init.add_argument("--organisation", required=True, help="like Arcadia")
    init.add_argument("--principal", required=True, help="who the line is for, like 'Adrian Rey'")
    init.add_argument("--office", required=True, help="like 'President of Arcadia'")
    init.add_argument("--lang", default="en", help="language of the names above (default: en)")
    init.add_argument(
        "--web-host-name", metavar="HOST", help="what browsers call it (default: the node's name)"
    )
    init.add_argument(
        "--web-port", type=int, default=8400, metavar="PORT", help="TCP, pages (default: 8400)"
    )
    init.add_argument(
        "--link-port", type=int, default=8401, metavar="PORT", help="TCP, lines (default: 8401)"
    )
    init.add_argument(
        "--pairing-port",
        type=int,
        default=8402,
        metavar="PORT",
        help="TCP, pairing (default: 8402)",
    )
    init.add_argument(
        "--media-port", type=int, default=8403, metavar="PORT", help="UDP, audio (default: 8403)"
    )
    init.set_defaults(run=_init)
    run = parts.add_parser("run", help="run the node until SIGINT or SIGTERM")
    run.set_defaults(run=_run)


def _init(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.data
    prepare_folder(folder)
    link = f"{LOOPBACK}:{arguments.link_port}"
    NodeSettings(
        name=arguments.name,
        organisation=arguments.organisation,
        principal=Person(
            lang=arguments.lang,
            name=arguments.principal,
            office=arguments.office,
            organisation=arguments.organisation,
        ),
        web=WebSettings(LOOPBACK, arguments.web_port, (arguments.web_host_name or arguments.name,)),
        link=LinkSettings(LOOPBACK, arguments.link_port, arguments.pairing_port, (link,)),
        media=MediaSettings(LOOPBACK, arguments.media_port, (LOOPBACK,)),
        line=LineSettings(TEST_EVERY_MINUTES),
    ).write(folder)
    print(
        f"{folder / 'node.toml'} written. It listens on loopback alone until you change it there."
    )
    print(f"Next: telcon --data {folder} node run")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    _require_readable(arguments.data)
    from telcon.cli.running import run_node  # late: brings the whole node

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")

    async def until_signal() -> None:
        loop = asyncio.get_running_loop()
        ending = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ending.set)
        await run_node(arguments.data, ending)

    asyncio.run(until_signal())
    return 0


def _require_readable(folder: Path) -> None:
    """Refuse the folder of another user, and what is no folder, where nothing in it is amiss.

    Whatever else is wrong with it is said by who reads it.

    Raises:
        SettingsError: the settings may not be read, or `folder` is a file.
    """
    try:
        os.close(os.open(folder / FILE_NAME, os.O_RDONLY | os.O_CLOEXEC))
    except PermissionError as error:
        raise SettingsError(
            f"this user may not read {folder / FILE_NAME}",
            advice="Be the user that the node runs as.",
        ) from error
    except NotADirectoryError as error:
        raise SettingsError(
            f"{folder} is a file, not the folder of a node",
            advice="Name the node's own: telcon --data FOLDER node run",
        ) from error
    except OSError:
        return
