"""The worked values of tests/vectors/ledger.json: counting bytes as keys, see its note."""

import json
from pathlib import Path
from typing import Any

from telcon.ledger import SigningKey, VerifierKey, parse_vkey

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "ledger.json").read_text(encoding="utf-8")
)
LOG = SigningKey(bytes.fromhex(VECTORS["keys"]["log"]["seed_hex"]))
LOG_KEY: VerifierKey = parse_vkey(VECTORS["keys"]["log"]["vkey"])
MIRROR = SigningKey(bytes.fromhex(VECTORS["keys"]["mirror"]["seed_hex"]))
MIRROR_KEY: VerifierKey = parse_vkey(VECTORS["keys"]["mirror"]["vkey"])
ENTRIES = [text.encode() for text in VECTORS["checkpoints"]["entries_utf8"]]
SIGNED = {int(k): v.encode() for k, v in VECTORS["checkpoints"]["signed_by_log"].items()}
COSIGNED: bytes = VECTORS["checkpoints"]["cosigned_size_3"].encode()
TIMESTAMP: int = VECTORS["checkpoints"]["timestamp"]
