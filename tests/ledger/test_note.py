"""Signed notes and verifier keys: the worked ones, the grammar's edges, who is believed."""

import base64
from collections.abc import Callable

import pytest

from ledger.vectors import COSIGNED, LOG, LOG_KEY, MIRROR, MIRROR_KEY, SIGNED, VECTORS
from telcon.errors import MalformedError, MisuseError, SignatureError
from telcon.ledger import (
    ED25519,
    SigningKey,
    VerifierKey,
    add_signature_lines,
    cosign,
    format_signature_line,
    format_vkey,
    organisation,
    parse_note_untrusted,
    parse_vkey,
    sign_note,
    verify_note,
)
from telcon.ledger.note import key_id

NOTE = SIGNED[3]
TEXT, _, LINE = NOTE.partition(b"\n\n")
STRANGER = SigningKey(bytes(32))


def stranger_line(number: int) -> bytes:
    name = f"stranger{number}.example"
    return sign_note(b"text\n", name, STRANGER).rpartition(b"\n\n")[2]


@pytest.mark.parametrize("key", [LOG_KEY, MIRROR_KEY])
def test_verifier_keys_round_trip(key: VerifierKey) -> None:
    assert parse_vkey(format_vkey(key)) == key


def test_key_ids_are_the_worked_ones() -> None:
    assert LOG_KEY.key_id.hex() == VECTORS["keys"]["log"]["key_id_hex"]
    assert MIRROR_KEY.key_id.hex() == VECTORS["keys"]["mirror"]["key_id_hex"]


def test_signing_gives_the_worked_notes() -> None:
    for note in SIGNED.values():
        text = note.rpartition(b"\n\n")[0] + b"\n"
        assert sign_note(text, LOG_KEY.name, LOG) == note


def test_both_signatures_of_the_worked_note_verify() -> None:
    note = verify_note(parse_note_untrusted(COSIGNED), [LOG_KEY, MIRROR_KEY])
    assert [key for key, _ in note.verified] == [LOG_KEY, MIRROR_KEY]


BAD_VKEYS = {
    "another id": lambda v: v.replace("b0d65454", "b0d65455"),
    "upper-case id": lambda v: v.replace("b0d65454", "B0D65454"),
    "short id": lambda v: v.replace("b0d65454", "b0d654"),
    "no id": lambda v: v.replace("+b0d65454", ""),
    "no name": lambda v: v.partition("+")[2],
    "empty name": lambda v: v[v.index("+") :],
    "space in the name": lambda v: "a " + v,
    "url-safe base64": lambda v: v.replace("/zzhC", "_zzhC"),
    "stray bits": lambda v: v[:-1] + "5",
    "no padding": lambda v: v + "=",
    "line feed": lambda v: v + "\n",
    "long key": lambda v: v + "AAAA",
    "short key": lambda v: v[:-4],
    "key of another type's length": lambda _: (
        "borealis.example/mirror+"
        + key_id("borealis.example/mirror", 0x06, LOG.public).hex()
        + "+"
        + base64.b64encode(b"\x06" + LOG.public).decode()
    ),
    "nothing": lambda _: "",
}


@pytest.mark.parametrize("bend", BAD_VKEYS.values(), ids=BAD_VKEYS.keys())
def test_refuses_a_bent_verifier_key(bend: Callable[[str], str]) -> None:
    with pytest.raises(MalformedError):
        parse_vkey(bend(VECTORS["keys"]["log"]["vkey"]))


@pytest.mark.parametrize("text", VECTORS["weak_ed25519_public_keys_hex"])
def test_refuses_a_weak_verifier_key(text: str) -> None:
    with pytest.raises(MalformedError, match="weak"):
        VerifierKey("borealis.example/mirror", ED25519, bytes.fromhex(text))


@pytest.mark.parametrize("key_type", [0x00, 0x02, 0x05, 0xFF])
def test_refuses_other_key_types(key_type: int) -> None:
    with pytest.raises(MalformedError, match="not supported"):
        VerifierKey("a", key_type, LOG.public)


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\u2003b", "a\nb", "a\x00", "a\u0085b", "é" * 128, "\ud800"]
)
def test_refuses_names_that_cannot_name_a_key(name: str) -> None:
    with pytest.raises(MalformedError):
        VerifierKey(name, ED25519, LOG.public)


def test_a_name_may_have_255_octets() -> None:
    assert VerifierKey("é" * 127 + "a", ED25519, LOG.public).name.endswith("a")


BAD_NOTES = {
    "no signature": TEXT + b"\n",
    "empty signature part": TEXT + b"\n\n",
    "no empty line": TEXT + b"\n" + LINE,
    "no last line feed": NOTE[:-1],
    "trailing line feed": NOTE + b"\n",
    "carriage returns": NOTE.replace(b"\n", b"\r\n"),
    "tab": NOTE.replace(b"/line", b"\tline"),
    "zero byte": NOTE.replace(b"/line", b"\0line"),
    "not UTF-8 in the text": b"\xff" + NOTE,
    "not UTF-8 in a line": NOTE.replace("— ".encode(), "— ".encode() + b"\xff"),
    "overlong UTF-8": b"\xc1\x81" + NOTE,
    "hyphen for em dash": NOTE.replace("—".encode(), b"-"),
    "en dash": NOTE.replace("—".encode(), "–".encode()),
    "two spaces": NOTE.replace("— ".encode(), "—  ".encode()),
    "trailing space": NOTE[:-1] + b" \n",
    "no name": NOTE.replace("— arcadia.example/line/4b1d".encode(), "— ".encode()),
    "plus in the name": NOTE.replace("— arcadia.".encode(), "— arcadia+".encode()),
    "url-safe base64": NOTE.replace(b"+OyMOs8", b"-OyMOs8"),
    "stray bits": NOTE.replace(b"wQA=", b"wQB="),
    "no padding": NOTE.replace(b"wQA=", b"wQA"),
    "key id alone": NOTE[: NOTE.rindex(b" ") + 1] + base64.b64encode(b"abcd") + b"\n",
    "nothing": b"",
}


@pytest.mark.parametrize("data", BAD_NOTES.values(), ids=BAD_NOTES.keys())
def test_refuses_a_bent_note(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_note_untrusted(data)


def test_the_text_may_hold_empty_lines() -> None:
    text = b"one\n\ntwo\n\n\nthree\n"
    assert parse_note_untrusted(sign_note(text, "a", LOG)).text == text


def test_reads_back_the_exact_lines() -> None:
    lines = [format_signature_line(s) for s in parse_note_untrusted(COSIGNED).signatures]
    assert COSIGNED.endswith(b"\n\n" + b"".join(lines))


@pytest.mark.parametrize("count", [16, 100])
def test_accepts_many_signatures(count: int) -> None:
    note = add_signature_lines(NOTE, [stranger_line(n) for n in range(count - 1)])
    assert len(parse_note_untrusted(note).signatures) == count


def test_refuses_101_signatures() -> None:
    with pytest.raises(MalformedError, match="100"):
        add_signature_lines(NOTE, [stranger_line(n) for n in range(100)])


def test_a_note_may_have_one_mebioctet_and_no_more() -> None:
    rest = len(sign_note(b"\n", "a", LOG))
    note = sign_note(b"x" * (2**20 - rest) + b"\n", "a", LOG)
    assert len(note) == 2**20
    assert parse_note_untrusted(note)
    with pytest.raises(MalformedError, match="at most"):
        parse_note_untrusted(b"x" + note)


def test_unknown_keys_are_skipped() -> None:
    note = parse_note_untrusted(add_signature_lines(NOTE, [stranger_line(1)]))
    assert [key for key, _ in verify_note(note, [LOG_KEY]).verified] == [LOG_KEY]


def test_a_note_by_unknown_keys_alone_is_refused() -> None:
    with pytest.raises(SignatureError, match=r"no signature by borealis\.example/mirror"):
        verify_note(parse_note_untrusted(NOTE), [MIRROR_KEY])
    with pytest.raises(SignatureError):
        verify_note(parse_note_untrusted(NOTE), [])


def test_a_known_name_with_another_id_is_unknown() -> None:
    other = VerifierKey(LOG_KEY.name, ED25519, MIRROR.public)
    with pytest.raises(SignatureError, match="no signature by"):
        verify_note(parse_note_untrusted(NOTE), [other])


def test_a_known_key_that_fails_spoils_the_whole_note() -> None:
    note = parse_note_untrusted(COSIGNED.replace(b"c/y3Bg==", b"c/y3Bw=="))
    with pytest.raises(SignatureError, match="does not verify"):
        verify_note(note, [LOG_KEY, MIRROR_KEY])


def test_of_several_lines_by_one_key_the_first_counts() -> None:
    text = TEXT + b"\n"
    lines = [cosign(text, MIRROR_KEY.name, MIRROR, seconds) for seconds in (7, 8)]
    note = verify_note(parse_note_untrusted(add_signature_lines(NOTE, lines)), [MIRROR_KEY])
    assert [format_signature_line(signature) for _, signature in note.verified] == lines[:1]


def test_a_log_signature_is_no_cosignature_and_the_reverse() -> None:
    as_cosigner = VerifierKey(LOG_KEY.name, 0x04, LOG.public)
    with pytest.raises(SignatureError):
        verify_note(parse_note_untrusted(NOTE), [as_cosigner])


def test_two_equal_keys_given_are_misuse() -> None:
    with pytest.raises(MisuseError):
        verify_note(parse_note_untrusted(NOTE), [LOG_KEY, LOG_KEY])


@pytest.mark.parametrize("text", [b"", b"no line feed", b"a\tb\n", b"\xff\n", b"x" * 2**20 + b"\n"])
def test_signing_what_is_no_text_of_a_note_is_misuse(text: bytes) -> None:
    with pytest.raises(MisuseError):
        sign_note(text, "a", LOG)


def test_a_text_that_would_swallow_the_signature_is_misuse() -> None:
    with pytest.raises(MisuseError, match="ends in a line feed"):
        sign_note(NOTE[:-1], "a", LOG)


@pytest.mark.parametrize("line", [b"", b"\n", b"x\n", LINE[:-1], b"\n" + LINE, LINE + b"\n"])
def test_adding_what_is_no_signature_line_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedError):
        add_signature_lines(NOTE, [line])


def test_no_flipped_bit_of_a_cosigned_note_verifies_under_both_keys() -> None:
    refused = 0
    for bit in range(len(COSIGNED) * 8):
        flipped = bytearray(COSIGNED)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            note = verify_note(parse_note_untrusted(bytes(flipped)), [LOG_KEY, MIRROR_KEY])
        except (MalformedError, SignatureError):
            refused += 1
        else:
            refused += len(note.verified) < 2
    assert refused == len(COSIGNED) * 8


def test_the_organisation_is_what_is_before_the_first_slash() -> None:
    assert organisation("arcadia.example/line/4b1d") == "arcadia.example"
    assert organisation("arcadia.example") == "arcadia.example"
