"""A bad network for UDP, as a process of its own: loss, bursts, delay, cuts, changed addresses.

A busy test must not distort what the network does, so the datagrams never pass through the test's
own interpreter. What is lost follows from a printed seed and from nothing else.

    with UdpProxy(("127.0.0.9", 47000), ("127.0.0.1", 47000)) as proxy:
        proxy.set(Weather(loss=0.1, burst=3))
        proxy.rebind()

Each client gets a socket towards the target, so the target sees each as an address of its own.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

Place = tuple[str, int]
Way = Literal["up", "down"]

MOST_OCTETS = 2_048
REMEMBERED = 256  # datagrams of a client that `replay` sends again
START_S = 20.0
COMMANDS = 0  # standard input


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to datagrams."""

    loss: float = 0.0
    """Share of datagrams that are lost in the long run, 0 to below 1."""
    burst: float = 1.0
    """Mean length of a run of lost ones (Gilbert-Elliott, all lost in the bad state); 1: each
    for itself."""
    delay_s: float = 0.0
    jitter_s: float = 0.0
    """Each datagram takes `delay_s`, more or less by up to this; one may overtake another."""
    cut: bool = False
    """Nothing gets through, and nobody is told."""


FAIR = Weather()


class UdpProxy:
    """The test's side: starts the process, tells it what to do, ends it."""

    def __init__(self, listen: Place, target: Place, *, seed: int = 1) -> None:
        """Carry what comes to `listen` to `target` and back, in fair weather."""
        self.listen = listen
        print(f"udp proxy {listen} -> {target}, seed {seed}")
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps([listen, target, seed])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()  # it listens

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def set(
        self, weather: Weather, *, way: Way | None = None, clients: Sequence[int] | None = None
    ) -> None:
        """Let `weather` begin: on one way or both, for all clients or those with these ports."""
        self._tell(do="set", weather=asdict(weather), way=way, clients=clients)

    def rebind(self, clients: Sequence[int] | None = None, *, but: Sequence[int] = ()) -> None:
        """Let clients appear under new addresses, and no longer be reached under the old.

        All of them, or those with the ports `clients`, `but` those with these.
        """
        self._tell(do="rebind", clients=clients, but=but)

    def replay(self) -> int:
        """Send what clients sent last once more, from a strange address; return how many."""
        return int(self._tell(do="replay")["replayed"])

    def counts(self) -> dict[str, int]:
        """Return datagrams carried and lost: `up`, `up_lost`, `down`, `down_lost`, `stray`.

        `stray` are those that the target sent to an address that only `replay` has used.
        """
        return dict(self._tell(do="counts"))

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()  # what ends it
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _tell(self, **command: Any) -> dict[str, int]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], START_S)[0]:
            raise TimeoutError("the proxy does not answer")
        return dict(json.loads(self._process.stdout.readline()))


# What follows runs in the process.


@dataclass
class Sky:
    """One client's weather on one way."""

    random: random.Random
    weather: Weather = FAIR
    is_bad: bool = False

    def delay_s(self) -> float | None:
        """Return how long the next datagram takes; None if it is lost."""
        weather = self.weather
        if weather.cut or (weather.loss and self._loses()):
            return None
        spread = weather.jitter_s and self.random.uniform(-weather.jitter_s, weather.jitter_s)
        return max(0.0, weather.delay_s + spread)

    def _loses(self) -> bool:
        loss, burst = self.weather.loss, self.weather.burst
        if burst <= 1:
            return self.random.random() < loss
        # Chances to leave the bad state and to enter it, so that `loss` of the time is bad.
        leave = 1 / burst
        enter = leave * loss / (1 - loss)
        self.is_bad = self.random.random() < (1 - leave if self.is_bad else enter)
        return self.is_bad


@dataclass
class Client:
    """Somebody who sends through the proxy."""

    place: Place
    outside: socket.socket
    up: Sky
    down: Sky
    last: deque[bytes] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


class Carrier:
    """The loop of the process."""

    def __init__(self, listen: Place, target: Place, seed: int) -> None:
        self._target = target
        self._seed = seed
        self._inside = self._open(listen)
        self._stranger = self._open(("127.0.0.1", 0))
        self._clients: dict[Place, Client] = {}
        self._defaults: dict[str, Weather] = {"up": FAIR, "down": FAIR}
        self._chosen: list[tuple[Weather, Way | None, list[int] | None]] = []
        self._waiting: list[tuple[float, int, socket.socket, Place, bytes]] = []
        self._order = itertools.count()
        self._counts = {"up": 0, "up_lost": 0, "down": 0, "down_lost": 0, "stray": 0}

    def run(self) -> None:
        """Carry until standard input ends."""
        print("{}", flush=True)
        while True:
            outsides = {client.outside: client for client in self._clients.values()}
            sockets = {sock.fileno(): sock for sock in (self._inside, self._stranger, *outsides)}
            readable = select.select([COMMANDS, *sockets], [], [], self._pause_s())[0]
            if COMMANDS in readable:
                line = sys.stdin.readline()
                if not line:
                    return
                print(json.dumps(self._do(json.loads(line))), flush=True)
                continue  # sockets may be other ones now
            for descriptor in readable:
                sock = sockets[descriptor]
                self._drain(sock, outsides.get(sock))
            self._send_due()

    def _do(self, command: dict[str, Any]) -> dict[str, int]:
        match command:
            case {"do": "set", "weather": weather, "way": way, "clients": ports}:
                self._chosen.append((Weather(**weather), way, ports))
                for client in self._clients.values():
                    self._choose(client, self._chosen[-1:])
            case {"do": "rebind", "clients": ports, "but": but}:
                for client in self._clients.values():
                    if client.place[1] not in but and (ports is None or client.place[1] in ports):
                        client.outside.close()
                        client.outside = self._open(("127.0.0.1", 0))
            case {"do": "replay"}:
                last = [data for client in self._clients.values() for data in client.last]
                for data in last:
                    self._stranger.sendto(data, self._target)
                return {"replayed": len(last)}
            case {"do": "counts"}:
                return self._counts
        return {}

    def _choose(
        self, client: Client, chosen: list[tuple[Weather, Way | None, list[int] | None]]
    ) -> None:
        for weather, way, ports in chosen:
            if ports is None or client.place[1] in ports:
                if way != "down":
                    client.up.weather = weather
                if way != "up":
                    client.down.weather = weather

    def _drain(self, sock: socket.socket, client: Client | None) -> None:
        while True:
            try:
                data, place = sock.recvfrom(MOST_OCTETS)
            except BlockingIOError:
                return
            if sock is self._stranger:
                self._counts["stray"] += 1
            elif client is None:
                self._carry_up(data, place)
            else:
                self._carry("down", client.down, self._inside, client.place, data)

    def _carry_up(self, data: bytes, place: Place) -> None:
        client = self._clients.get(place)
        if client is None:
            number = len(self._clients)
            up, down = (random.Random(f"{self._seed} {number} {way}") for way in ("up", "down"))
            client = Client(place, self._open(("127.0.0.1", 0)), Sky(up), Sky(down))
            self._choose(client, self._chosen)
            self._clients[place] = client
        client.last.append(data)
        self._carry("up", client.up, client.outside, self._target, data)

    def _carry(self, way: Way, sky: Sky, sock: socket.socket, to: Place, data: bytes) -> None:
        self._counts[way] += 1
        delay_s = sky.delay_s()
        if delay_s is None:
            self._counts[f"{way}_lost"] += 1
        else:
            at = time.monotonic() + delay_s
            heapq.heappush(self._waiting, (at, next(self._order), sock, to, data))

    def _send_due(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, _, sock, to, data = heapq.heappop(self._waiting)
            if sock.fileno() >= 0:  # else the client has another address by now
                sock.sendto(data, to)

    def _pause_s(self) -> float | None:
        return max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None

    def _open(self, place: Place) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind(tuple(place))
        return sock


if __name__ == "__main__":
    listen_at, carry_to, with_seed = json.loads(sys.argv[1])
    Carrier(tuple(listen_at), tuple(carry_to), with_seed).run()
