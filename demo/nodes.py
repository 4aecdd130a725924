"""The two nodes of the demo: processes, set up with the commands that a person types."""

import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

READY = "ready"
STOP_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Party:
    """Who lives on one of the two nodes."""

    node: str
    organisation: str
    principal: str
    office: str
    host: str  # the browser's name for it: cookies ignore ports, so each node has its own


ARCADIA = Party(
    "arcadia.example", "Arcadia", "Adrian Rey", "President of Arcadia", "arcadia.localhost"
)
BOREALIS = Party(
    "borealis.example", "Borealis", "Elena Voss", "Chancellor of Borealis", "borealis.localhost"
)


class Process(Protocol):
    """What is asked of a command that runs, as `subprocess.Popen` does it."""

    @property
    def pid(self) -> int:
        """Process id."""

    @property
    def stdout(self) -> IO[str] | None:
        """What it prints."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its exit status."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal to it."""

    def kill(self) -> None:
        """End it at once."""

    def communicate(self) -> tuple[str, str]:
        """Wait for its end; return what it printed, and its errors if these were asked for."""


class DemoNode:
    """One node: its folder, its commands, its process."""

    def __init__(self, party: Party, folder: Path) -> None:
        """Use `folder`; `set_up` makes it if it is new."""
        self.party = party
        self.folder = folder
        self.web_port = 0
        self._process: Process | None = None

    def set_up(self, ports: list[int]) -> None:
        """Write settings with these four ports, unless the folder has some from an earlier run."""
        if (self.folder / "node.toml").exists():
            return
        web, link, pairing, media = ports
        self.telcon(
            "node", "init",
            "--name", self.party.node,
            "--organisation", self.party.organisation,
            "--principal", self.party.principal,
            "--office", self.party.office,
            "--web-host-name", self.party.host,
            "--web-port", str(web),
            "--link-port", str(link),
            "--pairing-port", str(pairing),
            "--media-port", str(media),
        )  # fmt: skip

    def start(self) -> None:
        """Start the node's process and wait until it says that it is ready."""
        # Ctrl-C reaches us alone; we end the nodes in order
        self._process = self._spawn("node", "run", own_session=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"page: http://[^:]+:(\d+)/", line):
                self.web_port = int(found[1])
            if line.strip().endswith(READY):
                return
        raise SystemExit(
            f"{self.party.node} did not start; it says why above. Its settings are in"
            f" {self.folder / 'node.toml'}.\n"
            f"To begin anew, without its calls: end every demo, then rm -r {self.folder.parent}"
        )

    def stop(self) -> int:
        """Ask the process to end and wait for it; return its exit status.

        One that does not end within `STOP_TIMEOUT_S` is killed and said: none stays behind.
        """
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            print(f"{self.party.node} did not end in {STOP_TIMEOUT_S} s; killed", file=sys.stderr)
            self._process.kill()
            return self._process.wait()
        finally:
            self._forget()

    def kill(self) -> None:
        """End the process at once, as a power cut would (kill -9)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._forget()

    @property
    def pid(self) -> int:
        """Process id of the running node."""
        assert self._process is not None
        return self._process.pid

    def _forget(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def telcon(self, *arguments: str) -> str:
        """Run one telcon command on this node's folder; return what it printed."""
        command = self._spawn(*arguments, stderr=subprocess.PIPE)
        printed, errors = command.communicate()
        if command.wait() != 0:
            raise SystemExit(f"telcon {' '.join(arguments)}: {errors or printed}")
        return printed

    def begin(self, *arguments: str) -> Process:
        """Start one telcon command that takes its time."""
        return self._spawn(*arguments)

    def sign_in_link(self) -> str:
        """Return a fresh one-time link for the principal."""
        return self.telcon("link", self.party.principal).strip()

    def _spawn(
        self, *arguments: str, own_session: bool = False, stderr: int | None = None
    ) -> Process:
        return subprocess.Popen(
            [*self._command(), *arguments],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=own_session,
        )

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "telcon.cli", "--data", str(self.folder)]


def pair(inviter: DemoNode, accepter: DemoNode, invitation: Path) -> str:
    """Pair two running nodes by the code a person uses; return the six words."""
    invitation.unlink(missing_ok=True)
    inviting = inviter.begin("line", "invite", "--out", str(invitation))
    assert inviting.stdout is not None
    inviting.stdout.readline()  # says that the invitation is written
    theirs = _words(accepter.telcon("line", "accept", str(invitation)))
    ours = _words(inviting.communicate()[0])
    # Each side types what the *other* read out.
    inviter.telcon("line", "confirm", accepter.party.node, "--words", theirs)
    accepter.telcon("line", "confirm", inviter.party.node, "--words", ours)
    invitation.unlink()
    return ours


def _words(printed: str) -> str:
    found = re.search(r"^Words: (.+)$", printed, re.MULTILINE)
    if found is None:
        raise SystemExit(f"no words were shown:\n{printed}")
    return found[1]


def is_paired(node: DemoNode) -> bool:
    """Say whether the running node has a line already."""
    return "No line yet" not in node.telcon("line", "list")
