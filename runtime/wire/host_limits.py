"""The bounds of the ASGI host: how much, how many and how long it grants to one client."""

import attrs
from attrs.validators import ge, gt, optional


@attrs.frozen(kw_only=True)
class HostLimits:
    """Every bound of the host; sizes are bytes, times are seconds, None switches an optional bound off."""

    request_line_bytes: int = attrs.field(default=8 * 1024, validator=gt(0))
    """A longer request line is refused with 414."""
    header_bytes: int = attrs.field(default=32 * 1024, validator=gt(0))
    """More header bytes, or more chunk extensions and trailers in one body, are refused with 431."""
    header_count: int = attrs.field(default=100, validator=gt(0))
    """More header lines are refused with 431."""
    body_bytes: int = attrs.field(default=1024 * 1024, validator=ge(0))
    """A longer request body is refused with 413, by its declared length or as soon as it passes the bound."""
    unread_body_bytes: int = attrs.field(default=64 * 1024, validator=ge(0))
    """What is read and thrown away of a body its handler left unread, before the connection is closed instead."""
    head_seconds: float = attrs.field(default=10.0, validator=gt(0))
    """A request head must be whole this long after its first byte, the first one after the connect; else 408."""
    body_idle_seconds: float = attrs.field(default=20.0, validator=gt(0))
    """A request body may pause this long; then 408."""
    keep_alive_seconds: float = attrs.field(default=60.0, validator=gt(0))
    """An idle connection is closed without a word after this time."""
    write_seconds: float = attrs.field(default=10.0, validator=gt(0))
    """A client that takes no bytes for this long is dropped."""
    handler_seconds: float | None = attrs.field(default=None, validator=optional(gt(0)))
    """A request's handler is cancelled after this time; 503 if its response has not begun."""
    grace_seconds: float = attrs.field(default=1.0, validator=ge(0))
    """A handler whose client left may finish by itself for this long before it is cancelled."""
    linger_seconds: float = attrs.field(default=1.0, validator=ge(0))
    """How long a closing connection still swallows bytes, so that its last words reach the client."""
    connections: int = attrs.field(default=512, validator=gt(0))
    """More connections at once are answered with 503 and closed."""
    requests_per_connection: int | None = attrs.field(default=None, validator=optional(gt(0)))
    """A connection is closed after this many requests."""
    websocket_message_bytes: int = attrs.field(default=1024 * 1024, validator=gt(0))
    """A longer WebSocket message is refused with close code 1009."""
    websocket_fragments: int = attrs.field(default=1024, validator=gt(0))
    """A WebSocket message in more fragments is refused with close code 1009."""
    websocket_backlog_bytes: int = attrs.field(default=1024 * 1024, validator=gt(0))
    """A send waits, up to the write deadline, while this much waits for the socket already."""
    websocket_close_seconds: float = attrs.field(default=5.0, validator=gt(0))
    """How long the host waits for the other half of a closing handshake it began."""
    ping_interval_seconds: float = attrs.field(default=20.0, validator=gt(0))
    """A WebSocket from which nothing came for this long is asked with a ping."""
    pong_seconds: float = attrs.field(default=20.0, validator=gt(0))
    """A WebSocket from which nothing came for this long after a ping is dropped."""
    lifespan_seconds: float = attrs.field(default=10.0, validator=gt(0))
    """The application's startup and its shutdown must each be done within this time."""
