"""What is fuzzed: one row for each reader of foreign bytes, and what must hold of what it accepts.

A target is called with bytes. It returns whether they were accepted; a documented refusal is fine,
any other exception a finding. What is accepted must read the same again once it is written, to the
octet where a format has one spelling.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final, Generic, TypeVar

from aioice import stun

from fuzz.known import (
    ARCADIA,
    BOREALIS,
    CHECKPOINT,
    CHECKPOINT_TEXT,
    COSIGNED_AT,
    ENTRIES,
    INVITATION,
    LINE,
    ML_DSA_COSIGNED_AT,
    ML_DSA_KEY,
    ML_DSA_NOTE,
    NEXT_ARCADIA,
    NEXT_LINE,
    NOW_US,
    POLICY,
    RECEIPT,
)
from fuzz.mended import with_key_ids, with_page_checksums, with_stun_fingerprint
from telcon.core.entry import (
    MAX_ENTRY_BYTES,
    Entry,
    Void,
    VoidError,
    format_entry,
    parse_entry_untrusted,
    read_entry_untrusted,
)
from telcon.core.frames import (
    ENTRY_COST_OCTETS,
    MAX_FRAME_OCTETS,
    cost_of,
    format_frame,
    parse_frame_untrusted,
)
from telcon.core.house import (
    format_details,
    format_house_entry,
    parse_details_untrusted,
    parse_house_entry_untrusted,
)
from telcon.core.seal import (
    MAX_CONTENT_BYTES,
    format_media,
    format_person,
    format_persons,
    format_text,
    owed_members,
    parse_media_untrusted,
    parse_person_untrusted,
    parse_persons_untrusted,
    parse_text_untrusted,
    sealed_members,
)
from telcon.core.signals import (
    HintSignal,
    format_signal,
    parse_hint_untrusted,
    parse_house_answer_untrusted,
    parse_house_ask_untrusted,
    parse_house_untrusted,
    parse_record_ask_untrusted,
    parse_record_give_untrusted,
    parse_record_return_untrusted,
    parse_record_returned_untrusted,
    parse_recorder_untrusted,
    parse_renew_card_untrusted,
    parse_renew_hash_untrusted,
    parse_renew_untrusted,
    parse_trunk_untrusted,
)
from telcon.errors import (
    InvitationError,
    MalformedError,
    OperatorError,
    PolicyError,
    ProofError,
    SignatureError,
    TelconError,
)
from telcon.ledger import (
    Checkpoint,
    ProvenEntry,
    UnverifiedNote,
    format_bundle,
    format_checkpoint,
    format_key_card,
    format_path,
    format_policy,
    format_signature_line,
    format_tlog_proof,
    format_vkey,
    leaf_hash,
    open_checkpoint,
    open_cosignature,
    parse_bundle_untrusted,
    parse_checkpoint_untrusted,
    parse_key_card,
    parse_note_untrusted,
    parse_path_untrusted,
    parse_policy,
    parse_signature_lines_untrusted,
    parse_tlog_proof,
    parse_vkey,
    verify_bundles,
    verify_tiles,
    verify_tlog_proof,
)
from telcon.ledger.checkpoint import parse_claim_untrusted
from telcon.ledger.fork import MAX_PATH_OCTETS
from telcon.ledger.keycard import MAX_CARD_OCTETS
from telcon.ledger.note import MAX_NOTE_OCTETS, NoteSignature
from telcon.ledger.policy import MAX_POLICY_OCTETS
from telcon.ledger.proof import MAX_PROOF_OCTETS
from telcon.ledger.witness import (
    MAX_SUBMISSION_OCTETS,
    Accepted,
    Asked,
    Cosignatures,
    Refusal,
    Refused,
    SizeHint,
    Submission,
    Witnessed,
    decide,
    format_submission,
    parse_submission_untrusted,
    read_answer_untrusted,
)
from telcon.node.link.invitation import (
    MAX_INVITATION_OCTETS,
    format_invitation,
    parse_invitation_untrusted,
)
from telcon.node.link.pairing import (
    AccepterMachine,
    InviterMachine,
    OwnSide,
    Paired,
    check_peer_untrusted,
)
from telcon.node.link.renewing import check_renewed_untrusted, is_another
from telcon.node.link.statement import (
    MAX_STATEMENT_OCTETS,
    format_statement,
    parse_statement_untrusted,
)
from telcon.node.link.tls import MAX_CERTIFICATE_OCTETS, certificate_hash, check_certificate
from telcon.node.media.ice import Credentials, LiteAgent, parse_stun_untrusted
from telcon.node.media.ogg import (
    OggPage,
    format_page,
    holds_page,
    parse_page_untrusted,
    scan_pages_untrusted,
)
from telcon.node.media.oggopus import OpusFile, parse_ogg_opus_untrusted
from telcon.node.media.opus import MAX_PACKET_BYTES as MAX_OPUS_OCTETS
from telcon.node.media.opus import OpusPacket, parse_opus_untrusted
from telcon.node.media.red import format_red, parse_red_untrusted
from telcon.node.media.rtcp import format_rtcp, parse_rtcp_untrusted
from telcon.node.media.rtp import MAX_PACKET_BYTES as MAX_RTP_OCTETS
from telcon.node.media.rtp import format_rtp, parse_rtp_untrusted
from telcon.node.media.sdp import (
    Answer,
    AnswerSection,
    Offer,
    format_answer,
    format_offer,
    parse_answer_untrusted,
    parse_offer_untrusted,
)
from telcon.node.proof.layout import (
    format_account,
    format_openings,
    format_summary,
    format_sums,
    parse_account_untrusted,
    parse_openings_untrusted,
    parse_summary_untrusted,
    parse_sums_untrusted,
    stem_index_untrusted,
)
from telcon.node.proof.leaves import (
    MAX_LEAVES_OCTETS,
    Leaf,
    ShownPiece,
    format_leaves,
    parse_leaf_untrusted,
    parse_leaves_untrusted,
)
from telcon.node.push.subscription import Subscription, is_service, parse_subscription_untrusted
from telcon.node.record.keepers import (
    MAX_KEY_FILE_OCTETS,
    format_keeper,
    format_private_key,
    parse_keeper_untrusted,
    parse_private_key_untrusted,
)
from telcon.web.asks import AnyAsk, message_of, parse_ask_untrusted

__all__ = ["CREDENTIALS", "PUSH_SERVICES", "TARGETS", "Target", "pieces"]

_T = TypeVar("_T")

CREDENTIALS: Final = Credentials("arcadia", "aPasswordOf24Characters+/")
"""Of the leg that checks are for, and that offers are answered with."""

PUSH_SERVICES: Final = ("push.example", "push.example:8443", "*.push.example")

_ADDRESS: Final = ("192.0.2.7", 7000)
_FINGERPRINT: Final = bytes(32)
_HANDLE: Final = re.compile(r"[0-9a-f]{16}")
_ROOT_OCTETS: Final = 32


@dataclass(frozen=True, slots=True)
class Target(Generic[_T]):
    """One reader, and the contract that it is held to."""

    parse: Callable[[bytes], _T]
    """The reader; it may refuse."""
    check: Callable[[bytes, _T], None]
    """Asserts what must hold of input and what was read; here nothing may be refused any more."""
    refusals: tuple[type[TelconError], ...] = (MalformedError,)
    """What `Raises` of the reader promises; empty if it takes whatever comes."""
    limit: int | None = None
    """Most octets that the reader itself accepts; None if its caller or its format bounds it."""
    mend: Callable[[bytes], bytes] = bytes
    """Makes right what a fuzzer cannot guess, before anything is read."""

    def __call__(self, data: bytes) -> bool:
        """Return whether `data` was accepted.

        Raises:
            Exception: whatever is not a documented refusal; that is a finding.
        """
        data = self.mend(data)
        try:
            value = self.parse(data)
        except self.refusals as error:
            f"{error} {error.advice()}".encode()  # what it says can go to a log and a page
            return False
        assert self.limit is None or len(data) <= self.limit, "accepted beyond the limit"
        self.check(data, value)
        return True


def pieces(data: bytes) -> Iterator[bytes]:
    """Yield what `telcon.ledger.format_bundle` put together; the last may be cut short."""
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        yield data[at + 2 : end]
        at = end


def _one_spelling(write: Callable[[_T], bytes]) -> Callable[[bytes, _T], None]:
    """Return the check that what was read is written as it came."""

    def check(data: bytes, value: _T) -> None:
        assert write(value) == data, "a second spelling was accepted"

    return check


def _reads_again(
    parse: Callable[[bytes], _T], write: Callable[[_T], bytes]
) -> Callable[[bytes, _T], None]:
    """Return the check that what was read, once written, means the same."""

    def check(data: bytes, value: _T) -> None:
        assert parse(write(value)) == value, "what was read does not read the same again"

    return check


def _text(data: bytes) -> str:
    """Return `data` as text: what is not UTF-8 becomes halves of surrogate pairs, never lost."""
    return data.decode("utf-8", "surrogateescape")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# The ledger.

WITNESSED: Final = Witnessed((ARCADIA.card.log,), 1, leaf_hash(ENTRIES[0]))
"""A witness that has cosigned the first entry of Arcadia's log."""


def _write_note(note: UnverifiedNote) -> bytes:
    return note.text + b"\n" + _write_signature_lines(note.signatures)


def _write_signature_lines(signatures: tuple[NoteSignature, ...]) -> bytes:
    return b"".join(map(format_signature_line, signatures))


def _check_time(data: bytes, time: int) -> None:
    assert time == COSIGNED_AT, "a cosignature that nobody made"


def _check_ml_dsa_time(data: bytes, time: int) -> None:
    assert time == ML_DSA_COSIGNED_AT, "a cosignature that nobody made"


def _check_opened(data: bytes, checkpoint: Checkpoint) -> None:
    assert checkpoint == CHECKPOINT, "a checkpoint that nobody signed"


def _check_proven(data: bytes, proven: ProvenEntry) -> None:
    assert (proven.origin, proven.index, proven.size) == (CHECKPOINT.origin, RECEIPT.index, 3)


def _write_submission(submission: Submission) -> bytes:
    return format_submission(submission.old, submission.proof, _write_note(submission.note))


def _decide(data: bytes) -> Accepted | Refused:
    return decide(data, {CHECKPOINT.origin: WITNESSED}.get)


def _check_decision(data: bytes, decision: Accepted | Refused) -> None:
    if isinstance(decision, Accepted):
        assert decision.checkpoint == CHECKPOINT, "accepted what nobody signed"
        assert decision.was == (WITNESSED.size, WITNESSED.root)
    else:
        assert decision.answer.status in {400, 403, 404, 409, 422}


def _read_answer(data: bytes) -> Cosignatures | SizeHint | Refusal:
    asked = Asked(CHECKPOINT_TEXT, 1, CHECKPOINT.size)
    return read_answer_untrusted(int.from_bytes(data[:2]), data[2:], asked, [BOREALIS.card.mirror])


def _check_answer_read(data: bytes, answer: Cosignatures | SizeHint | Refusal) -> None:
    match answer:
        case Cosignatures(lines=lines):
            assert [time for _, _, time in lines] == [COSIGNED_AT], "a cosignature nobody made"
        case SizeHint(size=size):
            assert size <= CHECKPOINT.size
            assert size != 1
        case Refusal(reason=reason):
            assert reason.isprintable()


def _parse_bundle(data: bytes) -> list[bytes]:
    return parse_bundle_untrusted(data[1:], 1 + int.from_bytes(data[:1]))


def _write_bundle(entries: list[bytes]) -> bytes:
    return bytes((len(entries) - 1,)) + format_bundle(entries)


def _read_tiled_log(data: bytes) -> list[bytes]:
    """Read a size, a root, and the files in the order in which they are asked for."""
    size, root = int.from_bytes(data[:2]), data[2 : 2 + _ROOT_OCTETS]
    files: dict[str, bytes] = {}
    coming = pieces(data[2 + _ROOT_OCTETS :])

    def fetch(path: str) -> bytes:
        if path not in files:
            files[path] = next(coming, b"")
        return files[path]

    verify_tiles(size, root, fetch)
    return [entry for bundle in verify_bundles(size, fetch) for entry in bundle]


def _check_tiled_log(data: bytes, entries: list[bytes]) -> None:
    assert len(entries) == int.from_bytes(data[:2])


# Entries, seals, frames, signals.


def _check_entry(data: bytes, entry: Entry) -> None:
    assert format_entry(entry) == data, "a second spelling was accepted"
    assert read_entry_untrusted(data) == entry
    assert owed_members(entry) <= set(sealed_members(entry))


def _check_stored_entry(data: bytes, read: Entry | Void) -> None:
    if isinstance(read, Void):
        assert read in (Void.NOT_CANONICAL, Void.UNKNOWN_TYPE)
    else:
        assert format_entry(read) == data, "a second spelling was accepted"


def _check_cost(data: bytes, cost: int) -> None:
    assert 0 <= cost <= (1 + ENTRY_COST_OCTETS) * len(data)


def _check_hint(data: bytes, hint: HintSignal) -> None:
    assert _HANDLE.fullmatch(hint.handle), "a handle that is none"
    _reads_again(parse_hint_untrusted, format_signal)(data, hint)


# Pairing.


def _check_certificate(data: bytes, checked: None) -> None:
    assert len(certificate_hash(data)) == 64


def _parse_certificate(data: bytes) -> None:
    check_certificate(data)


def _invite(data: bytes) -> Paired | None:
    """Be the side that invited, and take one frame after the other."""
    machine = InviterMachine(ARCADIA.nonce)
    for frame in pieces(data):
        machine.receive_frame(frame)
        if machine.wanted is not None:
            machine.admit(ARCADIA.own)
    return machine.result


def _accept(data: bytes) -> Paired | None:
    """Be the side that was invited, and take one frame after the other."""
    machine = AccepterMachine(INVITATION, BOREALIS.own, BOREALIS.nonce, now_us=NOW_US)
    for frame in pieces(data):
        machine.receive_frame(frame)
    return machine.result


def _check_paired(own: OwnSide, data: bytes, paired: Paired | None) -> None:
    if paired is None:
        return
    assert paired.own == own
    assert paired.line == paired.peer_card.line == LINE
    assert paired.peer_card.tls == certificate_hash(paired.peer_certificate)
    assert len(paired.words) == 6


def _state(data: bytes) -> OwnSide:
    """Read a card and a statement, as the other side states them in a pairing."""
    stated = _side(data)
    check_peer_untrusted(ARCADIA.own, stated)
    return stated


def _side(data: bytes) -> OwnSide:
    card, statement = [*pieces(data), b"", b""][:2]
    return OwnSide(card, statement)


def _check_stated(data: bytes, stated: OwnSide) -> None:
    assert parse_key_card(stated.card).line == LINE
    assert stated != ARCADIA.own


def _renew(data: bytes) -> OwnSide:
    """Read the same for a line that takes the place of `LINE`."""
    stated = _side(data)
    known = {key.public for one in (ARCADIA, BOREALIS) for key in one.card.keys}
    check_renewed_untrusted(NEXT_ARCADIA.own, stated, BOREALIS.own, known)
    return stated


def _check_renewed(data: bytes, stated: OwnSide) -> None:
    card = parse_key_card(stated.card)
    assert card.line == NEXT_LINE
    assert is_another(BOREALIS.own, stated) is None
    assert not {key.public for key in card.keys} & {key.public for key in BOREALIS.card.keys}


# Media.


def _check_stun(data: bytes, message: stun.Message) -> None:
    agent = LiteAgent()
    agent.local = CREDENTIALS
    agent.set_remote(Credentials("borealis", CREDENTIALS.password))
    verdict = agent.judge(message, _ADDRESS)
    assert verdict.authentic == bool(verdict.answer)


def _check_offer(data: bytes, offer: Offer) -> None:
    again = parse_offer_untrusted(format_offer(offer, session_id=1, version=1))
    assert again == offer, "what was read does not read the same again"
    sections = tuple(
        AnswerSection(section.mid, section.payload_type, None if section.sends else 7, section.red)
        for section in offer.sections
    )
    answer = Answer(CREDENTIALS, _FINGERPRINT, (_ADDRESS[0], "2001:db8::7"), 7000, sections)
    _check_answer(data, answer)


def _check_answer(data: bytes, answer: Answer) -> None:
    written = format_answer(answer, session_id=1, version=1, cname="node")
    assert parse_answer_untrusted(written) == answer, "an answer does not read the same again"


def _parse_page(data: bytes) -> OggPage:
    return parse_page_untrusted(data[1:], int.from_bytes(data[:1]))


def _check_page(data: bytes, page: OggPage) -> None:
    at = data[0]
    assert _write_page(page) == data[1:][at : page.end]
    assert holds_page(data[1:], at)


def _scan_pages(data: bytes) -> list[OggPage]:
    return list(scan_pages_untrusted(data))


def _check_pages(data: bytes, pages: list[OggPage]) -> None:
    written = b"".join(map(_write_page, pages))
    assert data.startswith(written)
    assert len(written) == (pages[-1].end if pages else 0)
    assert holds_page(data, 0) or not pages


def _write_page(page: OggPage) -> bytes:
    return format_page(page.flags, page.granule, page.serial, page.sequence, page.lacing, page.body)


def _check_opus_file(data: bytes, file: OpusFile) -> None:
    assert all(low.start + low.samples == high.start for low, high in pairwise(file.packets))
    for packet in file.packets:
        assert parse_opus_untrusted(packet.payload).samples == packet.samples
    assert file.channels in (1, 2)


def _check_opus(data: bytes, packet: OpusPacket) -> None:
    assert 0 <= packet.config <= 31
    assert 1 <= packet.frames <= 48
    assert 120 <= packet.samples <= 5_760


# Proof folders, pages, push.


def _check_receipt_name(name: str, index: int) -> None:
    assert int(name.partition("-")[0]) == index < 10**18


def _check_sums(data: bytes, sums: dict[str, str]) -> None:
    assert format_sums(sums) == data, "a second spelling was accepted"
    for path in sums:
        assert not path.startswith("/"), "a path that leads elsewhere"
        assert not {"", ".", ".."} & set(path.split("/")), "a path that leads elsewhere"


def _check_leaf(data: bytes, leaf: Leaf) -> None:
    assert leaf.octets == data
    assert leaf.index.to_bytes(8) + leaf.timestamp.to_bytes(8) == data[16:32]
    assert bytes((leaf.kind,)) + leaf.payload == data[32:]


def _check_leaves(data: bytes, pieces: tuple[ShownPiece, ...]) -> None:
    assert format_leaves(pieces) == data, "a second spelling was accepted"
    for piece in pieces:
        assert piece.leaves, "a piece of nothing"
        for leaf in piece.leaves:
            _check_leaf(leaf.octets, leaf)


def _check_ask(data: bytes, ask: AnyAsk) -> None:
    assert "ask" not in message_of(ask)
    assert 0 <= ask.ask < 2**53


def _check_subscription(data: bytes, subscription: Subscription) -> None:
    assert any(is_service(subscription.service, allowed) for allowed in PUSH_SERVICES)
    assert subscription.endpoint.lower().startswith(subscription.origin.lower())
    assert subscription.origin.isascii()


TARGETS: Final[dict[str, Target[Any]]] = {
    "vkey": Target(
        lambda data: parse_vkey(_text(data)),
        _one_spelling(lambda key: _octets(format_vkey(key))),
        mend=with_key_ids,
    ),
    "key_card": Target(
        parse_key_card,
        _one_spelling(format_key_card),
        limit=MAX_CARD_OCTETS,
        mend=with_key_ids,
    ),
    "note": Target(parse_note_untrusted, _one_spelling(_write_note), limit=MAX_NOTE_OCTETS),
    "signature_lines": Target(
        parse_signature_lines_untrusted, _one_spelling(_write_signature_lines)
    ),
    "checkpoint": Target(parse_checkpoint_untrusted, _one_spelling(format_checkpoint)),
    "claim": Target(parse_claim_untrusted, _one_spelling(format_checkpoint)),
    "signed_checkpoint": Target(
        lambda data: open_checkpoint(data, ARCADIA.card.log),
        _check_opened,
        (MalformedError, SignatureError),
        MAX_NOTE_OCTETS,
    ),
    "cosignature": Target(
        lambda data: open_cosignature(CHECKPOINT_TEXT, data, BOREALIS.card.mirror),
        _check_time,
        (MalformedError, SignatureError),
    ),
    "ml_dsa_cosignature": Target(
        lambda data: open_cosignature(parse_note_untrusted(ML_DSA_NOTE).text, data, ML_DSA_KEY),
        _check_ml_dsa_time,
        (MalformedError, SignatureError),
    ),
    "policy": Target(
        parse_policy,
        _reads_again(parse_policy, format_policy),
        (MalformedError, PolicyError),
        MAX_POLICY_OCTETS,
        with_key_ids,
    ),
    "receipt": Target(parse_tlog_proof, _one_spelling(format_tlog_proof), limit=MAX_PROOF_OCTETS),
    "proven_receipt": Target(
        lambda data: verify_tlog_proof(parse_tlog_proof(data), ENTRIES[RECEIPT.index], POLICY),
        _check_proven,
        (MalformedError, SignatureError, PolicyError, ProofError),
        MAX_PROOF_OCTETS,
    ),
    "submission": Target(
        parse_submission_untrusted, _one_spelling(_write_submission), limit=MAX_SUBMISSION_OCTETS
    ),
    "witness_decision": Target(_decide, _check_decision, ()),
    "witness_answer": Target(_read_answer, _check_answer_read, (MalformedError, SignatureError)),
    "bundle": Target(_parse_bundle, _one_spelling(_write_bundle)),
    "tiled_log": Target(_read_tiled_log, _check_tiled_log, (MalformedError, ProofError)),
    "entry": Target(parse_entry_untrusted, _check_entry, (VoidError,), MAX_ENTRY_BYTES),
    "stored_entry": Target(read_entry_untrusted, _check_stored_entry, ()),
    "persons": Target(
        parse_persons_untrusted, _one_spelling(format_persons), limit=MAX_CONTENT_BYTES
    ),
    "person": Target(parse_person_untrusted, _one_spelling(format_person), limit=MAX_CONTENT_BYTES),
    "text": Target(parse_text_untrusted, _one_spelling(format_text), limit=MAX_CONTENT_BYTES),
    "media": Target(parse_media_untrusted, _one_spelling(format_media), limit=MAX_CONTENT_BYTES),
    "frame": Target(
        parse_frame_untrusted,
        _reads_again(parse_frame_untrusted, format_frame),
        limit=MAX_FRAME_OCTETS,
    ),
    "frame_cost": Target(cost_of, _check_cost, ()),
    "trunk_signal": Target(
        parse_trunk_untrusted, _reads_again(parse_trunk_untrusted, format_signal)
    ),
    "hint_signal": Target(parse_hint_untrusted, _check_hint),
    "keeper": Target(
        parse_keeper_untrusted, _one_spelling(format_keeper), limit=MAX_KEY_FILE_OCTETS
    ),
    "keeper_private": Target(
        parse_private_key_untrusted, _one_spelling(format_private_key), limit=MAX_KEY_FILE_OCTETS
    ),
    "ask_signal": Target(
        parse_record_ask_untrusted, _reads_again(parse_record_ask_untrusted, format_signal)
    ),
    "give_signal": Target(
        parse_record_give_untrusted, _reads_again(parse_record_give_untrusted, format_signal)
    ),
    "return_signal": Target(
        parse_record_return_untrusted, _reads_again(parse_record_return_untrusted, format_signal)
    ),
    "returned_signal": Target(
        parse_record_returned_untrusted,
        _reads_again(parse_record_returned_untrusted, format_signal),
    ),
    "recorder_signal": Target(
        parse_recorder_untrusted, _reads_again(parse_recorder_untrusted, format_signal)
    ),
    "renew_signal": Target(
        parse_renew_untrusted, _reads_again(parse_renew_untrusted, format_signal)
    ),
    "renew_card_signal": Target(
        parse_renew_card_untrusted, _reads_again(parse_renew_card_untrusted, format_signal)
    ),
    "renew_hash_signal": Target(
        parse_renew_hash_untrusted, _reads_again(parse_renew_hash_untrusted, format_signal)
    ),
    "house_signal": Target(
        parse_house_untrusted, _reads_again(parse_house_untrusted, format_signal)
    ),
    "house_ask_signal": Target(
        parse_house_ask_untrusted, _reads_again(parse_house_ask_untrusted, format_signal)
    ),
    "house_answer_signal": Target(
        parse_house_answer_untrusted, _reads_again(parse_house_answer_untrusted, format_signal)
    ),
    "house_entry": Target(
        parse_house_entry_untrusted, _one_spelling(format_house_entry), limit=MAX_ENTRY_BYTES
    ),
    "house_details": Target(
        parse_details_untrusted, _one_spelling(format_details), limit=MAX_CONTENT_BYTES
    ),
    "certificate": Target(_parse_certificate, _check_certificate, limit=MAX_CERTIFICATE_OCTETS),
    "statement": Target(
        parse_statement_untrusted, _one_spelling(format_statement), limit=MAX_STATEMENT_OCTETS
    ),
    "invitation": Target(
        parse_invitation_untrusted,
        _reads_again(parse_invitation_untrusted, format_invitation),
        (InvitationError,),
        MAX_INVITATION_OCTETS,
    ),
    "pairing_inviter": Target(_invite, partial(_check_paired, ARCADIA.own), (InvitationError,)),
    "pairing_accepter": Target(_accept, partial(_check_paired, BOREALIS.own), (InvitationError,)),
    "stated": Target(_state, _check_stated),
    "renewed": Target(_renew, _check_renewed),
    "stun": Target(parse_stun_untrusted, _check_stun, limit=1_280, mend=with_stun_fingerprint),
    "rtp": Target(
        parse_rtp_untrusted, _reads_again(parse_rtp_untrusted, format_rtp), limit=MAX_RTP_OCTETS
    ),
    "red": Target(
        parse_red_untrusted, _reads_again(parse_red_untrusted, format_red), limit=MAX_RTP_OCTETS
    ),
    "rtcp": Target(parse_rtcp_untrusted, _reads_again(parse_rtcp_untrusted, format_rtcp)),
    "sdp_offer": Target(lambda data: parse_offer_untrusted(_text(data)), _check_offer),
    "sdp_answer": Target(lambda data: parse_answer_untrusted(_text(data)), _check_answer),
    "ogg_page": Target(_parse_page, _check_page),
    "ogg_pages": Target(_scan_pages, _check_pages, (), mend=with_page_checksums),
    "ogg_opus": Target(parse_ogg_opus_untrusted, _check_opus_file, mend=with_page_checksums),
    "opus": Target(parse_opus_untrusted, _check_opus, limit=MAX_OPUS_OCTETS),
    "sums": Target(parse_sums_untrusted, _check_sums),
    "receipt_name": Target(
        lambda data: stem_index_untrusted(_text(data)),
        lambda data, index: _check_receipt_name(_text(data), index),
    ),
    "path": Target(parse_path_untrusted, _one_spelling(format_path), limit=MAX_PATH_OCTETS),
    "openings": Target(parse_openings_untrusted, _one_spelling(format_openings)),
    "account": Target(
        parse_account_untrusted, _reads_again(parse_account_untrusted, format_account)
    ),
    "leaf": Target(parse_leaf_untrusted, _check_leaf, limit=33 + MAX_OPUS_OCTETS),
    "leaves": Target(parse_leaves_untrusted, _check_leaves, limit=MAX_LEAVES_OCTETS),
    "summary": Target(
        parse_summary_untrusted, _reads_again(parse_summary_untrusted, format_summary)
    ),
    "ask": Target(lambda data: parse_ask_untrusted(_text(data)), _check_ask),
    "subscription": Target(
        lambda data: parse_subscription_untrusted(data, PUSH_SERVICES),
        _check_subscription,
        (MalformedError, OperatorError),
    ),
}
"""Every target by name, in the order of the rooms."""
