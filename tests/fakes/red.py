"""RED (RFC 2198) read and written bit by bit, sharing nothing with telcon's own."""

from __future__ import annotations

Block = tuple[int, int, bytes]
"""Payload type, by how many ticks it is older than the packet, payload."""


def read_red(payload: bytes) -> list[Block]:
    """Return the blocks of a well-formed payload, the last one being the packet's own."""
    bits = "".join(f"{octet:08b}" for octet in payload)
    heads: list[tuple[int, int, int]] = []
    while bits[0] == "1":
        heads.append((int(bits[1:8], 2), int(bits[8:22], 2), int(bits[22:32], 2)))
        bits = bits[32:]
    last, rest = int(bits[1:8], 2), payload[len(heads) * 4 + 1 :]
    blocks: list[Block] = []
    for kind, offset, size in heads:
        assert size <= len(rest)
        blocks.append((kind, offset, rest[:size]))
        rest = rest[size:]
    return [*blocks, (last, 0, rest)]


def write_red(*blocks: Block) -> bytes:
    """Write blocks, the packet's own last."""
    bits = "".join(
        f"1{kind:07b}{offset:014b}{len(data):010b}" for kind, offset, data in blocks[:-1]
    )
    bits += f"0{blocks[-1][0]:07b}"
    head = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    return head + b"".join(data for _, _, data in blocks)
