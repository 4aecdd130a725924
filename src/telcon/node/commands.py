"""What the node's operator asks of it over the control socket; see `telcon.cli.line`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from telcon.core import draft as drafts
from telcon.core.entry import LineCoverage
from telcon.errors import InvitationError, MisuseError, OperatorError
from telcon.ledger import format_key_card, format_vkey, key_card_hash
from telcon.node.audit import AuditEvent
from telcon.node.control import Command, Progress
from telcon.node.destruction import destroy_record
from telcon.node.house_link import HouseLink
from telcon.node.introductions import Introductions
from telcon.node.line import now
from telcon.node.line_desk import LineDesk
from telcon.node.link.pairing import Paired
from telcon.node.noting import NOTED
from telcon.node.pairings import peer_name
from telcon.node.people import SignIn
from telcon.node.record.keepers import parse_keeper_untrusted
from telcon.node.record.sealing import Reader
from telcon.node.renewal import Renewal, require_renewable
from telcon.node.running import Audit
from telcon.node.settings import NodeSettings
from telcon.node.store import Store
from telcon.node.store.keepers import add_keeper, find_keepers, remove_keeper
from telcon.node.store.records import LineRecord

__all__ = ["Commands", "Host"]

Answer = Mapping[str, Any]

HELD_WITHIN_S = 5.0  # for the other node's signature to come and be stored, to be able to say so
TOLD_S = 10.0  # for the other node to sign that it knows of a renewal
RENEWED = "The keys of this line are renewed: line {line} takes its place."


class Host(Protocol):
    """The node, as its commands need it."""

    settings: NodeSettings
    sign_in: SignIn
    introductions: Introductions
    store: Store
    folder: Path
    web_port: int

    @property
    def audit(self) -> Audit:
        """Return what writes to the audit file."""

    @property
    def pairing_port(self) -> int:
        """Return the port of the pairing listener."""

    async def noted(self) -> None:
        """Wait until all acts stand in the house log."""

    def house_link(self, line: str) -> HouseLink:
        """Return what a line's two nodes tell each other of their house logs."""

    def desks(self) -> list[LineDesk]:
        """Return the lines, those in use last."""

    def renewal(self, line: str) -> Renewal:
        """Return a line's way to new keys without words."""

    def confirmed(self, record: LineRecord) -> None:
        """Run a line that was stored just now, and say so."""


class Commands:
    """The commands by name."""

    def __init__(self, node: Host) -> None:
        """Carry out what is asked of `node`."""
        self._node = node

    def by_name(self) -> Mapping[str, Command]:
        """Return every command."""
        return {
            "invite": self._invite,
            "accept": self._accept,
            "confirm": self._confirm,
            "lines": self._lines,
            "test": self._test,
            "freeze": self._freeze,
            "acknowledge": self._acknowledge,
            "renew": self._renew,
            "renew-unworded": self._renew_unworded,
            "link": self._sign_in_link,
            "sign-out": self._sign_out,
            "card": self._card,
            "keeper-add": self._keeper_add,
            "keeper-list": self._keeper_list,
            "keeper-remove": self._keeper_remove,
            "recorder": self._recorder,
            "record-destroy": self._record_destroy,
            "note": self._note,
            "trust-house": self._trust_house,
            "cover": self._cover,
        }

    # -- pairing

    async def _invite(self, request: Answer, progress: Progress) -> Answer:
        line = await self._invited(request, progress)
        return _words(await self._node.introductions.wait_accepted(line))

    async def _invited(self, request: Answer, progress: Progress) -> str:
        """Write an invitation; return its line."""
        out = Path(request["out"])
        node = self._node
        hosts = [address.rpartition(":")[0] for address in node.settings.link.addresses]
        if not hosts:
            raise InvitationError(
                "this node states no address at which it can be reached",
                advice="Set link.addresses in node.toml, or accept an invitation of theirs.",
            )
        addresses = tuple(f"{host}:{node.pairing_port}" for host in hosts)
        line = await node.introductions.invite(out, addresses)
        progress({"say": f"{out} written: hand it over. It works once, for ten minutes. Waiting …"})
        return line

    async def _renew(self, request: Answer, progress: Progress) -> Answer:
        """Invite to a new line, and announce it in the old one by the entry that freezes it."""
        desk = self._desk(request["peer"])
        require_renewable(desk)
        line = await self._invited(request, progress)
        await desk.freeze(RENEWED.format(line=line))
        await desk.line.wait_cosigned(TOLD_S)
        if desk.line.machine.waiting:
            progress({"say": f"{request['peer']} has not heard of it yet, and refuses until then."})
        return _words(await self._node.introductions.wait_accepted(line))

    async def _renew_unworded(self, request: Answer, progress: Progress) -> Answer:
        """Renew the keys as the old line vouches for the new ones, if the other side asks too."""
        desk = self._desk(request["peer"])
        identity = desk.line.identity
        line = await self._node.renewal(identity.line).ask(progress)
        return {"line": line, "peer": identity.peer_name}

    async def _accept(self, request: Answer, progress: Progress) -> Answer:
        return _words(await self._node.introductions.accept(request["invitation"]))

    async def _confirm(self, request: Answer, progress: Progress) -> Answer:
        record = await self._node.introductions.confirm(request["peer"], request["words"])
        self._node.confirmed(record)
        return {"line": record.line}

    # -- lines

    async def _lines(self, request: Answer, progress: Progress) -> Answer:
        waiting = self._node.introductions.waiting()
        return {
            "lines": [self._report(desk) for desk in self._node.desks()],
            "pairings": [{"peer": peer_name(one), "words": one.words} for one in waiting],
        }

    def _report(self, desk: LineDesk) -> Answer:
        """Return how a line stands."""
        machine, identity, view = desk.line.machine, desk.line.identity, desk.view()
        return {
            "line": identity.line,
            "peer": identity.peer_name,
            "up": view["up"],
            "since_us": view["since_us"],
            "frozen": view["frozen"],
            "broken": view["broken"],
            "forked": view["forked"],
            "noted": view["noted"],
            "previous": None if desk.succession is None else asdict(desk.succession),
            "wanted_by": self._node.renewal(identity.line).wanted_by,
            "own_size": machine.fold.size(identity.own_card.log.name),
            "cosigned": machine.cosigned_by_peer,
            "their_size": machine.fold.size(identity.peer_card.log.name),
        }

    async def _test(self, request: Answer, progress: Progress) -> Answer:
        return {"ms": round(await self._desk(request["peer"]).board.tester.test(), 1)}

    async def _freeze(self, request: Answer, progress: Progress) -> Answer:
        await self._desk(request["peer"]).freeze(_reason(request))
        return {}

    async def _acknowledge(self, request: Answer, progress: Progress) -> Answer:
        reason = _reason(request)
        stopped = [one for one in self._desks(request["peer"]) if one.evidence.is_open]
        for desk in stopped or [self._desk(request["peer"])]:
            await desk.evidence.acknowledge(reason)
            line = desk.line.identity.line
            self._node.audit(AuditEvent.LINE_ACKNOWLEDGED, line=line, reason=reason)
        return {}

    async def _card(self, request: Answer, progress: Progress) -> Answer:
        card = self._desk(request["peer"]).line.identity.own_card
        return {"card": format_key_card(card).decode(), "hash": key_card_hash(card).hex()}

    # -- records

    async def _keeper_add(self, request: Answer, progress: Progress) -> Answer:
        desk = self._desk(request["peer"])
        reader = parse_keeper_untrusted(request["keeper"].encode())
        line, now_us = desk.line.identity.line, now().utc_us
        added = await self._node.store.commit(
            lambda held: add_keeper(held, line, reader.public, now_us)
        )
        if added:
            fields = {"line": line, "keeper": reader.id.hex()}
            self._node.audit(AuditEvent.KEEPER_ADDED, **fields)
        return {"id": reader.id.hex(), "added": added}

    async def _keeper_list(self, request: Answer, progress: Progress) -> Answer:
        return {
            "keepers": [
                {
                    "peer": desk.line.identity.peer_name,
                    "line": desk.line.identity.line,
                    "id": reader.id.hex(),
                }
                for desk in self._node.desks()
                for reader in self._keepers(desk)
            ]
        }

    async def _keeper_remove(self, request: Answer, progress: Progress) -> Answer:
        desk = self._desk(request["peer"])
        line = desk.line.identity.line
        found = [one for one in self._keepers(desk) if one.id.hex() == request["id"]]
        if not found:
            raise OperatorError(
                f"{request['id']} keeps no records of the line to {request['peer']}",
                advice="See: telcon keeper list",
            )
        public = found[0].public
        await self._node.store.commit(lambda held: remove_keeper(held, line, public))
        self._node.audit(AuditEvent.KEEPER_REMOVED, line=line, keeper=request["id"])
        return {}

    def _keepers(self, desk: LineDesk) -> list[Reader]:
        line = desk.line.identity.line
        return [Reader(one) for one in self._node.store.read(lambda h: find_keepers(h, line))]

    async def _record_destroy(self, request: Answer, progress: Progress) -> Answer:
        call, reason, peer = request["call"], _reason(request), request["peer"]
        found = [
            desk
            for desk in self._node.desks()
            if call in desk.line.machine.fold.calls
            and peer in (None, desk.line.identity.peer_name, desk.line.identity.line)
        ]
        if not found:
            raise OperatorError(f"no call {call} here", advice="The timeline of a call names it.")
        if len(found) > 1:  # the other side picks the id: it may be one that another line has
            raise OperatorError(
                f"{len(found)} lines have a call {call}", advice="Name the line with --line."
            )
        is_said = await destroy_record(found[0].board.calls, self._node.folder, call, reason)
        self._node.audit(AuditEvent.RECORD_DESTROYED, call=call, reason=reason)
        return {"said": is_said}

    async def _recorder(self, request: Answer, progress: Progress) -> Answer:
        board = self._desk(request["peer"]).board
        running = board.calls.current()
        if running is None:
            raise OperatorError(
                f"no call with {request['peer']} is going on",
                advice="A recorder is switched in the call that it records.",
            )
        reason = None if request["reason"] is None else _reason(request)
        board.acts.switch_recorder(running.call, reason)
        return {"call": running.call}

    async def _cover(self, request: Answer, progress: Progress) -> Answer:
        line = self._desk(request["peer"]).line
        terms = line.machine.fold.line.terms.get(line.identity.peer_card.log.name)
        if terms is None or LineCoverage.TYPE not in terms.types:
            raise OperatorError(
                f"the node of {line.identity.peer_name} does not take statements of coverage",
                advice="It must have confirmed the line, and run a version that knows them.",
            )
        draft = drafts.line_coverage(
            request["since_us"],
            request["until_us"],
            tuple(tuple(span) for span in request["hours"]),
            (self._node.settings.principal,),
            tuple(request["modes"]),
        )
        held = await line.act(draft)
        return {"index": held.index, "held": await line.wait_held(held.index, HELD_WITHIN_S)}

    def _desks(self, peer: str) -> list[LineDesk]:
        """Return the lines to the node `peer`, or the one with that id."""
        desks = [(desk, desk.line.identity) for desk in self._node.desks()]
        return [desk for desk, named in desks if peer in (named.peer_name, named.line)]

    def _desk(self, peer: str) -> LineDesk:
        found = self._desks(peer)
        if not found:
            raise OperatorError(f"there is no line to {peer}", advice="See: telcon line list")
        return found[-1]

    async def _trust_house(self, request: Answer, progress: Progress) -> Answer:
        line = self._desk(request["peer"]).line.identity.line
        pins = await self._node.house_link(line).trust()
        return {"log": format_vkey(pins.log), "witness": format_vkey(pins.witness)}

    # -- what commands do by themselves

    async def _note(self, request: Answer, progress: Progress) -> Answer:
        event = request["event"]
        if event not in NOTED:
            raise MisuseError(f"{event} is not written by a command")
        self._node.audit(event, **request["fields"])
        await self._node.noted()
        return {}

    # -- people

    async def _sign_in_link(self, request: Answer, progress: Progress) -> Answer:
        node = self._node
        self._require_person(request["name"])
        secret = await node.sign_in.make_link()
        node.audit(AuditEvent.LINK_MADE)
        return {"link": f"{node.settings.web.address(node.web_port)}sign-in#{secret}"}

    async def _sign_out(self, request: Answer, progress: Progress) -> Answer:
        node = self._node
        self._require_person(request["name"])
        ended = await node.sign_in.sign_out_everywhere()
        node.audit(AuditEvent.SIGNED_OUT, sessions=ended)
        return {"sessions": ended}

    def _require_person(self, name: str) -> None:
        principal = self._node.settings.principal.name
        if name != principal:
            raise OperatorError(
                f"nobody here is called {name!r}",
                advice=f"The principal of this node is {principal!r}.",
            )


def _reason(request: Answer) -> str:
    reason = str(request["reason"]).strip()
    if not reason:
        raise OperatorError("no reason was given", advice="Say it in words; it stays in the log.")
    return reason


def _words(paired: Paired) -> Answer:
    return {"words": " ".join(paired.words), "peer": paired.peer_card.name}
