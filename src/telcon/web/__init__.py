"""The principal's pages: what a browser is shown, and what it may ask for.

Thin by rule. `build_app` makes a Starlette application from three things that the node gives (a
`Desk`, a `SignIn`, an audit function); `serve` runs it inside the node's own loop. All that is
decided about calls is decided behind `Desk`: this package checks who asks (Host, Origin,
session), turns JSON into acts and errors into sentences, and carries full snapshots to the page
over one WebSocket. The page itself is a handful of ES modules in `static/`, without build step,
under a strict content policy; every sentence it shows stands in `words/`.
"""

from telcon.web.app import build_app
from telcon.web.desk_protocol import Audit, Desk, DeviceId, SignIn
from telcon.web.serving import serve

__all__ = ["Audit", "Desk", "DeviceId", "SignIn", "build_app", "serve"]
