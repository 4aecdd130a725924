"""Both logs of one line with all their signatures, as two honest nodes would hold them.

Keys are counting bytes. Every entry is cosigned at once unless a test says otherwise.
"""

from dataclasses import replace
from hashlib import sha256
from random import Random

from fakes.memory_log import MemoryLog
from telcon.core import draft as drafts
from telcon.core.draft import Draft, compose
from telcon.core.seal import Media, Person, Text
from telcon.core.stored import Note
from telcon.ledger import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA,
    ED25519,
    Checkpoint,
    KeyCard,
    MlDsaSigningKey,
    SigningKey,
    VerifierKey,
    add_signature_lines,
    cosign,
    format_checkpoint,
    key_card_hash,
    log_origin,
    mirror_name,
    parse_note_untrusted,
    root_at,
    sign_checkpoint,
)

LINE = "4b1d" * 8
CALL = "ca11" * 8
ARCADIA, BOREALIS = "arcadia.example", "borealis.example"
ADA = Person("en", "Ada Example", "President", "Arcadia")
BORIS = Person("en", "Boris Example", "Prime Minister", "Borealis")
RECORDING = b"OggS, or so it says"
START_US = 1_790_000_000_000_000


class SignedLog(MemoryLog):
    """A log whose cosigned checkpoints can be asked for by entry, as in the real store."""

    def cosigned_note_over(self, index: int) -> tuple[int, bytes] | None:
        sizes = sorted(size for size, note in self.notes.items() if note.cosigned)
        size = next((size for size in sizes if size > index), None)
        return None if size is None else (size, self.notes[size].note)

    def signed_note_over(self, index: int) -> tuple[int, bytes] | None:
        size = next((size for size in sorted(self.notes) if size > index), None)
        return None if size is None else (size, self.notes[size].note)

    def seconded_note_over(self, index: int) -> tuple[int, bytes] | None:
        size = next((size for size in sorted(self.seconded) if size > index), None)
        return None if size is None else (size, self.seconded[size].note)


class Node:
    """One side: its keys, its card, its log."""

    def __init__(self, name: str, seed: int, line: str, *, ml_dsa: bool) -> None:
        self.name = name
        self.log_key = SigningKey(bytes(range(seed, seed + 32)))
        self.mirror_key = SigningKey(bytes(range(seed + 32, seed + 64)))
        self.log = SignedLog(log_origin(name, line))
        self.card = KeyCard(
            name,
            line,
            VerifierKey(log_origin(name, line), ED25519, self.log_key.public),
            VerifierKey(mirror_name(name, line), COSIGNATURE_ED25519, self.mirror_key.public),
            f"{seed:02x}" * 32,
        )
        if ml_dsa:
            self.log_ml_dsa_key = MlDsaSigningKey(bytes(range(seed + 16, seed + 48)))
            self.mirror_ml_dsa_key = MlDsaSigningKey(bytes(range(seed + 48, seed + 80)))
            self.card = replace(
                self.card,
                log_ml_dsa=VerifierKey(
                    self.card.log.name, COSIGNATURE_ML_DSA, self.log_ml_dsa_key.public
                ),
                mirror_ml_dsa=VerifierKey(
                    self.card.mirror.name, COSIGNATURE_ML_DSA, self.mirror_ml_dsa_key.public
                ),
            )


class SignedLine:
    """Two nodes and what they wrote."""

    def __init__(
        self,
        names: tuple[str, str] = (ARCADIA, BOREALIS),
        seeds: tuple[int, int] = (0, 64),
        line: str = LINE,
        *,
        ml_dsa: bool = False,
    ) -> None:
        self.random = Random(seeds[0])
        self.arcadia = Node(names[0], seeds[0], line, ml_dsa=ml_dsa)
        self.borealis = Node(names[1], seeds[1], line, ml_dsa=ml_dsa)
        self.now_us = START_US
        self.ahead_us = dict.fromkeys(names, 0)
        """How far a node's clock is wrong."""

    @property
    def cards(self) -> tuple[KeyCard, KeyCard]:
        return self.arcadia.card, self.borealis.card

    def other(self, node: Node) -> Node:
        return self.borealis if node is self.arcadia else self.arcadia

    def write(self, node: Node, draft: Draft, *, cosigned: bool = True) -> tuple[str, int]:
        """Append an act that has seen all of the other log; return where it stands."""
        other = self.other(node).log
        self.now_us += 1_000_000
        data, openings, _ = compose(
            draft,
            origin=node.log.origin,
            time_us=self.now_us + self.ahead_us[node.name],
            seen=(other.size, root_at(other.size, other.hash)),
            random=self.random.randbytes,
        )
        return self.write_bytes(node, data, openings, cosigned=cosigned)

    def write_bytes(
        self, node: Node, data: bytes, openings: tuple[object, ...] = (), *, cosigned: bool = True
    ) -> tuple[str, int]:
        index = node.log.size
        node.log.fill([data])
        node.log.opened[index] = list(openings)  # type: ignore[arg-type]
        if cosigned:
            self.sign(node)
        return node.log.origin, index

    def sign(self, node: Node) -> None:
        """Sign the log as it stands, and have the other side cosign it."""
        size = node.log.size
        checkpoint = Checkpoint(node.log.origin, size, root_at(size, node.log.hash))
        note = self.note(node, checkpoint, self.other(node))
        node.log.notes[size] = Note(node.log.origin, size, note, cosigned=True)

    def sign_alone(self, node: Node) -> None:
        """Sign the log as it stands; the other side does not."""
        size = node.log.size
        checkpoint = Checkpoint(node.log.origin, size, root_at(size, node.log.hash))
        note = sign_checkpoint(checkpoint, node.log_key)
        node.log.notes[size] = Note(node.log.origin, size, note, cosigned=False)

    def second(self, node: Node) -> None:
        """Have both sides sign the newest checkpoint of `node`'s log by ML-DSA-44 too."""
        kept = node.log.notes[max(node.log.notes)]
        note = parse_note_untrusted(kept.note)
        cosigner = self.other(node)
        name, time_s = cosigner.card.mirror.name, int.from_bytes(note.signatures[1].blob[:8])
        lines = [
            cosign(note.text, node.card.log.name, node.log_ml_dsa_key, 0),
            cosign(note.text, name, cosigner.mirror_ml_dsa_key, time_s),
        ]
        node.log.seconded[kept.size] = replace(kept, note=add_signature_lines(kept.note, lines))

    def note(self, node: Node, checkpoint: Checkpoint, cosigner: Node) -> bytes:
        """Return a checkpoint signed by `node`'s log key and `cosigner`'s mirror key."""
        text = format_checkpoint(checkpoint)
        name = cosigner.card.mirror.name
        time_us = self.now_us + self.ahead_us.get(cosigner.name, 0)
        line = cosign(text, name, cosigner.mirror_key, time_us // 1_000_000 + 1)
        return add_signature_lines(sign_checkpoint(checkpoint, node.log_key), [line])

    def open(self) -> "SignedLine":
        """Open the line on both sides."""
        hashes = [key_card_hash(card) for card in sorted(self.cards, key=lambda card: card.name)]
        for node in (self.arcadia, self.borealis):
            self.write(node, drafts.line_opened((hashes[0], hashes[1]), None))
        for node in (self.arcadia, self.borealis):
            self.write(node, drafts.line_terms("go on"))
        return self

    def test(self, node: Node | None = None) -> None:
        """Test the line from one side; the other answers."""
        tester = node or self.arcadia
        place = self.write(tester, drafts.line_test())
        self.write(self.other(tester), drafts.line_tested(place))

    def ring(self, call: str = CALL, node: Node | None = None) -> tuple[str, int]:
        node = node or self.arcadia
        media = Media("aa" * 32, "bb" * 32, "cc" * 32)
        topic = Text("en", "the river")
        return self.write(
            node,
            drafts.ring(
                call, handle(node), mode="audio", track=1, person=ADA, media=media, topic=topic
            ),
        )

    def answer(
        self, rung: tuple[str, int], call: str = CALL, own_ring: tuple[str, int] | None = None
    ) -> tuple[str, int]:
        media = Media("dd" * 32, "ee" * 32, "ff" * 32)
        node = self.borealis if rung[0] == self.arcadia.log.origin else self.arcadia
        return self.write(
            node,
            drafts.answer(
                call,
                handle(node),
                rung,
                mode="audio",
                track=1,
                person=BORIS,
                media=media,
                own_ring=own_ring,
            ),
        )

    def ring_off(self) -> "SignedLine":
        """Hold the shortest call that was answered."""
        self.answer(self.ring())
        self.write(self.arcadia, drafts.hang_up(CALL, handle(self.arcadia)))
        return self

    def talk(self) -> "SignedLine":
        """Hold one whole call: recorded by both, with messages, hung up by Arcadia."""
        a, b = self.arcadia, self.borealis
        track = (a.log.origin, 1)
        rung = self.ring()
        self.write(b, drafts.ringing(CALL, rung, 2))
        self.answer(rung)
        for node in (a, b):
            self.write(node, drafts.record_on(CALL, track))
        self.write(a, drafts.record_chunk(CALL, [(1, 0, 250, bytes(32))], bytes(32)))
        self.write(a, drafts.message(ADA, BORIS, Text("en", "hello"), call=CALL))
        self.write(b, drafts.message(BORIS, ADA, Text("en", "not of this call")))
        self.write(a, drafts.hang_up(CALL, handle(a)))
        digest = sha256(RECORDING).digest()
        self.write(a, drafts.record_off(CALL, track, digest, len(RECORDING)))
        self.write(b, drafts.record_off(CALL, track, bytes(32), 9))
        return self


def handle(node: Node) -> str:
    return node.name[0].encode().hex() * 8
