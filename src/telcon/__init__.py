"""telcon: a direct line between two organisations that do not trust each other's servers.

Each side runs a node. A call is a fold over two logs: each side's log of the line is mirrored and
cosigned by the other, so neither can deny a call nor invent one.

Where each folder's job ends, from the inside out (imports point only upward in this list):

- `telcon.errors`: the one tree of errors; below everything.
- `telcon.ledger`: tree, notes, checkpoints, cosignatures, tiles, proofs. Bytes in, bytes out; it
  knows nothing of calls and is usable alone.
- `telcon.core`: entries, seals, the fold, the two-party machine. It decides; it does no IO and owns
  no clock.
- `telcon.node`: the shell around the core: store, link, media, people, proof folders.
- `telcon.web`: the pages and their API. `telcon.cli`: the command line.

It is not a conferencing server, not a messenger for the public, and there is no third party in the
middle.
"""

__version__ = "0.1.0"
