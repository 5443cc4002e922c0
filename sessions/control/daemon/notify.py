"""What the service manager is told, by its protocol: lines of text in one datagram to the socket that it named."""

import socket
from collections.abc import Mapping
from typing import Final, Self

import attrs

_ABSTRACT: Final = "@"
_MICROSECONDS: Final = 1_000_000

READY: Final = "READY=1"
WATCHDOG: Final = "WATCHDOG=1"


def ready(sentence: str) -> str:
    """All is up."""
    return f"{READY}\nSTATUS={_line(sentence)}"


def stopping(sentence: str) -> str:
    """The end has begun."""
    return f"STOPPING=1\nSTATUS={_line(sentence)}"


def reloading(monotonic_ns: int) -> str:
    """The settings are read again; READY follows."""
    return f"RELOADING=1\nMONOTONIC_USEC={monotonic_ns // 1_000}"


def _line(sentence: str) -> str:
    return " ".join(sentence.split())


@attrs.frozen
class ServiceManager:
    """Who started us, if it wants to hear; `watchdog_s` is how long it waits for a sign of life (None: it does not)."""

    address: str | None
    watchdog_s: float | None

    @classmethod
    def of(cls, environ: Mapping[str, str], pid: int) -> Self:
        """As the environment tells it; one that names no socket, or another process, hears nothing."""
        named = environ.get("NOTIFY_SOCKET", "")
        address = named if named[:1] in ("/", _ABSTRACT) else None
        meant = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        wait = environ.get("WATCHDOG_USEC", "")
        watched = meant and address is not None and wait.isdigit() and int(wait) > 0
        return cls(address, int(wait) / _MICROSECONDS if watched else None)

    def tell(self, text: str) -> bool:
        """Sends one datagram and does not wait; whether it left."""
        if self.address is None:
            return False
        target = "\0" + self.address[1:] if self.address.startswith(_ABSTRACT) else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as sock:
                sock.sendto(text.encode(), target)
        except OSError:
            return False  # the manager is busy or gone; trading goes on
        return True
