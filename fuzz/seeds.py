"""The good inputs that each target begins with: `python -m fuzz.seeds` writes them to corpus/.

They come from the project's own encoders and vectors, and are the same each time; a test compares.
All are accepted but those named `refused`. What a target gets is what its reader gets, with these
exceptions: `bundle` and `ogg_page` have an octet in front (the width less one; the offset),
`tiled_log` a size and a root, `witness_answer` a status; a pairing is a row of frames, `stated` and
`renewed` are a card and a statement, each piece after its length.
"""

import base64
import json
import shutil
from pathlib import Path
from typing import Any, Final

import msgspec
from aioice import stun

from fuzz.known import (
    ARCADIA,
    BOREALIS,
    CHECKPOINT,
    CHECKPOINT_TEXT,
    COSIGNATURE,
    COSIGNED,
    ENTRIES,
    INVITATION,
    LINE,
    ML_DSA_KEY,
    ML_DSA_LINE,
    ML_DSA_NOTE,
    NEXT_BOREALIS,
    NEXT_LINE,
    NOW_US,
    POLICY,
    RECEIPT,
    SIGNED,
    read_hash,
)
from fuzz.targets import CREDENTIALS
from telcon.core.frames import (
    AskLast,
    Contradiction,
    Cosigned,
    Evidence,
    Fetch,
    Frame,
    Hello,
    Last,
    Push,
    Refill,
    Refused,
    Second,
    Seconded,
    SentOpening,
    Signal,
    format_frame,
)
from telcon.core.house import (
    Detail,
    compose_act,
    compose_blank,
    compose_opened,
    format_details,
    house_origin,
)
from telcon.core.seal import (
    Media,
    Opening,
    Person,
    Persons,
    Text,
    format_media,
    format_person,
    format_persons,
    format_text,
)
from telcon.core.signals import (
    RENEW_S,
    AskSignal,
    GiveSignal,
    HintSignal,
    HouseAnswerSignal,
    HouseAskSignal,
    HouseSignal,
    RecorderSignal,
    RenewCardSignal,
    RenewHashSignal,
    RenewSignal,
    ReturnedSignal,
    ReturnSignal,
    TrunkSignal,
    format_signal,
)
from telcon.errors import InvitationRefusal
from telcon.ledger import (
    EMPTY_ROOT,
    Checkpoint,
    Group,
    Policy,
    SigningKey,
    TlogProof,
    VerifierKey,
    Witness,
    consistency_proof,
    format_bundle,
    format_checkpoint,
    format_path,
    format_policy,
    format_tlog_proof,
    format_vkey,
    leaf_hash,
    log_files,
)
from telcon.ledger.fork import MAX_PATH_HASHES
from telcon.ledger.note import COSIGNATURE_ED25519
from telcon.ledger.witness import format_submission
from telcon.node.link.invitation import format_invitation
from telcon.node.link.pairing import AccepterMachine, InviterMachine, OwnSide
from telcon.node.media.oggopus import OggOpusWriter
from telcon.node.media.rtcp import (
    Goodbye,
    Nack,
    PathCheck,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TakesRedundancy,
    format_rtcp,
)
from telcon.node.media.rtp import RtpPacket, format_rtp
from telcon.node.media.sdp import (
    Answer,
    AnswerSection,
    Offer,
    OfferSection,
    RedFormat,
    format_answer,
    format_offer,
)
from telcon.node.proof.layout import (
    AbsenceAccount,
    CoverageAccount,
    ExcerptAccount,
    SpanAccount,
    Summary,
    SummaryEntry,
    SummaryRecording,
    format_account,
    format_openings,
    format_summary,
    format_sums,
)
from telcon.node.proof.leaves import ShownPiece, format_leaves, parse_leaf_untrusted
from telcon.node.record.chunks import RETURNED, format_leaf
from telcon.node.record.keepers import format_keeper, format_private_key
from telcon.node.record.sealing import PrivateKey
from telcon.web import asks

__all__ = ["CORPUS", "seeds"]

CORPUS: Final = Path(__file__).parent / "corpus"

_VECTORS = Path(__file__).parents[1] / "tests" / "vectors"
_CALL = "c0ffee" + "0" * 26
_HASH = "ab" * 32
_PERSON = Person(lang="en", name="Ada Example", office="President", organisation="Arcadia")
_NAMES = ("arcadia.example", "borealis.example")
_WORDS = Text(lang="fr", text='demain à midi, "sans faute"')

Files = dict[str, bytes]


def seeds() -> dict[str, Files]:
    """Return the good inputs of every target, by name."""
    return _ledger() | _core() | _pairing() | _media() | _outer()


def write(folder: Path) -> None:
    """Put the corpus into `folder`, and nothing else."""
    if folder.exists():
        shutil.rmtree(folder)
    for target, files in seeds().items():
        (folder / target).mkdir(parents=True)
        for name, data in files.items():
            (folder / target / name).write_bytes(data)


def _numbered(inputs: list[bytes]) -> Files:
    return {f"{number:02}": data for number, data in enumerate(inputs)}


def _ledger() -> dict[str, Files]:
    keys = {"log": ARCADIA.card.log, "mirror": BOREALIS.card.mirror, "ml-dsa": ML_DSA_KEY}
    receipt = format_tlog_proof(RECEIPT)
    submissions = {
        "first": format_submission(0, (), SIGNED),
        "grown": format_submission(1, consistency_proof(1, 3, read_hash), SIGNED),
        "same": format_submission(3, (), COSIGNED),
    }
    return {
        "vkey": {name: format_vkey(key).encode() for name, key in keys.items()},
        "key_card": {"arcadia": ARCADIA.own.card, "borealis": BOREALIS.own.card},
        "note": {
            "signed": SIGNED,
            "cosigned": COSIGNED,
            "empty-lines": b"\n\n" + SIGNED,
            "ml-dsa": ML_DSA_NOTE + ML_DSA_LINE,
        },
        "signature_lines": {"one": COSIGNATURE, "two": COSIGNED[len(CHECKPOINT_TEXT) + 1 :]},
        "checkpoint": {
            "three": CHECKPOINT_TEXT,
            "empty": format_checkpoint(Checkpoint(CHECKPOINT.origin, 0, EMPTY_ROOT)),
        },
        "claim": {"three": CHECKPOINT_TEXT, "other-root": _other_empty_tree()},
        "signed_checkpoint": {"signed": SIGNED, "cosigned": COSIGNED},
        "cosignature": {"mirror": COSIGNATURE},
        "ml_dsa_cosignature": {"mirror": ML_DSA_LINE},
        "policy": {
            "mirror": format_policy(POLICY),
            "quorum": format_policy(_policy_of_many()),
            "either": format_policy(_policy_of_either_kind()),
            "comments": b"# a line\n\n" + format_policy(POLICY).replace(b" ", b"\t "),
        },
        "path": {"two": format_path([bytes(32), bytes([1]) * 32]), "most": _longest_path()},
        "receipt": {
            "worked": receipt,
            "extra": format_tlog_proof(
                TlogProof(RECEIPT.index, RECEIPT.hashes, SIGNED, b"anything")
            ),
        },
        "proven_receipt": {"worked": receipt},
        "submission": submissions,
        "witness_decision": submissions,
        "witness_answer": {
            "cosigned": (200).to_bytes(2) + COSIGNATURE,
            "others-too": (200).to_bytes(2) + COSIGNED[len(CHECKPOINT_TEXT) + 1 :],
            "size": (409).to_bytes(2) + b"2\n",
            "conflict": (409).to_bytes(2),
            "reason": (422).to_bytes(2) + b"two roots\n",
        },
        "bundle": {
            "three": bytes((2,)) + format_bundle(ENTRIES),
            "full": bytes((255,)) + format_bundle([b"", *[b"x"] * 255]),
        },
        "tiled_log": {"three": _tiled_log(), "empty": bytes(2) + EMPTY_ROOT},
    }


def _longest_path() -> bytes:
    return format_path([bytes([number]) * 32 for number in range(MAX_PATH_HASHES)])


def _other_empty_tree() -> bytes:
    return format_checkpoint(Checkpoint(CHECKPOINT.origin, 0, CHECKPOINT.root))


def _policy_of_many() -> Policy:
    witnesses = [
        Witness(f"w{n}", _witness_key(n), url=f"https://witness-{n}.example/") for n in range(3)
    ]
    groups = (Group("some", 2, ("w0", "w1")), Group("all", 2, ("some", "w2")))
    return Policy(ARCADIA.card.log, tuple(witnesses), groups, "all", "https://arcadia.example/log")


def _policy_of_either_kind() -> Policy:
    witnesses = (Witness("ed", BOREALIS.card.mirror), Witness("ml", ML_DSA_KEY))
    other = ARCADIA.card.log_ml_dsa
    assert other is not None
    groups = (Group("either", 1, ("ed", "ml")),)
    return Policy(ARCADIA.card.log, witnesses, groups, "either", other_logs=(other,))


def _witness_key(number: int) -> VerifierKey:
    public = SigningKey(bytes([100 + number]) * 32).public
    return VerifierKey(f"witness-{number}.example", COSIGNATURE_ED25519, public)


def _tiled_log() -> bytes:
    files = dict(log_files(3, read_hash, lambda first, count: ENTRIES[first : first + count]))
    asked = ("tile/0/000.p/3", "tile/entries/000.p/3")  # first the tiles, then the bundles
    return (3).to_bytes(2) + CHECKPOINT.root + format_bundle([files[path] for path in asked])


def _core() -> dict[str, Files]:
    vectors: dict[str, list[Any]] = json.loads((_VECTORS / "entries.json").read_text("utf-8"))
    entries = [entry.encode() for entry in vectors["entries"]]
    later = b'{"type":"call.ring","v":2,"anything":true}'
    seals = {"person": format_person(_PERSON), "text": format_text(_WORDS)}
    frames = _frames(entries[:3], seals["person"])
    counted = {"push": frames["03"], "refill": frames["07"]}
    return {
        "entry": _numbered(entries),
        "stored_entry": {"opened": entries[0], "later": later},
        "person": {"ada": seals["person"]},
        "persons": {"two": format_persons(Persons((_PERSON, _PERSON)))},
        "text": {"escaped": seals["text"]},
        "media": {
            "ring": format_media(Media(_HASH, _HASH, _HASH)),
            "join": format_media(Media(_HASH, _HASH, "")),
        },
        "frame": frames,
        "frame_cost": counted,
        "trunk_signal": {
            "two": format_signal(
                TrunkSignal(bytes(range(44)), 0xABCDEF, [("192.0.2.1", 7000), ("2001:db8::1", 1)])
            )
        },
        "hint_signal": {
            "hang-up": format_signal(HintSignal("hang-up", "00112233445566ff")),
            "refused": format_signal(HintSignal("hang-up", "00112233445566ff\n")),
        },
        "keeper": {"public": format_keeper(PrivateKey(bytes(range(96))).reader)},
        "keeper_private": {"private": format_private_key(PrivateKey(bytes(range(96))))},
        "ask_signal": {
            "packets": format_signal(AskSignal(9, 1, False, [(0, 3), (7, 1)])),
            "leaves": format_signal(AskSignal(9, 255, True, [(0, 250)])),
        },
        "give_signal": {
            "packets": format_signal(GiveSignal(9, 1, [(3, 2880, b"\xf8abc")], [], 0, [(7, 1)])),
            "leaves": format_signal(GiveSignal(9, 1, [], [bytes(32)] * 2, 5, [])),
        },
        "return_signal": {"from": format_signal(ReturnSignal(1, 250))},
        "returned_signal": {
            "packets": format_signal(ReturnedSignal(1, 250, [(250, 240_000, b"\xf8abc")], True)),
            "none": format_signal(ReturnedSignal(1, 250, [], True)),
        },
        "recorder_signal": {
            "on": format_signal(RecorderSignal(True, 20)),
            "off": format_signal(RecorderSignal(False, None)),
        },
        "renew_signal": {
            "wish": format_signal(RenewSignal(RENEW_S)),
            "none": format_signal(RenewSignal(0)),
        },
        "renew_card_signal": {
            "card": format_signal(
                RenewCardSignal(NEXT_LINE, NEXT_BOREALIS.own.card, NEXT_BOREALIS.own.statement)
            ),
        },
        "renew_hash_signal": {"hash": format_signal(RenewHashSignal(NEXT_LINE, bytes(32)))},
    } | _house()


def _house() -> dict[str, Files]:
    log, witness = format_vkey(ARCADIA.card.log), format_vkey(ARCADIA.card.mirror)
    ask = format_submission(1, consistency_proof(1, 3, read_hash), SIGNED)
    nothing: dict[str, Detail] = {}
    known: dict[str, Detail] = {"line": LINE, "left_out": 7, "is": True, "none": None}
    origin = house_origin("arcadia.example", LINE)
    act = compose_act(
        "audit.web.signed-in", "principal", known, origin=origin, time_us=NOW_US, random=bytes
    )
    return {
        "house_signal": {
            "first": format_signal(HouseSignal(log, witness, b"")),
            "again": format_signal(HouseSignal(log, witness, COSIGNED)),
        },
        "house_ask_signal": {"grown": format_signal(HouseAskSignal(ask))},
        "house_answer_signal": {
            "cosigned": format_signal(HouseAnswerSignal(200, COSIGNATURE)),
            "size": format_signal(HouseAnswerSignal(409, b"2\n")),
        },
        "house_entry": {
            "opened": compose_opened(None, NOW_US, bytes),
            "renewed": compose_opened((origin, 64, bytes(32)), NOW_US, bytes),
            "act": act.data,
            "blank": compose_blank(NOW_US, bytes),
        },
        "house_details": {"some": act.opening.content, "none": format_details(nothing)},
    }


def _frames(entries: list[bytes], content: bytes) -> Files:
    opening = SentOpening(2, "person", bytes(32), content)
    frames: list[Frame] = [
        Hello(1, "arcadia.example", LINE, 3, 2, COSIGNED),
        AskLast(),
        Last(COSIGNED),
        Push(0, entries, [opening], SIGNED),
        Cosigned(3, COSIGNATURE),
        Refused("gap", 3, "the entries before it are missing"),
        Fetch(1),
        Refill(1, entries, [opening], True),
        Evidence(SIGNED, COSIGNED),
        Signal("hint", _CALL, b"\x80"),
        Contradiction(SIGNED, COSIGNED, [bytes(32), bytes([1]) * 32]),
        Second(ML_DSA_NOTE + ML_DSA_LINE),
        Seconded(3, ML_DSA_LINE),
    ]
    return _numbered([format_frame(frame) for frame in frames])


def _pairing() -> dict[str, Files]:
    inviter = InviterMachine(ARCADIA.nonce)
    accepter = AccepterMachine(INVITATION, BOREALIS.own, BOREALIS.nonce, now_us=NOW_US)
    to_inviter, to_accepter = accepter.frames_to_send(), []
    inviter.receive_frame(to_inviter[0])
    inviter.admit(ARCADIA.own)
    to_accepter += inviter.frames_to_send()
    accepter.receive_frame(to_accepter[0])
    to_inviter += accepter.frames_to_send()
    inviter.receive_frame(to_inviter[1])
    to_accepter += inviter.frames_to_send()
    refused = msgspec.msgpack.encode(["refused", "no", InvitationRefusal.USED])
    statements = {"arcadia": ARCADIA.own.statement, "borealis": BOREALIS.own.statement}
    return {
        "certificate": {"arcadia": ARCADIA.certificate, "borealis": BOREALIS.certificate},
        "statement": statements,
        "invitation": {"arcadia": format_invitation(INVITATION)},
        "stated": {"borealis": _stated(BOREALIS.own)},
        "renewed": {"borealis": _stated(NEXT_BOREALIS.own)},
        "pairing_inviter": {
            "whole": format_bundle(to_inviter),
            "refused": format_bundle([refused]),
        },
        "pairing_accepter": {
            "whole": format_bundle(to_accepter),
            "refused": format_bundle([refused]),
        },
    }


def _stated(side: OwnSide) -> bytes:
    return format_bundle([side.card, side.statement])


def _media() -> dict[str, Files]:
    file = _ogg_opus()
    first_page = file[: file.index(b"OggS", 1)]
    browsers = {path.stem: path.read_bytes() for path in sorted((_VECTORS / "sdp").glob("*.sdp"))}
    return {
        "stun": _stun(),
        "rtp": {
            "plain": format_rtp(RtpPacket(111, True, 7, 960, 0xABCD, b"\x78opus")),
            "all": bytes.fromhex("b1ef0007000003c00000abcd00000001bede000110ff0000")
            + b"\x78opus\x00\x00\x03",
        },
        "rtcp": _rtcp(),
        "red": {
            "chromium": bytes.fromhex("ef0f00036f") + b"\xf8aa\xf8bb",
            "trunk": bytes.fromhex("ef1e0003ef0f00036f") + b"\xf8aa\xf8bb\xf8cc",
            "alone": b"\x6f\xf8aa",
            "dvi4": bytes.fromhex("8702800405") + b"lpc-dvi4",
        },
        "sdp_offer": {"scripted": _offer().encode(), **browsers},
        "sdp_answer": {"node": _answer().encode()},
        "ogg_page": {"first": b"\x00" + first_page, "later": b"\x03abc" + first_page},
        "ogg_pages": {"file": file},
        "ogg_opus": {"file": file},
        "opus": {
            "one": b"\x78frame",
            "equal": b"\x79aabb",
            "unequal": b"\x7a\x01abb",
            "many": b"\x7b\x03aabbcc",
            "sizes": b"\x7b\x83\x01\x02abbccc",
            "padded": b"\x7b\x42\x02aabb\x00\x00",
            "lost": b"\x78",
        },
    }


def _stun() -> Files:
    check = stun.Message(
        stun.Method.BINDING,
        stun.Class.REQUEST,
        bytes(12),
        {
            "USERNAME": f"{CREDENTIALS.ufrag}:borealis",
            "PRIORITY": 1,
            "ICE-CONTROLLING": 7,
            "USE-CANDIDATE": None,
        },
    )
    answer = stun.Message(
        stun.Method.BINDING,
        stun.Class.RESPONSE,
        bytes(12),
        {"XOR-MAPPED-ADDRESS": ("2001:db8::1", 7000), "MAPPED-ADDRESS": ("192.0.2.1", 7000)},
    )
    refusal = stun.Message(
        stun.Method.BINDING,
        stun.Class.ERROR,
        bytes(12),
        {"ERROR-CODE": (487, "Role Conflict"), "SOFTWARE": "telcon"},
    )
    messages = {"check": check, "answer": answer, "refusal": refusal}
    for message in messages.values():
        message.add_message_integrity(CREDENTIALS.password.encode())
    return {name: bytes(message) for name, message in messages.items()}


def _rtcp() -> Files:
    block = ReportBlock(9, 1, -1, 2, 3, 4, 5)
    return {
        "sender": format_rtcp(
            [SenderReport(7, 1 << 40, 1, 2, 3, (block,)), SourceDescription(7, "node")]
        ),
        "receiver": format_rtcp([ReceiverReport(7, (block, block)), Goodbye((7, 8))]),
        "nack": format_rtcp([ReceiverReport(7), Nack(1, 2, (65_534, 0, 3))]),
        "path": format_rtcp([PathCheck(7, True, bytes(8))]),
        "redundancy": format_rtcp([ReceiverReport(7), TakesRedundancy(7, 2)]),
    }


def _offer() -> str:
    sections = [OfferSection("0", True, 111, 77)]
    sections += [OfferSection(str(number), False, 111, None) for number in range(1, 5)]
    offer = Offer(CREDENTIALS, bytes(range(32)), tuple(sections))
    return format_offer(offer, session_id=1, version=1)


def _answer() -> str:
    sections = [AnswerSection("0", 111, None, RedFormat(63, 1))]
    sections += [AnswerSection(str(number), 111, number) for number in range(1, 5)]
    hosts = ("192.0.2.1", "2001:db8::1")
    answer = Answer(CREDENTIALS, bytes(range(32)), hosts, 7000, tuple(sections))
    return format_answer(answer, session_id=1, version=1, cname="node")


def _ogg_opus() -> bytes:
    writer = OggOpusWriter(7, {"TITLE": "à midi", "ARTIST": "Ada"})
    parts = [writer.header(), writer.write(b"\x78" + b"a" * 300, 960), writer.write(b"\x78b", 960)]
    return b"".join([*parts, writer.flush(), writer.write(b"\x78c", 960), writer.finish()])


def _outer() -> dict[str, Files]:
    return {
        "sums": {"two": format_sums({"README.txt": _HASH, "ours/receipts/000001-a.entry": _HASH})},
        "openings": {
            "ring": format_openings([Opening("person", bytes(32), format_person(_PERSON))]),
            "none": format_openings([]),
        },
        "receipt_name": {
            "ring": b"000012-call.ring",
            "long": b"123456789012345678-blank",
            "refused": b"12-call.ring",
        },
        "account": {
            "coverage": format_account(CoverageAccount(LINE, *_NAMES)),
            "absence": format_account(AbsenceAccount(LINE, *_NAMES, from_us=1, to_us=2)),
            "excerpt": format_account(ExcerptAccount(LINE, *_NAMES, "", 1, 2, 3, 4)),
            "span": format_account(
                SpanAccount(LINE, *_NAMES, "ca11" * 8, _NAMES[1], 1, 500, 900, 25, 20, 25, 15)
            ),
        },
        "leaf": {
            "packet": _leaf(7),
            "returned": format_leaf(bytes(32), 7, 6_720, b"\xf8said", RETURNED),
            "empty": _leaf(7)[:33],
        },
        "leaves": _leaves(),
        "summary": {"call": format_summary(_summary())},
        "ask": _asks(),
        "subscription": {"browser": _subscription()},
    }


def _leaf(index: int) -> bytes:
    return format_leaf(bytes(32), index, 960 * index, b"\xf8said")


def _leaves() -> dict[str, bytes]:
    leaves = [parse_leaf_untrusted(_leaf(index)) for index in range(4)]
    pieces = [
        ShownPiece(12, tuple(leaves[1:]), (leaf_hash(leaves[0].octets),)),
        ShownPiece(14, (parse_leaf_untrusted(_leaf(4)),), ()),
    ]
    return {"two": format_leaves(pieces), "none": format_leaves([])}


def _summary() -> Summary:
    path, origin = "ours/receipts/000002-call.ring", CHECKPOINT.origin
    return Summary(
        summary="telcon call summary v1",
        call=_CALL,
        line=LINE,
        ours="arcadia.example",
        theirs="borealis.example",
        layer="content",
        whole_log=False,
        outcome="ended",
        mode="audio",
        initiated_by=["arcadia.example"],
        rung="2027-01-15T08:00:00Z",
        answered="",
        ended="",
        entries=[SummaryEntry(path, origin, 2, "call.ring", "2027-01-15T08:00:00Z", "")],
        not_countersigned=[path],
        recordings=[SummaryRecording("recordings/a.opus", 9, _HASH, "")],
    )


def _asks() -> Files:
    made: list[asks.AnyAsk] = [
        asks.Ring(ask=1, line=LINE, mode="audio", certificate=_HASH, topic="Water"),
        asks.Answer(call=_CALL, certificate=_HASH),
        asks.Decline(call=_CALL, reason="At noon", lang="en"),
        asks.Mute(call=_CALL, muted=True),
        asks.Text(line=LINE, text="Hello \N{EM DASH} you", tag="t1", lang="fr-CA"),
        asks.Offer(call=_CALL, sdp="v=0\r\n"),
        asks.History(line=LINE, before=_CALL),
        asks.Messages(line=LINE, place=f"{CHECKPOINT.origin}#3", side="around"),
        asks.Search(line=LINE, words="water", before=3),
        asks.MicrophoneRefused(why="NotAllowedError"),
        asks.Keep(call=_CALL, mode="notes only"),
        asks.Recorder(call=_CALL, reason="The minister asked", lang="en"),
    ]
    return _numbered([msgspec.json.encode(ask) for ask in made])


def _subscription() -> bytes:
    # The generator of P-256 (SEC 2 §2.4.2), as good a point as any.
    x = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    y = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    keys = {"p256dh": _base64url(bytes.fromhex("04" + x + y)), "auth": _base64url(bytes(16))}
    stated = {
        "endpoint": "https://fcm.push.example/send/abc",
        "expirationTime": None,
        "keys": keys,
    }
    return json.dumps(stated, separators=(",", ":")).encode()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


if __name__ == "__main__":
    write(CORPUS)
