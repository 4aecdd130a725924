"""The deadlines of the link, docs/protocol.md §5."""

from dataclasses import dataclass

__all__ = ["LinkTimes"]


@dataclass(frozen=True, slots=True)
class LinkTimes:
    """The link's deadlines, in seconds."""

    connect_s: float = 4.0
    """For the name to be found, and for TCP to come about at each address it has."""
    handshake_s: float = 10.0
    """From TCP to WebSocket, either side."""
    ping_s: float = 5.0
    """Between pings."""
    silence_s: float = 15.0
    """Nothing heard for so long: the connection is dead."""
    probe_s: float = 3.0
    """What a connection in doubt has to answer a ping."""
    linger_s: float = 2.0
    """What the peer has to close after we did."""
    first_backoff_s: float = 0.2
    """Upper bound of the first pause between rounds of dialling; it doubles."""
    longest_backoff_s: float = 30.0
    """Where the doubling stops."""
