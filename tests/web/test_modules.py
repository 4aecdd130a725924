"""The modules that a page announces are those that it loads, each once."""

from pathlib import Path

from browser.cdp import Page
from telcon.web.app import STATIC
from telcon.web.modules import modules_of
from web.serving import Served

LOADED_JS = """performance.getEntriesByType("resource")
    .map(({name}) => new URL(name).pathname).filter((path) => path.endsWith(".js"))"""


def test_modules_are_found_through_one_another_and_once(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "main.js").write_text(
        'import A from "./a.js";\nimport {\n  b,\n} from "./parts/b.js";\n'
    )
    (tmp_path / "a.js").write_text('import "./parts/b.js";\n// import "./never.js";\n')
    (tmp_path / "parts" / "b.js").write_text('import A from "../a.js";\n')
    assert modules_of(tmp_path, "main.js") == ["a.js", "parts/b.js"]


def test_the_page_loads_just_the_modules_that_it_announces(page: Page, pages: Served) -> None:
    page.wait_text("Elena Voss")
    announced = [f"/static/{name}" for name in ["main.js", *modules_of(STATIC, "main.js")]]
    assert sorted(page.evaluate(LOADED_JS)) == sorted(announced)
