"""A record-keeper's keys as files."""

import pytest

from telcon.errors import MalformedError
from telcon.node.record.keepers import (
    format_keeper,
    format_private_key,
    parse_keeper_untrusted,
    parse_private_key_untrusted,
)
from telcon.node.record.sealing import PrivateKey

KEY = PrivateKey(bytes(range(96)))


def test_both_halves_are_read_as_they_were_written() -> None:
    public, private = format_keeper(KEY.reader), format_private_key(KEY)
    assert parse_keeper_untrusted(public) == KEY.reader
    assert parse_private_key_untrusted(private).to_bytes() == KEY.to_bytes()
    assert public.startswith(b"telcon record-keeper v1 " + KEY.reader.id.hex().encode() + b" ")
    assert public.count(b"\n") == private.count(b"\n") == 1


def test_any_other_spelling_is_refused() -> None:
    public, private = format_keeper(KEY.reader), format_private_key(KEY)
    for data in (
        b"",
        public[:-1],
        public + b"\n",
        public[:-9] + public[-5:],
        private,
        b"x" * 5_000,
    ):
        with pytest.raises(MalformedError):
            parse_keeper_untrusted(data)
    for data in (b"", private[:-1], private + b" ", private[:-9] + private[-5:], public):
        with pytest.raises(MalformedError):
            parse_private_key_untrusted(data)
    for at in range(0, len(public), 37):
        altered = bytearray(public)
        altered[at] ^= 1
        with pytest.raises(MalformedError):
            parse_keeper_untrusted(bytes(altered))
