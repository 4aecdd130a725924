"""`make demo ARGS="--check --out X"` where X is no folder: told before a call is made for it."""

from pathlib import Path

import pytest

from demo.__main__ import make_folder


@pytest.mark.parametrize("under", ["", "more/out"])
def test_a_file_in_the_folders_stead_is_told_in_one_sentence(under: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        make_folder(tmp_path / "file" / under)
    what, advice = str(ended.value).splitlines()
    assert "file" in what
    assert "cannot be used as a folder" in what
    assert "make demo ARGS=" in advice


def test_a_folder_that_is_there_or_not_yet_is_taken(tmp_path: Path) -> None:
    make_folder(tmp_path / "new" / "out")
    make_folder(tmp_path / "new" / "out")
    assert list((tmp_path / "new" / "out").iterdir()) == []
