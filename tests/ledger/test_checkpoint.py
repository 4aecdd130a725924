"""Checkpoints: the worked ones, the strict grammar, and whose signature is demanded."""

import pytest

from fakes.tree import MemoryTree
from ledger.vectors import COSIGNED, ENTRIES, LOG, LOG_KEY, MIRROR, MIRROR_KEY, SIGNED
from telcon.errors import MalformedError, MisuseError, SignatureError
from telcon.ledger import (
    EMPTY_ROOT,
    Checkpoint,
    format_checkpoint,
    open_checkpoint,
    parse_checkpoint_untrusted,
    root_at,
    sign_checkpoint,
    sign_note,
)

TREE = MemoryTree(ENTRIES)
TEXT = SIGNED[3].partition(b"\n\n")[0] + b"\n"


@pytest.mark.parametrize("size", [0, 1, 3])
def test_signing_and_opening_give_the_worked_checkpoints(size: int) -> None:
    checkpoint = Checkpoint(LOG_KEY.name, size, root_at(size, TREE.read))
    assert sign_checkpoint(checkpoint, LOG) == SIGNED[size]
    assert open_checkpoint(SIGNED[size], LOG_KEY) == checkpoint


def test_opening_does_not_mind_further_signatures() -> None:
    assert open_checkpoint(COSIGNED, LOG_KEY).size == 3


BAD_TEXTS = {
    "plus": TEXT.replace(b"\n3\n", b"\n+3\n"),
    "minus": TEXT.replace(b"\n3\n", b"\n-3\n"),
    "leading zero": TEXT.replace(b"\n3\n", b"\n03\n"),
    "leading space": TEXT.replace(b"\n3\n", b"\n 3\n"),
    "underscore": TEXT.replace(b"\n3\n", b"\n3_0\n"),
    "arabic digit": TEXT.replace(b"\n3\n", "\n٣\n".encode()),
    "empty size": TEXT.replace(b"\n3\n", b"\n\n"),
    "size of 2^63": TEXT.replace(b"\n3\n", b"\n%d\n" % 2**63),
    "size of twenty digits": TEXT.replace(b"\n3\n", b"\n%d\n" % 10**19),
    "extension line": TEXT + b"extension\n",
    "extra empty line": TEXT + b"\n",
    "no last line feed": TEXT[:-1],
    "two lines": b"\n".join(TEXT.split(b"\n")[:2]) + b"\n",
    "carriage returns": TEXT.replace(b"\n", b"\r\n"),
    "short root": TEXT.replace(b"dDo=", b""),
    "long root": TEXT.replace(b"dDo=", b"dDoAAAA="),
    "stray bits": TEXT.replace(b"dDo=", b"dDp="),
    "url-safe root": TEXT.replace(b"/dDo=", b"_dDo="),
    "empty origin": TEXT[TEXT.index(b"\n") :],
    "space in the origin": b"a " + TEXT,
    "plus in the origin": b"a+" + TEXT,
    "origin of 256 octets": b"a" * (256 - TEXT.index(b"\n")) + TEXT,
    "empty tree with a root": TEXT.replace(b"\n3\n", b"\n0\n"),
    "not UTF-8": b"\xff" + TEXT,
    "nothing": b"",
}


@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=BAD_TEXTS.keys())
def test_refuses_a_bent_checkpoint(text: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_checkpoint_untrusted(text)


def test_takes_the_longest_origin_and_the_largest_size() -> None:
    checkpoint = Checkpoint("a" * 255, 2**63 - 1, EMPTY_ROOT)
    assert parse_checkpoint_untrusted(format_checkpoint(checkpoint)) == checkpoint


def test_refuses_a_checkpoint_of_another_origin_with_the_right_root() -> None:
    other = sign_checkpoint(Checkpoint("other.example/line/4b1d", 3, TREE.frontier.root()), LOG)
    with pytest.raises(SignatureError, match="not of arcadia"):
        open_checkpoint(other, LOG_KEY)


def test_refuses_an_origin_that_another_name_signed() -> None:
    with pytest.raises(SignatureError):
        open_checkpoint(sign_note(TEXT, "arcadia.example", LOG), LOG_KEY)


def test_refuses_the_right_name_with_another_key() -> None:
    with pytest.raises(SignatureError):
        open_checkpoint(sign_note(TEXT, LOG_KEY.name, MIRROR), LOG_KEY)


def test_a_mirror_key_opens_no_checkpoint() -> None:
    with pytest.raises(SignatureError):
        open_checkpoint(COSIGNED, MIRROR_KEY)


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("a", -1, EMPTY_ROOT),
        Checkpoint("a", 2**63, EMPTY_ROOT),
        Checkpoint("a", 1, b"short"),
        Checkpoint("a b", 1, EMPTY_ROOT),
    ],
)
def test_signing_what_is_no_checkpoint_is_misuse(checkpoint: Checkpoint) -> None:
    with pytest.raises(MisuseError):
        sign_checkpoint(checkpoint, LOG)
