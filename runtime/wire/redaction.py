"""Masks secrets in everything that people or files can see, and keeps every event on one line.

Two nets: what stands under a telling name (`authorization`, `access_token`, ...) is masked wherever it looks
like a value, in JSON, queries, forms, headers and Python's own prints of them; and every live secret that was
learned is masked wherever and however encoded it appears. All else stays as it was, to the last character.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

import attrs

from runtime.wire.disguises import disguises
from runtime.wire.secret import MASK, Secret

_MOST_CLEAN: Final = 1 << 20  # characters of texts that are known to hold no secret: the same are seen again and again
_SHORTEST: Final = 6  # a shorter value cannot be told from ordinary text; its name has to protect it

Span = tuple[int, int]
Place = tuple[int, str]  # where a value begins, and the backslashes before each quote there


@attrs.frozen
class Rules:
    """What tells a secret: names, any case, `_` and `-` optional, `*` for any ending; and patterns of frames.

    headers  header names whose whole value is secret
    fields   names in JSON, queries and forms whose value is secret
    frames   regular expressions; what their groups match is secret
    """

    headers: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    frames: tuple[str, ...] = ()

    def __or__(self, other: "Rules") -> "Rules":
        return Rules(self.headers | other.headers, self.fields | other.fields, self.frames + other.frames)


COMMON: Final = Rules(
    headers=frozenset(
        {
            "authorization",
            "proxy-authorization",
            "cookie",
            "set-cookie",
            "signature",
            "x-api-key",
            "x-auth-token",
            "x-mbx-apikey",
            "x-bapi-*",
            "apca-*",
            "cb-access-*",
        }
    ),
    fields=frozenset(
        {
            "access_token",
            "md_access_token",
            "refresh_token",
            "id_token",
            "auth_token",
            "oauth_token",
            "oauth_token_secret",
            "oauth_signature",
            "session_token",
            "live_session_token",
            "token",
            "jwt",
            "bearer",
            "api_key",
            "api_secret",
            "app_secret",
            "client_secret",
            "consumer_key",
            "consumer_secret",
            "user_secret",
            "secret_key",
            "private_key",
            "secret",
            "password",
            "passwd",
            "passphrase",
            "credential",
            "credentials",
            "signature",
            "sign",
            "code_verifier",
            "listen_key",
        }
    ),
)

_SHAPES: Final = (  # secrets that their own shape betrays; the last group is the secret
    re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----(.*?)(?:-----END|\Z)", re.DOTALL),
    re.compile(r"(eyJ(?<![\w-]eyJ)[\w-]{8,}+\.[\w-]++(?:\.[\w-]*)?)"),
    re.compile(r"://([^/\s@\"'?#]+)@"),
    re.compile(r"(?:bearer|Bearer|BEARER|basic|Basic|BASIC) +((?=[^\s\"',;]*\d)[\w.~+/=-]{8,}|[\w.~+/=-]{20,})"),
)
_KEYED: Final = re.compile(r"([\"'])([\w.-]{1,64})(\\*)\1\s*[:=]\s*")
_PAIRED: Final = re.compile(r"[(\[]\s*b?([\"'])([\w.-]{1,64})()\1\s*,\s*")
_BACKWARDS: Final = re.compile(r"[ \t]*([\w.-]+)")
_LONGEST_NAME: Final = 64
_SPACE: Final = re.compile(r"[ \t]*")
_SCALAR: Final = re.compile(r"[^\s,;&(){}\[\]<>\"'\\]*")
_NOTHING: Final = frozenset({"", "null", "none", "true", "false"})
_TOKENS: Final = re.compile(r"\"(?:[^\"\\]|\\.?)*+\"?|[\[\]{}]", re.DOTALL)
_TO_LINE_END: Final = re.compile(r"[^\r\n\"'<>\\]*")
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class Redactor:
    """Masks by the rules it was given and by the values it has learned; one for the whole process."""

    def __init__(self, *rules: Rules) -> None:
        self._rules = COMMON
        self._learned: Counter[bytes] = Counter()
        self._shapes: dict[bytes, set[str]] = {}
        self._disguises: frozenset[str] = frozenset()
        self._clean = _Clean()
        self.add(*rules)

    def add(self, *rules: Rules) -> None:
        """Takes in the names and frames of a broker."""
        for more in rules:
            self._rules |= more
        self._headers = _Names(self._rules.headers)
        self._names = _Names(self._rules.headers | self._rules.fields)
        self._frames = tuple(re.compile(frame) for frame in self._rules.frames)
        self._clean.clear()

    def learn(self, value: str | bytes | Secret) -> bool:
        """Masks this value from now on, in any encoding; returns False when it is too short for that.

        Learn each secret as soon as it is known. What was learned twice has to be forgotten twice.
        """
        raw = _raw(value)
        if len(raw) < _SHORTEST:
            return False
        self._learned[raw] += 1
        self._shapes[raw] = self._shapes.get(raw) or disguises(raw)
        self._disguises = frozenset().union(*self._shapes.values())
        self._clean.clear()
        return True

    def forget(self, value: str | bytes | Secret) -> None:
        """Stops masking a value that is worth nothing any more, such as a token long replaced."""
        raw = _raw(value)
        self._learned -= Counter((raw,))
        if raw not in self._learned:
            self._shapes.pop(raw, None)
            self._disguises = frozenset().union(*self._shapes.values())

    def text(self, text: str) -> str:
        """The text with every secret masked, and nothing else changed."""
        if text in self._clean:
            return text
        masked = _masked(text, self._spans(text))
        if masked is text:
            self._clean.add(text)
        return masked

    def line(self, text: str) -> str:
        """The text with every secret masked and on one line: control characters stand as their escapes."""
        return one_line(self.text(text))

    def body(self, data: str | bytes) -> str:
        """A body or frame as text, secrets masked; bytes that are no UTF-8 stand as their escapes."""
        return self.text(data if isinstance(data, str) else data.decode("utf-8", "backslashreplace"))

    def headers(self, headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """The headers with the secret ones masked."""
        return tuple((name, self._header_value(name, value)) for name, value in headers)

    def _header_value(self, name: str, value: str) -> str:
        return MASK if name in self._headers else self.text(value)

    def _spans(self, text: str) -> Iterator[Span]:
        for disguise in self._disguises:
            if disguise in text:
                yield from _occurrences(text, disguise)
        for shape in _SHAPES:
            yield from (found.span(found.lastindex or 0) for found in shape.finditer(text))
        for places in (
            self._quoted_names(_KEYED, text),
            self._quoted_names(_PAIRED, text),
            ((at + 1, "") for at in _names_before("=", text, self._names)),
        ):
            yield from _apart(places, partial(_value, text))
        yield from _apart(
            ((at + 1, "") for at in _names_before(":", text, self._headers)), partial(_rest_of_line, text)
        )
        for frame in self._frames:
            for found in frame.finditer(text):
                yield from (found.span(group) for group in range(1, frame.groups + 1))

    def _quoted_names(self, pattern: re.Pattern[str], text: str) -> Iterator[Place]:
        return ((found.end(), found[3]) for found in pattern.finditer(text) if found[2] in self._names)


class _Clean:
    """Texts in which nothing had to be masked: headers, addresses, answers that do not change; forgotten together."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._size = 0

    def __contains__(self, text: str) -> bool:
        return text in self._texts

    def add(self, text: str) -> None:
        """Takes a text in."""
        self._size += len(text)
        if self._size > _MOST_CLEAN:
            self.clear()
        else:
            self._texts.add(text)

    def clear(self) -> None:
        """Forgets them: what a secret is has changed."""
        self._texts.clear()
        self._size = 0


class _Names:
    """A set of names in which case, `-` and `_` do not count and a final `*` stands for any ending."""

    def __init__(self, names: Iterable[str]) -> None:
        plain = {_plain(name) for name in names}
        self._exact = frozenset(name for name in plain if not name.endswith("*"))
        self._prefixes = tuple(name[:-1] for name in plain if name.endswith("*"))

    def __contains__(self, name: str) -> bool:
        name = _plain(name)
        return name in self._exact or name.startswith(self._prefixes)


def one_line(text: str) -> str:
    """The text with line ends, control, direction and invisible characters as their escapes."""
    return _UNPRINTABLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _raw(value: str | bytes | Secret) -> bytes:
    if isinstance(value, Secret):
        value = value.reveal()
    return value.encode() if isinstance(value, str) else value


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def _apart(places: Iterable[Place], find: Callable[[int, str], Span]) -> Iterator[Span]:
    """The values at the places; none is looked for inside the one before, which keeps hostile text cheap."""
    done = 0
    for at, escape in places:
        if at >= done:
            span = find(at, escape)
            done = span[1]
            yield span


def _names_before(separator: str, text: str, names: "_Names") -> Iterator[int]:
    """Where a separator follows a bare name of the set, as in a query, a form or a line of headers."""
    return (at for at, _ in _occurrences(text, separator) if at and _name_before(text, at) in names)


def _name_before(text: str, at: int) -> str:
    found = _BACKWARDS.match(text[max(0, at - _LONGEST_NAME) : at][::-1])
    return found[1][::-1] if found else ""


def _rest_of_line(text: str, at: int, _: str) -> Span:
    return _match(_TO_LINE_END, text, _match(_SPACE, text, at)[1])


def _match(pattern: re.Pattern[str], text: str, at: int) -> Span:
    """The span of a pattern that matches everywhere, be it nothing."""
    found = pattern.match(text, at)
    return found.span() if found else (at, at)


def _occurrences(text: str, part: str) -> Iterator[Span]:
    at = text.find(part)
    while at >= 0:
        yield at, at + len(part)
        at = text.find(part, at + 1)


def _masked(text: str, spans: Iterable[Span]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end in _merged(spans):
        pieces += (text[done:start], MASK)
        done = end
    return "".join((*pieces, text[done:])) if pieces else text


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _value(text: str, at: int, escape: str) -> Span:
    """Where the value that begins at `at` lies; `escape` holds the backslashes before each quote around here."""
    if text[at : at + 1] == "b" and text[at + 1 : at + 2] in ("'", '"'):
        at += 1
    opening = at + len(escape)
    if text.startswith(escape, at) and text[opening : opening + 1] in ('"', "'"):
        return opening + 1, _string_end(text, opening + 1, text[opening], len(escape))
    if text[at : at + 1] in ("{", "["):
        return at, len(text) if escape else _container_end(text, at)
    start, end = _match(_SCALAR, text, at)
    return (start, start) if text[start:end].lower() in _NOTHING else (start, end)


def _string_end(text: str, start: int, quote: str, depth: int) -> int:
    """The end of a string whose quotes carry `depth` backslashes; a string that was cut off ends with the text."""
    at = text.find(quote, start)
    while at >= 0:
        backslashes = _backslashes_before(text, at, start)
        if backslashes >= depth and (backslashes - depth) % (2 * depth + 2) == 0:
            return at - depth
        at = text.find(quote, at + 1)
    return len(text)


def _backslashes_before(text: str, at: int, start: int) -> int:
    first = at
    while first > start and text[first - 1] == "\\":
        first -= 1
    return at - first


def _container_end(text: str, start: int) -> int:
    level = 0
    for token in _TOKENS.finditer(text, start):
        level += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if level == 0:
            return token.end()
    return len(text)
