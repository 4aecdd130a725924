import base64

import msgspec
import pytest

from node.link.pairs import LINE, NOW_US, Side, altered, invite, side
from telcon.errors import InvitationError, MalformedError, MisuseError
from telcon.node.link.addresses import parse_address
from telcon.node.link.invitation import (
    format_invitation,
    make_invitation,
    parse_invitation_untrusted,
)
from telcon.node.link.statement import format_statement, parse_statement_untrusted


@pytest.fixture(scope="module")
def arcadia(tmp_path_factory: pytest.TempPathFactory) -> Side:
    return side(tmp_path_factory.mktemp("a"), "arcadia.example", seed=1)


def test_a_statement_reads_back(arcadia: Side) -> None:
    data = format_statement(arcadia.statement)
    assert parse_statement_untrusted(data) == arcadia.statement
    assert arcadia.statement.certificate_der == arcadia.certificate.der
    heads = [data.index(f'"{member}"'.encode()) for member in MEMBERS]
    assert heads == sorted(heads)


MEMBERS = ("addresses", "principal", "terms", "previous", "certificate")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"previous"', b' "previous"'),
        (b'"previous":null', b'"previous":null,"more":1'),
        (b'"previous":null', b'"previous":null,"previous":null'),
        (b'"previous":null', b'"previous":["o",-1,"' + b"0" * 64 + b'"]'),
        (b'"previous":null', b'"previous":["o",9007199254740992,"' + b"0" * 64 + b'"]'),
        (b'"previous":null', b'"previous":["o",1,"' + b"A" * 64 + b'"]'),
        (b'"previous":null,', b""),
        (b'"mirror"', b'"both"'),
        (b'"conditions":[]', b'"conditions":["x"]'),
        (b'"go on"', b'"whatever"'),
        (b":7443", b":70000"),
        (b":7443", b""),
        (b'"certificate":"', b'"certificate":"!'),
        (b'"certificate":"', b'"certificate":"AAAA'),
        (b"A. Nother", b"\\ud800"),
        (b"A. Nother", b"\xff"),
    ],
)
def test_a_statement_has_one_spelling(arcadia: Side, old: bytes, new: bytes) -> None:
    data = format_statement(arcadia.statement)
    assert data.count(old) == 1
    with pytest.raises(MalformedError):
        parse_statement_untrusted(data.replace(old, new))


def test_every_shortened_statement_is_refused(arcadia: Side) -> None:
    data = format_statement(arcadia.statement)
    for end in range(len(data)):
        with pytest.raises(MalformedError):
            parse_statement_untrusted(data[:end])


def test_a_statement_over_the_limit_is_refused() -> None:
    with pytest.raises(MalformedError, match="at most"):
        parse_statement_untrusted(b" " * 16_385)


def test_hidden_bits_in_the_base64_are_refused(arcadia: Side) -> None:
    padded = base64.b64encode(
        arcadia.certificate.der + b"\0" * (3 - len(arcadia.certificate.der) % 3 + 1)
    )
    spoilt = padded.decode().replace("A=", "B=").replace("A==", "B==")
    statement = msgspec.structs.replace(arcadia.statement, certificate=spoilt)
    with pytest.raises(MisuseError):
        format_statement(statement)


def test_previous_names_a_log(arcadia: Side) -> None:
    previous = ("arcadia.example/line/" + LINE, 7, "0" * 64)
    statement = msgspec.structs.replace(arcadia.statement, previous=previous)
    assert parse_statement_untrusted(format_statement(statement)).previous == previous


def test_an_invitation_reads_back_and_hides_its_secret(arcadia: Side) -> None:
    invitation = invite(arcadia)
    data = format_invitation(invitation)
    assert parse_invitation_untrusted(data) == invitation
    assert parse_invitation_untrusted(b"\r\n " + data.replace(b",", b" ,\r\n")) == invitation
    assert invitation.secret not in repr(invitation)
    assert invitation.expires == NOW_US + 600_000_000


def test_two_invitations_differ_in_their_secret(arcadia: Side) -> None:
    assert invite(arcadia).secret != invite(arcadia).secret


def test_an_invitation_needs_a_card_and_says_what_the_card_says(arcadia: Side) -> None:
    invitation = make_invitation(
        arcadia.own.card, ("a.example:1",), now_us=0, random=lambda size: bytes(size)
    )
    assert (invitation.node, invitation.line) == ("arcadia.example", LINE)
    assert invitation.tls == arcadia.certificate.hash
    assert invitation.secret == "0" * 32


@pytest.mark.parametrize(
    "changes",
    [
        {"node": "Arcadia.example"},
        {"node": "arcadia/example"},
        {"line": "0" * 31},
        {"secret": "0" * 33},
        {"secret": "G" * 32},
        {"addresses": ()},
        {"addresses": ("nowhere",)},
        {"addresses": ("h:1",) * 17},
        {"keys": ""},
        {"tls": "A" * 64},
        {"expires": -1},
        {"expires": 2**53},
        {"invitation": "telcon invitation v2"},
    ],
)
def test_an_invitation_that_cannot_be_used_is_refused(
    arcadia: Side, changes: dict[str, object]
) -> None:
    with pytest.raises(InvitationError) as refused:
        parse_invitation_untrusted(format_invitation(altered(invite(arcadia), **changes)))
    assert "new invitation" in refused.value.advice()


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b" " * 9_000, b"[" * 5_000])
def test_what_is_no_invitation_is_refused(data: bytes) -> None:
    with pytest.raises(InvitationError):
        parse_invitation_untrusted(data)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("arcadia.example:7443", "arcadia.example", 7443),
        ("192.0.2.7:1", "192.0.2.7", 1),
        ("[2001:db8::1]:65535", "2001:db8::1", 65535),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:", ":1", "host:0", "host:01", "host:65536", "2001:db8::1:7", "a b:1", "h:1 ",
     "[]:1", "https://host:1", "h:١", "h:1\n"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_address(text)
