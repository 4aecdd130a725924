"""docs/operating.md names every setting and every audit event, and none that is not there."""

import re
import tomllib
from pathlib import Path

from telcon.cli import main
from telcon.node.audit import AuditEvent
from telcon.node.settings import FILE_NAME

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_column(title: str) -> list[str]:
    rows = re.findall(r"^\| (`[^|]+`) \|", section(title), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_the_table_of_settings_is_that_of_a_node_toml(tmp_path: Path) -> None:
    who = ["--organisation", "Arcadia", "--principal", "Adrian Rey", "--office", "President"]
    assert main(["--data", str(tmp_path), "node", "init", "--name", "arcadia.example", *who]) == 0
    keys = []
    for key, value in tomllib.loads((tmp_path / FILE_NAME).read_text()).items():
        keys += [f"{key}.{inner}" for inner in value] if isinstance(value, dict) else [key]
    assert first_column("Settings") == keys


def test_the_table_of_the_audit_file_has_every_event_once() -> None:
    assert sorted(first_column("The audit file")) == sorted(AuditEvent)
