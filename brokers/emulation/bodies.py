"""Bodies that no client should trust: wrong answers to a request, and input that breaks careless parsers; pure."""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping

import attrs

MEBIBYTE = 1 << 20
_DEPTH = 100_000
_DIGITS = 5_000
_STRANGER = "99999999"


@attrs.frozen
class Body:
    """Bytes and the headers that go with them; `endless` bodies are sent again and again."""

    data: bytes
    headers: tuple[tuple[str, str], ...] = ()
    endless: bool = False


def wrong(word: str, body: bytes, accounts: Iterable[str]) -> bytes:
    """A reply of success that is empty, truncated, no JSON, of another schema or account, or has more fields."""
    match word:
        case "empty":
            return b""
        case "truncated":
            return body[: len(body) // 2]
        case "not-json":
            return b"<html><body><h1>Bad Gateway</h1></body></html>"
        case "wrong-schema":
            return json.dumps({"data": [json.loads(body or b"null")], "version": 9}).encode()
        case "wrong-account":
            for account in accounts:
                body = body.replace(account.encode(), _STRANGER.encode())
            return body
        case _:
            return json.dumps(_extended(json.loads(body or b"{}"))).encode()


def _extended(value: object) -> object:
    """The value with a field in each object that nobody has heard of."""
    if isinstance(value, dict):
        return {**{key: _extended(one) for key, one in value.items()}, "XNewField": {"Nested": [1, None, "x"]}}
    if isinstance(value, list):
        return [_extended(one) for one in value]
    return value


def hostile(word: str) -> Body:
    """Input of one kind that a parser must refuse, and survive."""
    return _HOSTILE[word]()


def _bomb() -> Body:
    """64 MiB of noughts in some 64 KiB."""
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join([*(packer.compress(b"0" * MEBIBYTE) for _ in range(64)), packer.flush()])
    return Body(packed, (("content-encoding", "gzip"),))


_HOSTILE: Mapping[str, Callable[[], Body]] = {
    "huge": lambda: Body(b'{"Padding":"' + b"x" * (64 * MEBIBYTE) + b'"}'),
    "deep": lambda: Body(b"[" * _DEPTH + b"]" * _DEPTH),
    "nan": lambda: Body(b'{"Last":NaN,"Bid":NaN,"Quantity":NaN}'),
    "infinite": lambda: Body(b'{"Last":1e999,"Bid":-1e999,"Quantity":1e999}'),
    "long-number": lambda: Body(b'{"Quantity":' + b"9" * _DIGITS + b"}"),
    "bad-utf8": lambda: Body(b'{"Symbol":"\xff\xfe\xc3("}'),
    "nul": lambda: Body(b'{"Symbol":"ES\x00Z26"}\x00'),
    "duplicate-keys": lambda: Body(b'{"OrderID":"1","OrderID":"2","Quantity":"1","Quantity":"-1"}'),
    "bomb": _bomb,
    "long-header": lambda: Body(b"{}", (("x-padding", "x" * MEBIBYTE),)),
    "endless": lambda: Body(b" " * 65_536, endless=True),
}
