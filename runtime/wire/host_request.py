"""What a well-formed request head means, and which meanings are refused; pure."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

import attrs

from runtime.wire.host_body import Body, ChunkedBody, LengthBody
from runtime.wire.host_errors import Refused
from runtime.wire.host_head import Headers, split_head
from runtime.wire.host_limits import HostLimits

_METHODS: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
_METHODS_WITH_BODY: Final = frozenset({b"POST", b"PUT", b"PATCH"})
_SPECIAL: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect"})
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_LENGTH: Final = re.compile(rb"[0-9]{1,19}")
_PATH: Final = re.compile(rb"(?!//)(?:/(?!\.\.?(?:[/;]|\Z))[A-Za-z0-9\-._~!$&'()*+,;=:@%]*)+")
_DOT_SEGMENT: Final = re.compile(rb"/\.\.?(?:[/;]|\Z)")
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_FORBIDDEN_ESCAPE: Final = re.compile(rb"%(?:[01][0-9A-F]|7F|2F|5C|25(?:2E|2F|5C|00))", re.IGNORECASE)
_WEBSOCKET_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


@attrs.frozen(eq=False)
class Request:
    """One request head that passed every check."""

    method: bytes
    path: str
    raw_path: bytes
    query: bytes
    version: str
    headers: Headers
    body: Body
    expects_continue: bool
    upgrades: bool
    keeps_alive: bool


def read_request(raw: bytes, limits: HostLimits) -> Request:
    """The request whose head has these bytes; raises Refused with the status and reason otherwise."""
    method, target, version, headers = split_head(raw)
    if version not in {b"1.1", b"1.0"}:
        raise Refused(505, "http_version")
    if method not in _METHODS:
        raise Refused(501, "method")
    special = _special_headers(headers)
    host = _checked_host(special.get(b"host", []), version)
    raw_path, query = _split_target(target, method, host)
    return Request(
        method=method,
        path=_decoded_path(raw_path),
        raw_path=raw_path,
        query=query,
        version=version.decode(),
        headers=headers,
        body=_framing(special, method, version, limits),
        expects_continue=_expects_continue(special.get(b"expect"), version),
        upgrades=_upgrades(special.get(b"upgrade", []), method, version),
        keeps_alive=version == b"1.1" and b"close" not in tokens(special.get(b"connection", [])),
    )


def _special_headers(headers: Headers) -> dict[bytes, list[bytes]]:
    """The headers that decide about framing and routing, each with all its values."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in _SPECIAL:
            found.setdefault(name, []).append(value)
    return found


def _checked_host(values: list[bytes], version: bytes) -> bytes | None:
    if not values and version == b"1.0":
        return None
    if len(values) != 1:
        raise Refused(400, "many_hosts" if values else "no_host")
    if _HOST.fullmatch(values[0]) is None:
        raise Refused(400, "bad_host")
    return values[0]


def _split_target(target: bytes, method: bytes, host: bytes | None) -> tuple[bytes, bytes]:
    """Raw path and query of a target; an absolute one must name the very host of the Host header."""
    if b"#" in target:
        raise Refused(400, "fragment")
    if not target.startswith(b"/"):
        if target == b"*" and method == b"OPTIONS":
            return b"*", b""
        target = _relative(target, host)
    path, _, query = target.partition(b"?")
    if b"%" in query and _BAD_ESCAPE.search(query):
        raise Refused(400, "bad_escape")
    return path, query


def _relative(target: bytes, host: bytes | None) -> bytes:
    scheme, _, rest = target.partition(b"://")
    end = min(place for place in (rest.find(b"/"), rest.find(b"?"), len(rest)) if place >= 0)
    if scheme.lower() != b"http" or host is None or rest[:end].lower() != host.lower():
        raise Refused(400, "bad_target")
    return rest[end:] if rest[end:].startswith(b"/") else b"/" + rest[end:]


def _decoded_path(raw_path: bytes) -> str:
    """The path with its escapes decoded; raises Refused (400) for one that could be read as another path."""
    if _PATH.fullmatch(raw_path) is None and raw_path != b"*":
        raise Refused(400, "dot_segment" if _DOT_SEGMENT.search(raw_path) else "bad_path")
    if b"%" not in raw_path:
        return raw_path.decode()
    if _BAD_ESCAPE.search(raw_path):
        raise Refused(400, "bad_escape")
    if _FORBIDDEN_ESCAPE.search(raw_path):
        raise Refused(400, "forbidden_escape")
    decoded = unquote_to_bytes(raw_path)
    if _DOT_SEGMENT.search(decoded):
        raise Refused(400, "dot_segment")
    try:
        return decoded.decode()
    except UnicodeDecodeError as error:
        raise Refused(400, "path_not_utf8") from error


def _framing(special: dict[bytes, list[bytes]], method: bytes, version: bytes, limits: HostLimits) -> Body:
    lengths, codings = special.get(b"content-length"), special.get(b"transfer-encoding")
    if codings is not None:
        _check_codings(codings, lengths, version)
        return ChunkedBody(limits)
    if lengths is None:
        if version == b"1.0" and method in _METHODS_WITH_BODY:
            raise Refused(411, "no_length")
        return LengthBody(0)
    if len(lengths) != 1:
        raise Refused(400, "many_lengths")
    if _LENGTH.fullmatch(lengths[0]) is None:
        raise Refused(400, "bad_length")
    length = int(lengths[0])
    if length > limits.body_bytes:
        raise Refused(413, "long_body")
    return LengthBody(length)


def _check_codings(codings: list[bytes], lengths: list[bytes] | None, version: bytes) -> None:
    if lengths is not None:
        raise Refused(400, "length_and_coding")
    if version == b"1.0":
        raise Refused(400, "coding_in_http_1_0")
    if [coding.lower() for coding in codings] != [b"chunked"]:
        raise Refused(501, "transfer_coding")


def _expects_continue(values: list[bytes] | None, version: bytes) -> bool:
    if values is None or version == b"1.0":
        return False
    if [value.lower() for value in values] != [b"100-continue"]:
        raise Refused(417, "expectation")
    return True


def _upgrades(values: list[bytes], method: bytes, version: bytes) -> bool:
    """Whether this asks for a WebSocket; an upgrade to anything else is ignored, as the standard allows."""
    if b"websocket" not in tokens(values):
        return False
    if method != b"GET" or version == b"1.0":
        raise Refused(400, "upgrade_needs_get")
    return True


def tokens(values: list[bytes]) -> list[bytes]:
    """The comma-separated members of all values of a header, lower-cased."""
    return [token.strip().lower() for value in values for token in value.split(b",")]


@attrs.frozen
class Handshake:
    """What a WebSocket handshake asks for."""

    key: bytes
    subprotocols: list[str]


def read_handshake(request: Request) -> Handshake:
    """The handshake in an upgrade request; raises Refused (400, or 426 for another version)."""
    if b"upgrade" not in tokens(_values(request, b"connection")):
        raise Refused(400, "upgrade_without_connection")
    if not request.body.complete:
        raise Refused(400, "upgrade_with_body")
    if _values(request, b"sec-websocket-version") != [b"13"]:
        raise Refused(426, "websocket_version", ((b"sec-websocket-version", b"13"),))
    keys = _values(request, b"sec-websocket-key")
    if len(keys) != 1 or _WEBSOCKET_KEY.fullmatch(keys[0]) is None:
        raise Refused(400, "websocket_key")
    return Handshake(keys[0], _subprotocols(_values(request, b"sec-websocket-protocol")))


def _values(request: Request, name: bytes) -> list[bytes]:
    return [value for key, value in request.headers if key == name]


def _subprotocols(values: list[bytes]) -> list[str]:
    names = [name.strip() for value in values for name in value.decode("latin-1").split(",")]
    if any(_TOKEN.fullmatch(name) is None for name in names):
        raise Refused(400, "subprotocol")
    return names
