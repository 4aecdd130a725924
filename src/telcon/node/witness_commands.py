"""What the operator asks about witnesses over the control socket; see `telcon.cli.witness`."""

from collections.abc import Mapping
from typing import Any, Protocol

from telcon.errors import OperatorError
from telcon.ledger import format_vkey, parse_key_card, parse_vkey
from telcon.node.control import Command, Progress
from telcon.node.line_desk import LineDesk
from telcon.node.settings import NodeSettings
from telcon.node.store import StoreReader, witnesses
from telcon.node.store.records import LineRecord
from telcon.node.witnesses import Witnesses, WitnessReport
from telcon.node.witnessing import Witnessing

__all__ = ["WitnessCommands", "WitnessHost"]

Answer = Mapping[str, Any]


class WitnessHost(Protocol):
    """The node, as these commands need it."""

    settings: NodeSettings
    witnesses: Witnesses
    witnessing: Witnessing

    @property
    def store(self) -> StoreReader:
        """Return the node's store."""

    def desks(self) -> list[LineDesk]:
        """Return the lines, those in use last."""


class WitnessCommands:
    """The commands by name."""

    def __init__(self, node: WitnessHost) -> None:
        """Carry out what is asked of `node`."""
        self._node = node

    def by_name(self) -> Mapping[str, Command]:
        """Return every command."""
        return {
            "witness-key": self._key,
            "witness-admit": self._admit,
            "witness-list": self._list,
            "witness-dismiss": self._dismiss,
            "line-witness-add": self._line_add,
            "line-witness-list": self._line_list,
            "line-witness-remove": self._line_remove,
            "line-witness-need": self._line_need,
            "line-publish": self._publish,
        }

    # -- this node as a witness

    async def _key(self, request: Answer, progress: Progress) -> Answer:
        return {"vkey": format_vkey(self._node.witnessing.vkey)}

    async def _admit(self, request: Answer, progress: Progress) -> Answer:
        admitted = await self._node.witnessing.admit(request["vkey"])
        return {"origin": admitted.origin, "size": admitted.size}

    async def _list(self, request: Answer, progress: Progress) -> Answer:
        witnessing = self._node.witnessing
        kept = [one.origin for one in witnessing.refused()]
        logs = [
            {
                "origin": one.origin,
                "admitted": one.admitted,
                "size": one.size,
                "refused": kept.count(one.origin),
            }
            for one in witnessing.logs()
        ]
        return {"logs": logs}

    async def _dismiss(self, request: Answer, progress: Progress) -> Answer:
        await self._node.witnessing.dismiss(request["origin"])
        return {}

    # -- witnesses of our lines

    async def _line_add(self, request: Answer, progress: Progress) -> Answer:
        record = self._record(request["peer"])
        await self._node.witnesses.add(record, request["vkey"], request["url"])
        return {}

    async def _line_list(self, request: Answer, progress: Progress) -> Answer:
        record, node = self._record(request["peer"]), self._node
        public = node.store.read(lambda c: witnesses.find_public(c, record.line))
        found = [_witness(one) for one in node.witnesses.report(record)]
        needed = min(public.needed, len(found))
        return {"witnesses": found, "needed": needed, "published": public.published}

    async def _line_remove(self, request: Answer, progress: Progress) -> Answer:
        await self._node.witnesses.remove(self._record(request["peer"]), request["witness"])
        return {}

    async def _line_need(self, request: Answer, progress: Progress) -> Answer:
        await self._node.witnesses.need(self._record(request["peer"]), request["needed"])
        return {}

    async def _publish(self, request: Answer, progress: Progress) -> Answer:
        record = self._record(request["peer"])
        await self._node.witnesses.publish(record, published=request["published"])
        return {
            "path": f"/line/{record.line}/checkpoint",
            "vkey": format_vkey(parse_key_card(record.own_card).log),
            "listen": self._node.settings.public.listen,
        }

    def _record(self, peer: str) -> LineRecord:
        """Return the line to `peer` that is in use."""
        desks = [one for one in self._node.desks() if one.line.identity.peer_name == peer]
        if not desks:
            raise OperatorError(f"there is no line to {peer}", advice="See: telcon line list")
        line = desks[-1].line.identity.line
        return next(one for one in self._node.store.lines() if one.line == line)


def _witness(report: WitnessReport) -> Answer:
    newest = report.newest
    return {
        "name": parse_vkey(report.witness.vkey).name,
        "url": report.witness.url,
        "size": newest.size if newest else 0,
        "time_s": newest.time_s if newest else None,
        "trouble": report.trouble,
    }
