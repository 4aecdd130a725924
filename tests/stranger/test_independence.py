"""The stranger shares no code with telcon; what it finds would else prove nothing."""

import ast
from pathlib import Path


def test_the_stranger_imports_nothing_of_telcon() -> None:
    for path in Path(__file__).parent.glob("*.py"):
        for statement in ast.walk(ast.parse(path.read_text())):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in statement.names]
                module = getattr(statement, "module", None) or ""
                assert not any(f"{module}.{name}".strip(".").startswith("telcon") for name in names)
