"""The link between nodes: pinned TLS 1.3, WebSocket frames, either side dials; and pairing.

From the network upward: `secure_session` and `transport` (bytes over TCP), `tls` (keys and pins),
`connection` (WebSocket frames and deadlines, told to a `connection_owner`), `listener` and
`dialling` (how connections come about), `line_link` (which one of a line stays), `server` (all
lines of a node). `pairing`, with `invitation`, `statement` and `words`, is how two nodes come to
pin each other; `pairing_link` carries it. What frames mean is `telcon.core`'s.
"""
