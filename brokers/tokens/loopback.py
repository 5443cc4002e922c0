"""Where the browser arrives after a login: one page on this machine, for one login, for one visit.

It listens on the loopback address only, takes a single redirect that carries the state of the question, and is
gone. What is forged, repeated or meant for somebody else gets a refusal and changes nothing.
"""

import hmac
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import trio

from brokers.tokens.drive import Person
from brokers.tokens.flow import AskHuman, HumanNeeded
from runtime.wire.host import Message, Receive, Send, serve
from runtime.world import Network

_HOSTS: Final = frozenset({"127.0.0.1", "localhost"})
_MOST_PARAMETERS: Final = 20
_FAREWELL_SECONDS: Final = 2.0
_HEADERS: Final = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
_PAGE: Final = "<!doctype html><html lang=en><title>pitboss</title><h1>{}</h1><p>{}</p></html>\n"
_WELCOME: Final = (200, "You are logged in here", "pitboss has what it needs. You may close this window.")
_DECLINED: Final = (200, "No login", "The broker reports that the login was not granted. You may close this window.")
_FORGED: Final = (400, "Not this login", "This address does not belong to the login in progress. Nothing was changed.")
_USED: Final = (410, "Already used", "This login has been taken already. Nothing was changed.")
_NOTHING: Final = (404, "Nothing here", "pitboss waits for a login at another address.")

Page = tuple[int, str, str]


def at_loopback(network: Network, show: Callable[[str], None], tls: ssl.SSLContext | None = None) -> Person:
    """A person at a browser on this machine: `show` opens or prints the address; `tls` serves an https redirect."""

    async def person(question: AskHuman) -> Mapping[str, str]:
        return await await_redirect(network, question, lambda: show(question.address), tls)

    return person


async def await_redirect(
    network: Network, question: AskHuman, listening: Callable[[], None], tls: ssl.SSLContext | None = None
) -> Mapping[str, str]:
    """The parameters of the one redirect that answers the question; calls `listening` when it may come.

    Raises HumanNeeded when the address cannot be listened at, ValueError when it is not on this machine.
    """
    listeners = await _listen(network, question.redirect_uri, tls)
    reception = _Reception(question)
    async with trio.open_nursery() as nursery:
        host = await nursery.start(partial(serve, reception, listeners))
        listening()
        await reception.arrived.wait()
        host.drain(_FAREWELL_SECONDS)
    return reception.parameters


async def _listen(
    network: Network, redirect_uri: str, tls: ssl.SSLContext | None
) -> list[trio.abc.Listener[trio.abc.Stream]]:
    url = urlsplit(redirect_uri)
    if url.hostname not in _HOSTS or url.scheme not in ("http", "https"):
        raise ValueError(f"expected a redirect to http(s)://127.0.0.1 or localhost, got {redirect_uri!r}")
    if (url.scheme == "https") != (tls is not None):
        raise HumanNeeded(
            f"the redirect {redirect_uri} needs a certificate of this machine, or none if it is http; "
            "paste the address at which the browser ends instead"
        )
    port = url.port or (443 if tls else 80)
    try:
        plain = await network.listen("127.0.0.1", port)
    except OSError as error:
        raise HumanNeeded(
            f"cannot listen at 127.0.0.1:{port} for the redirect ({error}); free the port, or paste the address "
            "at which the browser ends"
        ) from None
    return list(plain) if tls is None else [trio.SSLListener(listener, tls) for listener in plain]


def pasted_redirect(text: str, question: AskHuman) -> Mapping[str, str]:
    """The parameters of a redirect whose address a person copied; raises HumanNeeded when it is another address."""
    url, wanted = urlsplit(text.strip()), urlsplit(question.redirect_uri)
    if (url.scheme, url.netloc, url.path or "/") != (wanted.scheme, wanted.netloc, wanted.path or "/"):
        raise HumanNeeded(
            f"expected the address at which the browser ended, beginning with {question.redirect_uri}, "
            "got another one (it is not shown); copy it whole and try again"
        )
    return _parameters(url.query)


def _parameters(query: str) -> dict[str, str]:
    """The parameters of a query; none when it is broken, too long or names one twice."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        return {}
    parameters = dict(pairs)
    return parameters if len(parameters) == len(pairs) else {}


class _Reception:
    """The page behind the redirect, as an ASGI application."""

    def __init__(self, question: AskHuman) -> None:
        url = urlsplit(question.redirect_uri)
        self._path = url.path or "/"
        self._hosts = {host + url.netloc.removeprefix(url.hostname or "") for host in _HOSTS}
        self._state = question.state.reveal().encode()
        self.parameters: Mapping[str, str] = {}
        self.arrived = trio.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _answer(send, self._visited(scope))

    def _visited(self, scope: Message) -> Page:
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()
        if scope["method"] != "GET" or scope["path"] != self._path or host not in self._hosts:
            return _NOTHING
        parameters = _parameters(scope["query_string"].decode("latin-1"))
        if not hmac.compare_digest(parameters.get("state", "").encode(), self._state):
            return _FORGED
        if self.arrived.is_set():
            return _USED
        self.parameters = parameters
        self.arrived.set()
        return _WELCOME if parameters.get("code") and "error" not in parameters else _DECLINED


async def _answer(send: Send, page: Page) -> None:
    status, title, text = page
    await send({"type": "http.response.start", "status": status, "headers": list(_HEADERS)})
    await send({"type": "http.response.body", "body": _PAGE.format(title, text).encode()})
