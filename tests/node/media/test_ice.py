"""ICE: checks that are authentic are answered, and no others; nothing read from outside escapes."""

from __future__ import annotations

import contextlib

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from telcon.errors import MalformedError
from telcon.node.media.ice import (
    ControllingAgent,
    Credentials,
    LiteAgent,
    StunRouter,
    parse_stun_untrusted,
)
from telcon.node.media.mux import Address

HERE: Address = ("192.0.2.7", 5_000)
WRONG = b"not the password, long enough"


def joined() -> tuple[ControllingAgent, LiteAgent]:
    device, node = ControllingAgent(), LiteAgent()
    node.set_remote(device.local)
    device.remote = node.local
    return device, node


def sent(message: stun.Message) -> stun.Message:
    """Return `message` as the other end reads it."""
    return parse_stun_untrusted(bytes(message))


def a_check(username: str, password: bytes) -> stun.Message:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = username
    message.add_message_integrity(password)
    return sent(message)


def test_answers_an_authentic_check_with_the_address_it_came_from() -> None:
    device, node = joined()
    verdict = node.judge(sent(device.check()), HERE)
    answer = parse_stun_untrusted(verdict.answer)
    assert verdict.authentic
    assert verdict.nominates
    assert verdict.is_fresh
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == HERE
    assert device.is_answer(answer)


def test_answers_nothing_to_a_wrong_password() -> None:
    device, node = joined()
    verdict = node.judge(a_check(f"{node.local.ufrag}:{device.local.ufrag}", WRONG), HERE)
    assert not verdict.authentic
    assert verdict.answer == b""


def test_answers_nothing_to_a_check_without_integrity() -> None:
    device, node = joined()
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{node.local.ufrag}:{device.local.ufrag}"
    message.add_fingerprint()
    assert not node.judge(sent(message), HERE).authentic


@pytest.mark.parametrize("username", ["", "{us}", "{us}:", "{us}:other", "other:{them}"])
def test_answers_nothing_to_another_user_name(username: str) -> None:
    device, node = joined()
    name = username.format(us=node.local.ufrag, them=device.local.ufrag)
    assert not node.judge(a_check(name, node.local.password.encode()), HERE).authentic


def test_knows_a_check_that_comes_again() -> None:
    device, node = joined()
    check = sent(device.check())
    assert node.judge(check, HERE).is_fresh
    again = node.judge(check, ("192.0.2.66", 1))
    assert again.authentic
    assert not again.is_fresh


def test_the_old_credentials_hold_until_the_new_are_used() -> None:
    device, node = joined()
    old = device.check()
    device.restart()
    node.restart(device.local)
    assert node.judge(sent(old), HERE).authentic
    device.remote = node.local
    assert node.judge(sent(device.check()), HERE).authentic
    assert node.previous is None
    assert not node.judge(sent(old), HERE).authentic


def test_a_device_believes_only_a_signed_success() -> None:
    device, node = joined()
    check = device.check()
    forged = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, check.transaction_id)
    forged.add_fingerprint()
    assert not device.is_answer(sent(forged))
    forged.add_message_integrity(WRONG)
    assert not device.is_answer(sent(forged))
    error = stun.Message(stun.Method.BINDING, stun.Class.ERROR, check.transaction_id)
    error.add_message_integrity(node.local.password.encode())
    assert not device.is_answer(sent(error))


def test_a_device_cannot_check_before_the_answer() -> None:
    with pytest.raises(MalformedError):
        ControllingAgent().check()


class Receiver:
    def __init__(self) -> None:
        self.taken = 0

    def receive_stun(self, message: stun.Message, address: Address) -> bool:
        self.taken += 1
        return True


def test_routes_by_the_first_half_of_the_user_name() -> None:
    unknown: list[Address] = []
    router, receiver = StunRouter(unknown.append), Receiver()
    router.add("abcd", receiver)
    assert router.receive(bytes(a_check("abcd:efgh", WRONG)), HERE)
    assert not router.receive(bytes(a_check("efgh:abcd", WRONG)), HERE)
    assert (receiver.taken, unknown) == (1, [HERE])


def test_answers_who_was_here_no_more_and_calls_nobody_unknown_for_it() -> None:
    unknown: list[Address] = []
    router, receiver = StunRouter(unknown.append), Receiver()
    router.add("abcd", receiver)
    router.remove("abcd")
    router.remove("never")
    assert not router.receive(bytes(a_check("abcd:efgh", WRONG)), HERE)
    assert (receiver.taken, unknown) == (0, [])
    for number in range(1_024):
        router.add(str(number), receiver)
        router.remove(str(number))
    assert not router.receive(bytes(a_check("abcd:efgh", WRONG)), HERE)
    assert unknown == [HERE]


def test_routes_an_answer_once_to_whoever_asked() -> None:
    router, receiver = StunRouter(), Receiver()
    answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, bytes(12))
    answer.add_fingerprint()
    router.expect(bytes(12), receiver)
    assert router.receive(bytes(answer), HERE)
    assert not router.receive(bytes(answer), HERE)


def test_remembers_no_more_than_64_questions() -> None:
    router, receiver = StunRouter(), Receiver()
    for number in range(65):
        router.expect(number.to_bytes(12, "big"), receiver)
    first, last = (n.to_bytes(12, "big") for n in (0, 64))
    for transaction, taken in ((first, False), (last, True)):
        answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction)
        answer.add_fingerprint()
        assert router.receive(bytes(answer), HERE) is taken


def test_refuses_a_message_without_its_checksum() -> None:
    with pytest.raises(MalformedError):
        sent(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))


def test_refuses_other_methods_and_lengths() -> None:
    allocate = stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST)
    allocate.add_fingerprint()
    other = bytes(allocate)
    for data in (other, b"", bytes(19), bytes(20), other + bytes(1_300)):
        with pytest.raises(MalformedError):
            parse_stun_untrusted(data)


@pytest.mark.parametrize(
    "attributes",
    [
        "00060004fffefdfc",  # a user name that is not UTF-8
        "0006ffff",  # goes beyond its end
        "002400010a000000",  # a priority of one octet
        "00200004000100ff",  # an address cut short
        "0020000800090000" + "00000000",  # an address of no family
        "000900020400",  # an error cut short
        "8028000400000000",  # a wrong checksum
        "802a00080000000000000000" + "8022",  # ends within an attribute
    ],
)
def test_lets_only_the_one_error_out(attributes: str) -> None:
    body = bytes.fromhex(attributes)
    data = b"\x00\x01" + len(body).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + bytes(12) + body
    with contextlib.suppress(MalformedError):
        parse_stun_untrusted(data)


@given(st.data())
def test_any_changed_octet_is_malformed_or_not_authentic(data: st.DataObject) -> None:
    device, node = joined()
    check = bytearray(bytes(device.check()))
    at = data.draw(st.integers(0, len(check) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda v: v != check[at]))
    check[at] = value
    try:
        message = parse_stun_untrusted(bytes(check))
    except MalformedError:
        return
    if at < len(check) - 8 and message.message_class is stun.Class.REQUEST:
        # The last eight octets are the checksum, which stands behind what is signed.
        assert not node.judge(message, HERE).authentic


@given(st.binary(max_size=120))
def test_any_attributes_are_read_or_malformed(body: bytes) -> None:
    data = b"\x00\x01" + len(body).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + bytes(12) + body
    with contextlib.suppress(MalformedError):
        parse_stun_untrusted(data)


def test_a_password_does_not_show() -> None:
    credentials = Credentials.make()
    assert credentials.password not in repr(credentials)
