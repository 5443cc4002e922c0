"""Times, spans of time and numbers as people read them; exact values are for machines and stand in the JSON."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

_MS_NS: Final = 1_000_000
_TENTHS_MS: Final = 60_000
_SECOND_NS: Final = 1_000_000_000
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60))


def moment(time_ns: int) -> str:
    """A time of day with its date, in UTC, to the millisecond."""
    seconds, rest = divmod(time_ns, _SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03}Z"


def clock(width: int | None) -> Callable[[int], str]:
    """How tables tell moments: exactly in a pipe, to the second and without the year on a terminal."""
    return moment if width is None else _short


def _short(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // _SECOND_NS, UTC):%m-%d %H:%M:%S}"


def span(duration_ns: int) -> str:
    """A span of time in its two greatest units."""
    seconds = max(duration_ns, 0) // _SECOND_NS
    for place, (unit, size) in enumerate(_UNITS):
        if seconds >= size:
            count, rest = divmod(seconds, size)
            return " ".join(filter(None, (f"{count} {unit}", _rest(rest, place + 1))))
    return f"{seconds} s"


def age(milliseconds: int | None) -> str:
    """How long ago something was, to the tenth of a second while that tells something; nothing where it never was."""
    if milliseconds is None:
        return ""
    return f"{milliseconds / 1000:.1f} s" if milliseconds < _TENTHS_MS else span(milliseconds * _MS_NS)


def _rest(seconds: int, place: int) -> str:
    unit, size = _UNITS[place] if place < len(_UNITS) else ("s", 1)
    return f"{seconds // size} {unit}" if seconds >= size else ""


def number(text: str | None) -> str:
    """An exact number without the zeros that say nothing; nothing where there is none."""
    if text is None:
        return ""
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(text: str) -> str:
    """An amount to the hundredth."""
    from decimal import Decimal  # noqa: PLC0415 - the status has no amounts and must be quick

    return f"{Decimal(text):,.2f}"


def listed(words: Iterable[str]) -> str:
    """The words with commas."""
    return ", ".join(words)
