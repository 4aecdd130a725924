"""A pair for each file of rows; it lives as long as its rows go well."""

import shutil
from collections.abc import Iterator

import pytest

from faults.keeper import Keeper


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    folder = tmp_path_factory.mktemp("faults")
    keeper = Keeper(folder)
    try:
        yield keeper
    finally:
        keeper.close()
        shutil.rmtree(folder, ignore_errors=True)
