"""What one entry costs in the ledger: hashing, signing, verifying, and by which Ed25519.

Microseconds, five runs of each; `cryptography` stands beside PyNaCl for comparison.
"""

from collections.abc import Callable
from timeit import repeat

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl import signing as nacl_signing

from bench.figures import every
from telcon.ledger import (
    COSIGNATURE_ED25519,
    ED25519,
    EMPTY_FRONTIER,
    Checkpoint,
    SigningKey,
    VerifierKey,
    cosign,
    inclusion_proof,
    leaf_hash,
    open_checkpoint,
    open_cosignature,
    parse_note_untrusted,
    sign_checkpoint,
    verify_inclusion,
    verify_signature,
)

ENTRIES = 20_000
RUNS = 5
SEED = bytes(range(32))
ORIGIN = "arcadia.example/line/" + "0" * 32
MIRROR = "borealis.example/mirror/" + "0" * 32


def run() -> None:
    """Measure and print."""
    rows: list[bytes] = []
    frontier = EMPTY_FRONTIER
    entries = [b"%512d" % number for number in range(ENTRIES)]

    def append() -> None:
        nonlocal frontier
        frontier = EMPTY_FRONTIER
        rows.clear()
        for entry in entries:
            frontier, hashes = frontier.append(leaf_hash(entry))
            rows.append(b"".join(hashes))

    show("append an entry of 512 octets", append, per=ENTRIES, number=1)

    def read(level: int, index: int) -> bytes:
        return rows[((index + 1) << level) - 1][32 * level : 32 * level + 32]

    proof = inclusion_proof(777, ENTRIES, read)
    leaf, root = leaf_hash(entries[777]), frontier.root()
    show("make an inclusion proof", lambda: inclusion_proof(777, ENTRIES, read))
    show("check it", lambda: verify_inclusion(777, ENTRIES, leaf, proof, root))
    measure_signatures(root)
    measure_notes(root)


def measure_signatures(message: bytes) -> None:
    """Compare implementations of Ed25519."""
    ours, other, pynacl = (
        SigningKey(SEED),
        Ed25519PrivateKey.from_private_bytes(SEED),
        nacl_signing.SigningKey(SEED),
    )
    signature, public = ours.sign(message), other.public_key()
    show("sign: telcon (nacl.bindings)", lambda: ours.sign(message))
    show("sign: nacl.signing", lambda: pynacl.sign(message))
    show("sign: cryptography", lambda: other.sign(message))
    show("verify: telcon", lambda: verify_signature(ours.public, signature, message))
    show("verify: nacl.signing", lambda: pynacl.verify_key.verify(message, signature))
    show("verify: cryptography", lambda: public.verify(signature, message))


def measure_notes(root: bytes) -> None:
    """Measure checkpoints and cosignatures whole."""
    log, mirror = SigningKey(SEED), SigningKey(SEED[::-1])
    log_key = VerifierKey(ORIGIN, ED25519, log.public)
    mirror_key = VerifierKey(MIRROR, COSIGNATURE_ED25519, mirror.public)
    checkpoint = Checkpoint(ORIGIN, ENTRIES, root)
    note = sign_checkpoint(checkpoint, log)
    text = parse_note_untrusted(note).text
    line = cosign(text, MIRROR, mirror, 1_790_000_000)
    show("sign a checkpoint", lambda: sign_checkpoint(checkpoint, log))
    show("open it", lambda: open_checkpoint(note, log_key))
    show("cosign it", lambda: cosign(text, MIRROR, mirror, 1_790_000_000))
    show("open the cosignature", lambda: open_cosignature(text, line, mirror_key))


def show(what: str, work: Callable[[], object], *, per: int = 1, number: int = 500) -> None:
    """Run `work` and print the times of one of its `per` parts, and the worst."""
    times = [took / number / per * 1e6 for took in repeat(work, number=number, repeat=RUNS)]
    print(f"{what:30}{every(times, digits=2)}   worst {max(times):8.2f}")
