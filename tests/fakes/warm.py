"""Nodes whose processes start at once: one that has imported telcon forks itself for each command.

Such a process is as real as one that `python -m telcon.cli` starts, and dies as it does; only its
imports were done before. They cost a second of CPU, and the tests start hundreds. That a node can
be started by its command alone is shown where that is tested: `demo`, `faults.starting`.

Run as a program, this module is the process that forks; it ends when the tests do.
"""

import gc
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from importlib import import_module
from typing import Any, TextIO

from demo.nodes import DemoNode, Process

MAX_OCTETS = 1 << 17  # of a request: a command line, and the environment


class WarmProcess:
    """A command of telcon that runs; as `subprocess.Popen`, as far as a node asks."""

    def __init__(self, arguments: list[str], *, own_session: bool, stderr: bool) -> None:
        """Start the command; what it prints is read from `stdout`, and from `stderr` if asked."""
        self.stdout, out = _pipe()
        self.stderr: TextIO | None = None
        error = os.dup(2)
        if stderr:
            os.close(error)
            self.stderr, error = _pipe()
        try:
            self.pid = _fork(arguments, out, error, own_session=own_session)
        finally:
            os.close(out)
            os.close(error)
        self.returncode: int | None = None
        self._ended = os.pidfd_open(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, below zero for the signal that ended it.

        Raises:
            subprocess.TimeoutExpired: it has not ended in so many seconds.
        """
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("telcon", timeout or 0.0)
            os.close(self._ended)
            self.returncode = os.waitstatus_to_exitcode(_ask({"reap": self.pid}))
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the process, which is there until `wait` has returned."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self) -> tuple[str, str]:
        """Wait for its end; return what it printed."""
        errors: list[str] = []
        reading = threading.Thread(target=lambda: errors.append(_rest(self.stderr)))
        reading.start()
        printed = _rest(self.stdout)
        reading.join()
        self.wait()
        return printed, errors[0]


class WarmNode(DemoNode):
    """A node whose commands need not import telcon."""

    def _spawn(
        self, *arguments: str, own_session: bool = False, stderr: int | None = None
    ) -> Process:
        words = ["--data", str(self.folder), *arguments]
        return WarmProcess(words, own_session=own_session, stderr=stderr is not None)


def _pipe() -> tuple[TextIO, int]:
    ours, theirs = os.pipe()
    return os.fdopen(ours, encoding="utf-8"), theirs


def _rest(file: TextIO | None) -> str:
    if file is None:
        return ""
    with file:
        return file.read()


# -- the way to the process that forks

_LOCK = threading.Lock()


def _fork(arguments: list[str], out: int, error: int, *, own_session: bool) -> int:
    what = {"arguments": arguments, "own_session": own_session}
    return _ask(what | {"env": dict(os.environ), "cwd": os.getcwd()}, [out, error])


def _ask(request: dict[str, Any], files: list[int] | None = None) -> int:
    with _LOCK:
        way, _ = _server()
        socket.send_fds(way, [json.dumps(request).encode()], files or [])
        return int(way.recv(64))


@cache
def _server() -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-m", "fakes.warm", str(theirs.fileno())],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C reaches the tests alone
        )
    return ours, server


# -- the process that forks


def _serve(way: socket.socket) -> int:
    """Fork for each request until nobody is there to ask; return the exit status."""
    while True:
        data, files, _, _ = socket.recv_fds(way, MAX_OCTETS, 2)
        if not data:
            return 0
        request = json.loads(data)
        if "reap" in request:
            answer = os.waitpid(request["reap"], 0)[1]
        elif (answer := os.fork()) == 0:
            way.close()
            return _run(request, *files)
        for file in files:
            os.close(file)
        way.send(str(answer).encode())


def _run(request: dict[str, Any], out: int, error: int) -> int:
    from telcon.cli import main

    if request["own_session"]:
        os.setsid()
    for file, number in ((out, 1), (error, 2)):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    return main(request["arguments"])


def _import_all() -> None:
    import telcon

    for module in pkgutil.walk_packages(telcon.__path__, "telcon."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    gc.freeze()


if __name__ == "__main__":
    _import_all()
    sys.exit(_serve(socket.socket(fileno=int(sys.argv[1]))))
