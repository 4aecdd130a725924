"""Who can open a record, and who cannot."""

import pytest

from telcon.errors import MalformedError, SealedError
from telcon.node.record.sealing import (
    PRIVATE_BYTES,
    PUBLIC_BYTES,
    DataKey,
    PrivateKey,
    Reader,
)


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.generate()


def test_a_reader_opens_what_was_wrapped_to_it_in_its_context_alone(key: PrivateKey) -> None:
    sealed = key.reader.wrap(b"a data key", b"here")
    assert key.unwrap(sealed, b"here") == b"a data key"
    with pytest.raises(SealedError):
        key.unwrap(sealed, b"there")
    with pytest.raises(SealedError):
        PrivateKey.generate().unwrap(sealed, b"here")


def test_any_altered_octet_and_any_shorter_piece_is_refused(key: PrivateKey) -> None:
    sealed = key.reader.wrap(b"a data key", b"here")
    for at in (0, 500, 1_087, 1_088, 1_119, 1_120, len(sealed) - 1):
        altered = bytearray(sealed)
        altered[at] ^= 1
        with pytest.raises(SealedError):
            key.unwrap(bytes(altered), b"here")
    for size in (0, 31, 1_119, len(sealed) - 1):
        with pytest.raises(SealedError):
            key.unwrap(sealed[:size], b"here")


def test_keys_are_read_as_they_were_written_and_shown_to_nobody(key: PrivateKey) -> None:
    data = key.to_bytes()
    assert len(data) == PRIVATE_BYTES
    assert len(key.reader.public) == PUBLIC_BYTES
    again = PrivateKey(data)
    assert again.reader == key.reader
    assert again.unwrap(key.reader.wrap(b"x", b""), b"") == b"x"
    assert data.hex() not in repr(key)
    secret = DataKey.generate()
    assert secret.secret.hex() not in repr(secret)


@pytest.mark.parametrize("size", [0, 1, PUBLIC_BYTES - 1, PUBLIC_BYTES + 1])
def test_what_is_no_key_is_refused(size: int) -> None:
    with pytest.raises(MalformedError):
        Reader(bytes(size))
    with pytest.raises(MalformedError):
        PrivateKey(bytes(size))


def test_numbers_that_are_no_lattice_key_are_refused() -> None:
    with pytest.raises(MalformedError, match="no reader's public key"):
        Reader(b"\xff" * PUBLIC_BYTES)


def test_a_data_key_never_uses_a_nonce_twice_and_binds_the_place() -> None:
    key = DataKey.generate()
    first, second = key.seal(b"same", b"c"), key.seal(b"same", b"c")
    assert first != second
    assert key.open(0, first, b"c") == key.open(1, second, b"c") == b"same"
    for number, sealed, context in ((1, first, b"c"), (0, first, b"d"), (0, first[:-1], b"c")):
        with pytest.raises(MalformedError):
            key.open(number, sealed, context)
