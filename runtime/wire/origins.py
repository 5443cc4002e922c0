"""Where requests may go: exact origins, looked up as text, so that no parser can be talked into another host."""

import ipaddress
import re
import ssl
from collections.abc import Iterable

import attrs
import trio

from runtime.world import Network

_ORIGIN = re.compile(r"(https?|wss?)://(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class NotAllowed(Exception):
    """The URL leads to an origin that is not on the list; nothing left the process."""

    def __init__(self, origin: str, allowed: Iterable[str]) -> None:
        super().__init__(
            f"expected one of the origins {', '.join(allowed)}, got {origin}; "
            "add it to the broker's origins if it is meant"
        )
        self.origin = origin


@attrs.frozen
class Origin:
    """Scheme, host and port of a server."""

    scheme: str
    host: str
    port: int

    @property
    def secure(self) -> bool:
        """Whether it is reached through TLS."""
        return self.scheme in ("https", "wss")

    @property
    def authority(self) -> str:
        """What stands in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Origin":
        """Reads `https://host[:port]`; raises ValueError for anything else, and for plain text beyond loopback."""
        found = _ORIGIN.fullmatch(text.lower())
        if found is None:
            raise ValueError(f"expected an origin such as https://api.example.com, got {text!r}")
        scheme, host = found[1], found[2] or found[3]
        origin = cls(scheme, host, int(found[4] or _DEFAULT_PORTS[scheme]))
        if not 0 < origin.port < 65536:
            raise ValueError(f"expected a port from 1 to 65535, got {text!r}")
        if not origin.secure and not _is_loopback(host):
            raise ValueError(f"expected TLS for a host beyond this machine, got {text!r}; use {scheme}s://")
        return origin


class AllowList:
    """The origins one client may reach."""

    def __init__(self, *origins: str) -> None:
        self._origins = {text.lower(): Origin.parse(text) for text in origins}
        plain = {(origin.host, origin.port) for origin in self.origins if not origin.secure}
        secure = {(origin.host, origin.port) for origin in self.origins if origin.secure}
        if both := plain & secure:
            raise ValueError(f"expected each host and port either with TLS or without, got both for {both}")

    @property
    def origins(self) -> tuple[Origin, ...]:
        """All of them, in the order given."""
        return tuple(self._origins.values())

    def split(self, url: str) -> tuple[Origin, str]:
        """The listed origin of a URL and the rest exactly as given; raises NotAllowed for any other origin."""
        slash = url.find("/", url.find("://") + 3)
        text, target = (url, "/") if slash < 0 else (url[:slash], url[slash:])
        origin = self._origins.get(text.lower())
        if origin is None:
            raise NotAllowed(text, self._origins)
        return origin, target


async def dial(network: Network, origin: Origin, tls: ssl.SSLContext) -> trio.abc.Stream:
    """Opens a stream to an origin, through TLS where its scheme asks for it; raises OSError."""
    return await network.connect(origin.host, origin.port, tls=tls if origin.secure else None)


def reason_of(error: BaseException) -> str:
    """What an exception says, or else what its cause says, or else its name."""
    return str(error) or (reason_of(error.__cause__) if error.__cause__ else type(error).__name__)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
