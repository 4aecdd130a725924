"""The control socket: one request, its steps, its answer, whatever comes over it."""

import asyncio
import json
import socket
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from telcon.errors import OperatorError, SettingsError
from telcon.node.control import ControlServer, Progress, _short_path, call_node, control_socket

Answer = Mapping[str, Any]
waiting = asyncio.Event()


async def greet(request: Answer, progress: Progress) -> Answer:
    progress({"say": "one moment"})
    return {"hello": request["name"]}


async def refuse(request: Answer, progress: Progress) -> Answer:
    raise SettingsError("that is not set", advice="Set it.")


async def break_down(request: Answer, progress: Progress) -> Answer:
    return {"third": 1 // 0}


async def wait(request: Answer, progress: Progress) -> Answer:
    progress({"say": "waiting"})
    waiting.set()
    await asyncio.Event().wait()
    return {}


COMMANDS = {"greet": greet, "refuse": refuse, "break down": break_down, "wait": wait}


def on_server(test: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """Run a test beside a server in a folder whose path is longer than a socket address."""

    async def run(folder: Path) -> None:
        path = control_socket(folder)
        path.parent.mkdir(parents=True)
        server = ControlServer(path, COMMANDS)
        await server.start()
        try:
            await test(path)
        finally:
            await server.close()
        assert not path.exists()

    def wrapped(tmp_path: Path) -> None:
        asyncio.run(run(tmp_path / "deep" / ("d" * 120)))

    wrapped.__name__ = test.__name__
    return wrapped


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def steps(path: Path, request: Answer) -> list[Answer]:
    return list(call_node(path, request))


def raw(path: Path, sent: bytes) -> Any:
    with socket.socket(socket.AF_UNIX) as client:
        with _short_path(path) as short:
            client.connect(short)
        client.sendall(sent)
        return json.loads(client.makefile().readline())


@on_server
async def test_steps_come_before_the_answer(path: Path) -> None:
    came = await asyncio.to_thread(steps, path, {"do": "greet", "name": "Ada"})
    assert came == [{"say": "one moment"}, {"ok": True, "hello": "Ada"}]
    assert mode_of(path) == 0o600


@on_server
async def test_a_refusal_bears_words_and_advice(path: Path) -> None:
    with pytest.raises(OperatorError, match="that is not set") as refused:
        await asyncio.to_thread(steps, path, {"do": "refuse"})
    assert refused.value.advice() == "Set it."


@pytest.mark.parametrize("request_", [{"do": "no such"}, {}, [], "greet", None])
def test_what_is_no_command_is_refused(tmp_path: Path, request_: Any) -> None:
    @on_server
    async def asked(path: Path) -> None:
        with pytest.raises(OperatorError, match="no such command"):
            await asyncio.to_thread(steps, path, request_)

    asked(tmp_path)


@on_server
async def test_garbage_gets_an_answer_too(path: Path) -> None:
    for sent in (b"\xff\xfe\n", b"{\n", b"[" * 5_000 + b"\n", b"x" * 300_000 + b"\n"):
        answer = await asyncio.to_thread(raw, path, sent)
        assert not answer["ok"]
        assert "unreadable" in answer["error"]


@on_server
async def test_a_defect_ends_the_command_and_not_the_node(path: Path) -> None:
    with pytest.raises(OperatorError, match="a defect of the node"):
        await asyncio.to_thread(steps, path, {"do": "break down"})
    with pytest.raises(OperatorError, match="a defect of the node"):
        await asyncio.to_thread(steps, path, {"do": "greet"})  # without the name that it needs
    assert await asyncio.to_thread(steps, path, {"do": "greet", "name": "Ada"})


def test_a_command_under_way_hears_that_the_node_is_ending(tmp_path: Path) -> None:
    async def run() -> None:
        path = control_socket(tmp_path)
        path.parent.mkdir()
        server = ControlServer(path, COMMANDS)
        await server.start()
        waiting.clear()
        asking = asyncio.create_task(asyncio.to_thread(steps, path, {"do": "wait"}))
        await waiting.wait()
        await server.close()
        with pytest.raises(OperatorError, match="the node is ending"):
            await asking

    asyncio.run(run())


def test_a_folder_without_a_node_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="no node runs on") as refused:
        steps(control_socket(tmp_path / "nowhere"), {"do": "greet"})
    assert "--data FOLDER" in refused.value.advice()
    (tmp_path / "node.toml").touch()
    with pytest.raises(OperatorError, match="no node runs on") as refused:
        steps(control_socket(tmp_path), {"do": "greet"})
    assert "node run" in refused.value.advice()


def test_a_socket_file_that_a_dead_node_left_is_no_node(tmp_path: Path) -> None:
    path = control_socket(tmp_path)
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(OperatorError, match="no node runs on"):
        steps(path, {"do": "greet"})
