"""Static files, of which modules and styles are served from memory.

A page asks for some sixty of them when it is opened, and from the disk each costs the loop several
turns in a thread. Sounds, pictures and fonts stay on the disk, where a player can ask for a part.
"""

import hashlib
import mimetypes
from functools import cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

__all__ = ["Files"]

KEPT = frozenset({".js", ".css", ".svg"})


class Files(StaticFiles):
    """The files below a folder; modules and styles as they were when the node was started."""

    def __init__(self, folder: Path) -> None:
        """Serve what lies in `folder`."""
        super().__init__(directory=folder)
        self._kept = _kept(folder)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer `GET` or `HEAD` of a file; see `StaticFiles`."""
        kept = self._kept.get(path)
        if kept is None or scope["method"] not in ("GET", "HEAD"):
            return await super().get_response(path, scope)
        data, kind, tag = kept
        response = Response(data, media_type=kind, headers={"etag": tag})
        if self.is_not_modified(response.headers, Headers(scope=scope)):
            return NotModifiedResponse(response.headers)
        return response


@cache
def _kept(folder: Path) -> dict[str, tuple[bytes, str | None, str]]:
    """Return content, type and entity tag by path."""
    found = {}
    for path in folder.rglob("*"):
        if path.suffix in KEPT and path.is_file():
            data = path.read_bytes()
            tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
            kind = mimetypes.guess_type(path.name)[0]
            found[path.relative_to(folder).as_posix()] = (data, kind, tag)
    return found
