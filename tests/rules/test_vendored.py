"""Files made elsewhere are the ones their manifest names, each with its licence."""

import hashlib
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "telcon"
FILES = tomllib.loads((PACKAGE / "vendored.toml").read_text())["file"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file["path"]))
def test_a_vendored_file_is_the_one_its_manifest_names(file: dict[str, str]) -> None:
    data = (PACKAGE / file["path"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == file["sha256"]
    assert all(file[member] for member in ("what", "name", "version", "source", "licence"))
    assert (PACKAGE / file["licence_file"]).read_text().strip()


def test_no_file_is_listed_twice() -> None:
    paths = [file["path"] for file in FILES]
    assert len(paths) == len(set(paths))
