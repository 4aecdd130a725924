"""What the tests of proof folders share: an export, its files in memory, and both key cards."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from fakes.signed_line import ARCADIA, CALL, RECORDING, SignedLine
from telcon.errors import MalformedError, StorageError
from telcon.ledger import format_key_card
from telcon.node.proof import PathReport, export_call
from telcon.node.proof.folder import check_folder
from telcon.node.proof.layout import SUMS, format_sums
from telcon.node.proof.trust import Keys, keys_from_cards

RECORDING_NAME = "arcadia.example-1.opus"


class MemoryFiles:
    """A folder in memory, as `telcon.node.proof.files.Files`."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def paths(self) -> Sequence[str]:
        return sorted(self._files)

    def read(self, path: str, limit: int) -> bytes:
        if path not in self._files:
            raise StorageError(f"{path} could not be read")
        if len(self._files[path]) > limit:
            raise MalformedError(f"{path} is above {limit} octets")
        return self._files[path]

    def digest(self, path: str) -> tuple[str, int]:
        return sha256(self._files[path]).hexdigest(), len(self._files[path])


def export(
    line: SignedLine,
    out: Path,
    *,
    layer: str = "content",
    whole_log: bool = False,
    side: str = ARCADIA,
) -> dict[str, bytes]:
    """Export the call from one side and return the folder's files."""
    own = line.arcadia if side == line.arcadia.name else line.borealis
    peer = line.other(own)
    export_call(
        own.log,
        peer.log,
        own_card=own.card,
        peer_card=peer.card,
        call=CALL,
        out=out,
        layer=layer,
        whole_log=whole_log,
        recordings=[(RECORDING_NAME, [RECORDING])],
    )
    return read_folder(out)


def read_folder(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def resummed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files with SHA256SUMS made anew, as a forger would."""
    kept = {path: data for path, data in files.items() if path != SUMS}
    sums = {path: sha256(data).hexdigest() for path, data in kept.items()}
    return kept | {SUMS: format_sums(sums)}


def check(files: Mapping[str, bytes], keys: Keys | None = None) -> PathReport:
    return check_folder("folder", MemoryFiles(files), keys)


def check_forged(files: Mapping[str, bytes], keys: Keys | None = None) -> PathReport:
    """Check files of which a forger made SHA256SUMS anew."""
    return check(resummed(files), keys)


def card_keys(line: SignedLine) -> Keys:
    return keys_from_cards(line.cards)


def write_cards(line: SignedLine, folder: Path) -> list[Path]:
    paths = [folder / f"{card.name}.card" for card in line.cards]
    for path, card in zip(paths, line.cards, strict=True):
        path.write_bytes(format_key_card(card))
    return paths
