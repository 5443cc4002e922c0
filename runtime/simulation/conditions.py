"""How a simulated connection behaves: the conditions of one direction, and the ways a connect can fail."""

import enum
import errno
import os
import random
import socket
import ssl
from collections.abc import Callable

import attrs

Latency = Callable[[random.Random], float]


def fixed(seconds: float) -> Latency:
    """Always the same delay; draws nothing from the generator."""
    return lambda _chance: seconds


def uniform(low: float, high: float) -> Latency:
    """A delay between low and high seconds, all equally likely."""
    return lambda chance: chance.uniform(low, high)


INSTANTLY = fixed(0.0)


class Ending(enum.Enum):
    """What happens to a connection that is cut."""

    RESET = "reset"  # both ends get BrokenResourceError, bytes under way are lost
    END = "end"  # both ends read a clean end of file, as after an orderly shutdown
    STALL = "stall"  # half-open: writes succeed until the buffer is full, nothing arrives any more


@attrs.frozen
class Cut:
    """Ends a connection when exactly `after` bytes have been read in that direction."""

    after: int = attrs.field(validator=attrs.validators.ge(0))
    how: Ending = Ending.RESET


@attrs.frozen
class Conditions:
    """What one direction of a link does to bytes.

    latency       drawn for each send; later bytes never overtake earlier ones of the same direction
    most_per_read a read returns 1 to so many bytes, drawn each time; None returns all that is there
    buffer        bytes under way or unread before the writer blocks
    cut           the fate of each new link under these conditions
    """

    latency: Latency = INSTANTLY
    most_per_read: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(1)))
    buffer: int = attrs.field(default=65536, validator=attrs.validators.ge(1))
    cut: Cut | None = None


class ConnectFailure(enum.Enum):
    """Why a connect does not succeed."""

    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNKNOWN_HOST = "unknown_host"
    TLS = "tls"

    def error(self, address: object) -> OSError:
        """The exception that the operating system or the TLS library would raise."""
        match self:
            case ConnectFailure.REFUSED:
                return ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED), str(address))
            case ConnectFailure.TIMEOUT:
                return _os_error(errno.ETIMEDOUT, address)
            case ConnectFailure.UNKNOWN_HOST:
                return socket.gaierror(socket.EAI_NONAME, f"name or service not known: {address}")
            case ConnectFailure.TLS:
                return ssl.SSLError(ssl.SSL_ERROR_SSL, f"TLS handshake failed with {address}")


def _os_error(code: int, address: object) -> OSError:
    return OSError(code, os.strerror(code), str(address))  # the constructor picks the fitting subclass
