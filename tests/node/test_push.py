"""A ring reaches a browser that has no page open: one word, sealed, to a named service alone."""

import asyncio
import json
import ssl
import stat
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from fakes.push_service import POINT, Browser, PushService, octets, push_service, text64
from fakes.two_nodes import audited, two_nodes, until
from telcon.errors import MalformedError, NetworkError, OperatorError
from telcon.node import push as push_module
from telcon.node.people import SignIn
from telcon.node.posting import post
from telcon.node.push import Push
from telcon.node.push.sealing import seal
from telcon.node.push.subscription import is_service, parse_subscription_untrusted
from telcon.node.settings import PushSettings
from telcon.node.store import Store
from telcon.node.tasks import Tasks

CONTACT = "https://telcon.arcadia.example/"


class Rig:
    """One node's push, and a service that it may speak to."""

    def __init__(self, folder: Path, service: PushService, trusted: ssl.SSLContext) -> None:
        self.store = Store.open(folder)
        self.service = service
        self.tasks = Tasks()
        self.events: list[tuple[str, dict[str, object]]] = []
        self.now_us = 1_000_000
        self.sign_in = SignIn(self.store, lambda size: bytes(range(size)), lambda: self.now_us)
        self.push = Push(
            folder / "keys",
            (service.place,),
            self.store,
            session=self._number,
            audit=lambda event, **fields: self.events.append((event, fields)),
            spawn=self.tasks.spawn,
            contact=lambda: CONTACT,
            trusted=trusted,
            after_s=0,
        )

    async def session(self, number: int = 0) -> str:
        self.sign_in._random = lambda size: bytes((number,)) * size
        return await self.sign_in.redeem(await self.sign_in.make_link())

    async def on(self, browser: Browser, number: int = 0) -> str:
        token = await self.session(number)
        await self.push.turn_on(token, browser.stated())
        return token

    def _number(self, token: str) -> int | None:
        session = self.sign_in.session(token)
        return session.number if session else None


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    async with push_service(folder) as (service, trusted):
        made = Rig(folder, service, trusted)
        try:
            yield made
        finally:
            await made.tasks.cancel()
            await made.store.close()


def run(folder: Path, test: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with rig(folder) as made:
            await test(made)

    asyncio.run(main())


def test_sealing_is_that_of_the_rfcs_example() -> None:
    # RFC 8291, Appendix A
    own = ec.derive_private_key(
        int.from_bytes(octets("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big"),
        ec.SECP256R1(),
    )
    sealed = seal(
        b"When I grow up, I want to be a watermelon",
        octets(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx"
            "aOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ),
        octets("BTBZMqHH6r4Tts7J_aSIgg"),
        own,
        octets("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert text64(sealed) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
        "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
        "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_a_ring_is_one_sealed_word_signed_by_the_nodes_key(tmp_path: Path) -> None:
    async def test(it: Rig) -> None:
        browser = it.service.browser()
        await it.on(browser)
        it.push.ringing({"c1"})
        await it.service.wait(1)
        (sent,) = it.service.sent
        assert sent.target == "POST /send/one?secret=of-one HTTP/1.1"
        assert browser.open(sent.body) == b"ring"
        assert sent.claims(it.push.key(), it.service.origin)["sub"] == CONTACT
        assert sent.headers["ttl"] == "45"
        assert sent.headers["urgency"] == "high"

    run(tmp_path, test)


def test_two_rings_look_alike_to_the_service_but_for_their_salt(tmp_path: Path) -> None:
    async def test(it: Rig) -> None:
        await it.on(it.service.browser())
        it.push.ringing({"c1"})
        await it.service.wait(1)
        it.push.ringing({"c2"})
        await it.service.wait(2)
        one, other = (sent.body for sent in it.service.sent)
        assert len(one) == len(other)
        assert one != other

    run(tmp_path, test)


def test_who_has_a_page_open_is_not_woken_until_it_is_gone(tmp_path: Path) -> None:
    async def test(it: Rig) -> None:
        token = await it.on(it.service.browser("here"), 1)
        await it.on(it.service.browser("away"), 2)
        gone = it.push.present(token)
        it.push.ringing({"c1"})
        await it.service.wait(1)
        assert "away" in it.service.sent[0].target
        gone()  # a phone that was put to sleep while it rang
        await it.service.wait(2)
        assert "here" in it.service.sent[1].target

    run(tmp_path, test)


def test_a_ring_that_was_taken_back_wakes_nobody(tmp_path: Path) -> None:
    async def test(it: Rig) -> None:
        await it.on(it.service.browser())
        it.push.ringing({"slip"})
        it.push.ringing(())
        it.push.ringing({"meant"})
        await it.service.wait(1)
        await it.tasks.wait()
        assert len(it.service.sent) == 1

    run(tmp_path, test)


@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_is_gone_is_forgotten(tmp_path: Path, status: int) -> None:
    async def test(it: Rig) -> None:
        it.service.answer = f"HTTP/1.1 {status} Gone\r\nContent-Length: 0\r\n\r\n".encode()
        token = await it.on(it.service.browser())
        it.push.ringing({"c1"})
        await it.service.wait(1)
        await it.tasks.wait()
        assert not it.push.is_on(token)
        assert it.events[-1][0] == "audit.push.turned-off"

    run(tmp_path, test)


def test_a_service_that_refuses_is_tried_again_and_then_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_module, "TRIES_S", (0.0, 0.0, 0.0))

    async def test(it: Rig) -> None:
        it.service.answer = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
        await it.on(it.service.browser())
        it.push.ringing({"c1"})
        await it.service.wait(3)
        await it.tasks.wait()
        assert it.events[-1] == (
            "audit.push.failed",
            {"session": 1, "service": it.service.place, "why": "status 500"},
        )

    run(tmp_path, test)


def test_no_redirect_is_followed(tmp_path: Path) -> None:
    async def test(it: Rig) -> None:
        place = f"Location: {it.service.origin}/other\r\n"
        it.service.answer = f"HTTP/1.1 307 There\r\n{place}Content-Length: 0\r\n\r\n".encode()
        browser = it.service.browser()
        context = it.push._trusted
        assert context is not None
        assert (await post(browser.endpoint, {}, b"", context)).status == 307
        assert it.service.connections == 1

    run(tmp_path, test)


def test_an_answer_without_end_is_cut(tmp_path: Path) -> None:
    async def test(it: Rig) -> None:
        it.service.answer = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000
        context = it.push._trusted
        assert context is not None
        with pytest.raises(NetworkError):
            await post(it.service.browser().endpoint, {}, b"", context)

    run(tmp_path, test)


def test_a_service_with_another_certificate_is_told_nothing(tmp_path: Path) -> None:
    async def test(it: Rig) -> None:
        with pytest.raises(NetworkError, match="certificate"):
            await post(it.service.browser().endpoint, {}, b"", ssl.create_default_context())
        assert it.service.sent == []

    run(tmp_path, test)


def test_a_signed_out_browser_is_woken_no_more(tmp_path: Path) -> None:
    async def test(it: Rig) -> None:
        token = await it.on(it.service.browser(), 1)
        await it.sign_in.sign_out(token)
        await it.on(it.service.browser("other"), 2)
        it.push.ringing({"c1"})
        await it.service.wait(1)
        await it.tasks.wait()
        assert ["other" in sent.target for sent in it.service.sent] == [True]

    run(tmp_path, test)


def test_of_many_browsers_the_newest_are_kept(tmp_path: Path) -> None:
    async def test(it: Rig) -> None:
        tokens = [
            await it.on(it.service.browser(f"b{number}"), number)
            for number in range(1, push_module.MAX_BROWSERS + 2)
        ]
        assert [it.push.is_on(token) for token in tokens].count(True) == push_module.MAX_BROWSERS
        assert not it.push.is_on(tokens[0])

    run(tmp_path, test)


def test_what_is_written_down_names_the_service_and_no_secret(tmp_path: Path) -> None:
    async def test(it: Rig) -> None:
        token = await it.on(it.service.browser())
        await it.push.turn_off(token)
        assert [event for event, _ in it.events] == [
            "audit.push.turned-on",
            "audit.push.turned-off",
        ]
        assert "secret=of-one" not in str(it.events)
        assert it.service.place in str(it.events)

    run(tmp_path, test)


def test_the_key_is_made_once_and_for_the_nodes_user_alone(tmp_path: Path) -> None:
    async def test(it: Rig) -> None:
        public = it.push.key()
        assert stat.S_IMODE((tmp_path / "keys" / "push.pem").stat().st_mode) == 0o600
        assert push_module.VapidKey.load_or_make(tmp_path / "keys").public == public

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("service", "allowed"),
    [
        ("push.example:443", "push.example"),
        ("push.example:8443", "push.example:8443"),
        ("eu1.push.example:443", "*.push.example"),
    ],
)
def test_a_named_service_is_spoken_to(service: str, allowed: str) -> None:
    assert is_service(service, allowed)


@pytest.mark.parametrize(
    ("service", "allowed"),
    [
        ("push.example.evil:443", "push.example"),
        ("push.example:8443", "push.example"),
        ("push.example:443", "*.push.example"),
        ("evilpush.example:443", "*.push.example"),
        ("127.0.0.1:443", "push.example"),
    ],
)
def test_another_service_is_not(service: str, allowed: str) -> None:
    assert not is_service(service, allowed)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest",
        "https://push.example:8443/x",
        "https://push.example.evil.example/x",
    ],
)
def test_an_address_of_no_named_service_is_refused(endpoint: str) -> None:
    with pytest.raises(OperatorError, match="does not speak"):
        parse_subscription_untrusted(Browser(endpoint).stated(), ("push.example",))


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example/x",
        "https://push.example@evil.example/x",
        "https://push.example:0/x",
        "https://push.example:x/x",
        "https://push.example/\r\nHost: evil",
        "https://push.example\\@evil.example/x",
        "https:///x",
        "file:///etc/passwd",
        "https://push.example/" + "x" * 1_024,
    ],
)
def test_an_address_that_is_read_in_two_ways_is_refused(endpoint: str) -> None:
    with pytest.raises(MalformedError):
        parse_subscription_untrusted(Browser(endpoint).stated(), ("push.example", "*.example"))


@pytest.mark.parametrize(
    "change",
    [
        {"p256dh": text64(b"\x04" + bytes(64))},
        {"p256dh": "short"},
        {"auth": text64(bytes(15))},
        {"auth": 7},
    ],
)
def test_keys_that_are_none_are_refused(change: dict[str, object]) -> None:
    stated = json.loads(Browser("https://push.example/x").stated())
    stated["keys"] |= change
    with pytest.raises(MalformedError):
        parse_subscription_untrusted(json.dumps(stated).encode(), ("push.example",))


def test_a_ring_over_a_line_wakes_the_far_principal_and_its_end_stops_that(tmp_path: Path) -> None:
    async def main() -> None:
        async with push_service(tmp_path) as (service, trusted), two_nodes(tmp_path) as both:
            node = both.borealis
            object.__setattr__(node.settings, "push", PushSettings((service.place,)))
            node.push = node._push()
            node.push._trusted, node.push._after_s = trusted, 0
            token = await node.sign_in.redeem(await node.sign_in.make_link())
            browser = service.browser()
            await node.push.turn_on(token, browser.stated())
            caller = both.phone(both.arcadia)
            call = await caller.ring()
            await service.wait(1)
            assert browser.open(service.sent[0].body) == b"ring"
            await caller.do("cancel", call=call)
            await until(lambda: not node.push or not node.push._rings)
            assert audited(node, "audit.push.turned-on")

    asyncio.run(main())


def test_the_point_of_a_browser_is_65_octets() -> None:
    browser = Browser("https://push.example/x")
    key = browser.key.public_key().public_bytes(*POINT)
    assert parse_subscription_untrusted(browser.stated(), ("push.example",)).key == key
