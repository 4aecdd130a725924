"""The rooms of docs/architecture.md: imports point only upward, and the pure packages stay pure."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "telcon"

# A package may import what stands before it, and itself.
ORDER = ["telcon.errors", "telcon.ledger", "telcon.core", "telcon.node", "telcon.web", "telcon.cli"]
PURE = ["telcon.ledger", "telcon.core"]
IMPURE_MODULES = {
    "asyncio", "socket", "ssl", "sqlite3", "OpenSSL", "time", "random", "secrets", "os", "pathlib",
    "threading", "subprocess", "sqlalchemy", "websockets", "starlette", "uuid", "selectors",
}  # fmt: skip
PRIMITIVES = {"nacl", "cryptography", "OpenSSL"}
MEDIA_STACK = {"OpenSSL", "pylibsrtp", "aioice"}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[str]:
    for statement in ast.walk(ast.parse(path.read_text())):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, f"{path}: relative import"
            yield statement.module or ""
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)


def room(module: str) -> int | None:
    ranks = [n for n, name in enumerate(ORDER) if module == name or module.startswith(name + ".")]
    return ranks[-1] if ranks else None


MODULES = dict(modules())


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_only_upward(module: str) -> None:
    here = room(module)
    for imported in imports(MODULES[module]):
        there = room(imported)
        if here is not None and there is not None:
            assert there <= here, f"{module} imports {imported}"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith(tuple(PURE))])
def test_pure_packages_do_no_io_and_own_no_clock(module: str) -> None:
    roots = {imported.split(".")[0] for imported in imports(MODULES[module])}
    assert not roots & IMPURE_MODULES


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith(tuple(PURE))])
def test_signing_alone_touches_primitives(module: str) -> None:
    roots = {imported.split(".")[0] for imported in imports(MODULES[module])}
    if module != "telcon.ledger.signing":
        assert not roots & PRIMITIVES


@pytest.mark.parametrize("module", MODULES)
def test_the_media_stack_is_met_in_one_folder(module: str) -> None:
    roots = {imported.split(".")[0] for imported in imports(MODULES[module])}
    if not module.startswith("telcon.node.media"):
        assert not roots & MEDIA_STACK


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_named_for_nothing(module: str) -> None:
    assert module.rsplit(".", 1)[-1] not in {
        "helpers",
        "utils",
        "util",
        "manager",
        "common",
        "misc",
    }


def test_the_web_is_met_only_above_the_node() -> None:
    for module, path in MODULES.items():
        if not module.startswith(("telcon.web", "telcon.cli")):
            roots = {imported.split(".")[0] for imported in imports(path)}
            assert not roots & {"starlette", "uvicorn", "jinja2"}, module
