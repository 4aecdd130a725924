"""Every target of `make fuzz` keeps its contract over its seeds and what is bent of them."""

import ast
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from fuzz.seeds import CORPUS, seeds
from fuzz.targets import TARGETS
from telcon.core.signals import HintSignal, format_signal, parse_hint_untrusted
from telcon.errors import MalformedError

ROOT = Path(__file__).parents[2]
SEEDS = seeds()
ROUNDS = 400
"""Bent inputs of each target: thousands in all, in seconds. For more there is `make fuzz`."""
PIECES = [
    b"",
    b"\0",
    b"\n",
    b"\n\n",
    b" ",
    b'"',
    b"\\u0000",
    b"\xff\xff",
    b"\x80",
    b"0",
    b"[",
    b"-1",
]


def bent(goods: list[bytes], random: Random) -> bytes:
    """Return a good input with up to three pieces cut out, doubled, flipped, or put in."""
    data = random.choice(goods)
    for _ in range(random.randint(1, 3)):
        start = random.randint(0, len(data))
        end = min(len(data), start + random.choice([0, 1, 1, 2, 8, 40]))
        other = random.choice(goods)
        at = random.randint(0, len(other))
        flipped = bytes(octet ^ 1 << random.randrange(8) for octet in data[start:end])
        piece = random.choice(
            [*PIECES, flipped, data[start:end] * 2, other[at : at + 20], random.randbytes(2)]
        )
        data = data[:start] + piece + data[end:]
    return data


def untrusted_readers() -> Iterator[str]:
    for path in (ROOT / "src" / "telcon").rglob("*.py"):
        for statement in ast.walk(ast.parse(path.read_text())):
            if isinstance(statement, ast.FunctionDef) and statement.name.endswith("_untrusted"):
                yield statement.name


def test_every_reader_of_foreign_bytes_is_a_target() -> None:
    tree = ast.parse((ROOT / "fuzz" / "targets.py").read_text())
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    readers = set(untrusted_readers())
    assert len(readers) > 20
    assert readers <= used


def test_the_corpus_is_what_its_script_writes() -> None:
    written = {
        folder.name: {file.name: file.read_bytes() for file in folder.iterdir()}
        for folder in CORPUS.iterdir()
    }
    assert written == SEEDS, "run `python -m fuzz.seeds`"


def test_every_target_has_seeds() -> None:
    assert SEEDS.keys() == TARGETS.keys()
    assert all(SEEDS.values())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_accepted_but_for_those_that_say_otherwise(name: str) -> None:
    for seed, data in SEEDS[name].items():
        assert TARGETS[name](data) == (seed != "refused"), seed


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_bent_is_accepted_or_refused_as_documented(name: str) -> None:
    target, goods = TARGETS[name], list(SEEDS[name].values())
    for seed in range(ROUNDS):
        print(f"seed {seed}")
        target(bent(goods, Random(seed)))


def test_a_hint_with_a_line_feed_behind_its_handle_is_refused() -> None:
    data = format_signal(HintSignal("mute", "00112233445566ff\n"))
    with pytest.raises(MalformedError):
        parse_hint_untrusted(data)
