"""The link between nodes: pinned TLS 1.3, WebSocket frames, either side dials; and pairing.

From the network upward: `transport` (bytes over TCP and a secure session), `tls` (keys, pins, the
session), `connection` (WebSocket frames and deadlines), `listener` and `dialling` (how connections
come about), `line_link` (which one of a line stays), `server` (all lines of a node). `pairing` is
how two nodes come to pin each other. What frames mean is `telcon.core`'s.
"""
