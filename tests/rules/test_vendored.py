"""Files made elsewhere are the ones their manifests name, each with its licence."""

import hashlib
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MANIFESTS = (ROOT / "src" / "telcon" / "vendored.toml", ROOT / "tests" / "vendored.toml")
FILES = {
    manifest.parent / file["path"]: file
    for manifest in MANIFESTS
    for file in tomllib.loads(manifest.read_text())["file"]
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_vendored_file_is_the_one_its_manifest_names(path: Path) -> None:
    file = FILES[path]
    licence = str(path).removesuffix(file["path"]) + file["licence_file"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
    assert all(file[member] for member in ("what", "name", "version", "source", "licence"))
    assert Path(licence).read_text().strip()


def test_no_file_is_listed_twice() -> None:
    assert len(FILES) == sum(manifest.read_text().count("[[file]]") for manifest in MANIFESTS)
