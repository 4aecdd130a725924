"""Docs and repository held to what they promise."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = re.compile(r"\b(RFC \d{4}|c2sp\.org/[a-z-]+|tlog-[a-z]+|signed-note)\b")


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split() if (ROOT / name).is_file()]


def test_every_spec_named_in_code_is_listed() -> None:
    listed = (ROOT / "docs" / "specs.md").read_text()
    for path in tracked("src/*.py"):
        for name in SPEC.findall(path.read_text()):
            bare = name.removeprefix("c2sp.org/")
            assert bare in listed, f"{path.name} names {name}, which docs/specs.md does not list"


def test_every_link_between_docs_leads_somewhere() -> None:
    for page in tracked("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_module_in_the_spec_list_exists() -> None:
    for module in re.findall(r"`(telcon\.[a-z_.]+)`", (ROOT / "docs" / "specs.md").read_text()):
        path = ROOT / "src" / Path(*module.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), module


def test_every_test_that_a_page_names_exists() -> None:
    tests = "".join(path.read_text() for path in tracked("tests/*.py"))
    settings = (ROOT / "src/telcon/node/settings.py").read_text()
    for page in tracked("*.md"):
        for name in re.findall(r"`(test_[a-z0-9_]+)`", page.read_text()):
            is_there = f"def {name}(" in tests or f" {name}:" in settings
            assert is_there, f"{page.name} names {name}"


@pytest.mark.parametrize("package", ["core", "node"])
def test_every_part_is_on_the_map(package: str) -> None:
    folder = ROOT / "src" / "telcon" / package
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`(?:telcon\.[a-z]+\.)?([a-z_]+)`", page))
    files = tracked(f"src/telcon/{package}/*.py")
    parts = {path.relative_to(folder).parts[0].removesuffix(".py") for path in files}
    assert parts - {"__init__"} <= named


# Spelled in pieces, so that this file does not find itself.
FORBIDDEN = [
    "/wo" + "rk/",
    "/ro" + "ot/",
    "py" + "pi.org",
    "python" + "hosted",
    "registry." + "npmjs",
    "deb." + "debian.org",
]


@pytest.mark.parametrize("word", FORBIDDEN)
def test_no_path_of_a_machine_and_no_registry_in_the_tree(word: str) -> None:
    found = subprocess.run(
        ["git", "grep", "-lIF", word], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.stdout == ""


def test_requirements_are_pinned_with_hashes() -> None:
    for path in tracked("requirements/*.txt"):
        pins = re.findall(r"^([a-z0-9.-]+)==", path.read_text(), re.MULTILINE)
        assert pins
        assert path.read_text().count("--hash=sha256:") >= len(pins)
