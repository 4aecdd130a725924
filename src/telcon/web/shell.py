"""What makes the page installable: its manifest, and the service worker with what it may keep.

The worker keeps the *shell* alone: modules, styles, fonts, pictures and the page that says that the
node cannot be reached. It never sees a snapshot, a message or a name. The shell's version is the
hash of all its files, so that each release of telcon, and each language, has a cache of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from telcon.web.words import catalogue, spoken

# Scripts of other alphabets are kept when they were needed: four times the size of all the rest.
KEPT = (".js", ".css", ".svg", ".png", "latin-wght-normal.woff2")
WORKER = "sw.js"
WORKER_WORDS = ("push.title", "push.text", "push.missed", "push.missed.text")
GREEN, PAPER = "#0b665f", "#f6f4ef"


class Shell:
    """The manifest and the worker of one node."""

    def __init__(self, static: Path, called: str, offline: Callable[[], str]) -> None:
        """Serve the files in `static`; `called` names the node, `offline` renders its page."""
        self._static = static
        self._called = called
        self._offline = offline
        self._worker = cache(self._render_worker)

    async def worker(self, request: Request) -> Response:
        """Answer `GET /sw.js`: the worker, with its version, its files and its words filled in."""
        headers = {"Vary": "Accept-Language, Cookie"}
        return Response(self._worker(spoken.get()), media_type="text/javascript", headers=headers)

    async def manifest(self, request: Request) -> Response:
        """Answer `GET /manifest.webmanifest`."""
        words = catalogue()
        name = words["app.name"].replace("{organisation}", self._called)
        return JSONResponse(
            {
                "id": "/",
                "start_url": "/",
                "scope": "/",
                "name": name,
                "short_name": words["title"],
                "description": words["app.description"],
                "lang": words["language"],
                "dir": words["direction"],
                "display": "standalone",
                "background_color": PAPER,
                "theme_color": PAPER,
                "categories": ["communication"],
                "icons": _icons(),
                "shortcuts": [{"name": words["lines"], "url": "/#"}],
            },
            media_type="application/manifest+json",
            headers={"Vary": "Accept-Language, Cookie"},
        )

    def _render_worker(self, language: str) -> str:
        files = sorted(
            path for path in self._static.rglob("*") if path.name.endswith(KEPT) and _is_kept(path)
        )
        names = [f"/static/{path.relative_to(self._static).as_posix()}" for path in files]
        code = (self._static / WORKER).read_text(encoding="utf-8")
        version = hashlib.sha256(f"{language}{code}{self._offline()}".encode())
        for name, path in zip(names, files, strict=True):
            version.update(name.encode() + hashlib.sha256(path.read_bytes()).digest())
        words = catalogue(language)
        shell = {
            "version": version.hexdigest()[:16],
            "files": ["/offline", *names],
            "lang": words["language"],
            "dir": words["direction"],
            "words": {key: words[key] for key in WORKER_WORDS},
        }
        return f"const SHELL = {json.dumps(shell, ensure_ascii=True)};\n{code}"


def _is_kept(path: Path) -> bool:
    return path.name != WORKER


def _icons() -> list[dict[str, str]]:
    sizes = [("icon-192.png", "192x192", "any"), ("icon-512.png", "512x512", "any")]
    sizes += [
        ("maskable-192.png", "192x192", "maskable"),
        ("maskable-512.png", "512x512", "maskable"),
    ]
    found = [
        {"src": f"/static/icons/{name}", "sizes": size, "type": "image/png", "purpose": purpose}
        for name, size, purpose in sizes
    ]
    return [*found, {"src": "/static/line.svg", "sizes": "any", "type": "image/svg+xml"}]
