"""Switches as they are written: NAME[=VALUE][/WHERE][@SKIP][*TIMES].

    error-after=504/command@2*3     from the third command on, three are carried out and answered with 504

WHERE narrows a switch to one class of requests, SKIP chances pass before it strikes, and it strikes TIMES times
(`*always` for ever). What is left out comes from the catalogue.
"""

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

import attrs

from brokers.emulation.catalogue import CATALOGUE, EVERYWHERE, REPLIES, FaultKind, Part, Takes, Where


class FaultError(ValueError):
    """A switch that cannot be set; `text` is how it was written."""

    def __init__(self, text: str, why: str) -> None:
        self.text = text
        super().__init__(f"fault {text!r}: {why}; nothing was switched on")


@attrs.frozen
class Fault:
    """A switch that is on."""

    kind: FaultKind
    value: str
    where: frozenset[Where]
    skip: int
    times: int | None

    @property
    def count(self) -> int:
        """The value as a whole number."""
        return int(self.value)

    @property
    def seconds(self) -> float:
        """The value as a time."""
        return float(self.value)

    @property
    def status(self) -> tuple[int, int | None]:
        """The value as a status and the seconds of Retry-After."""
        status, _, after = self.value.partition(",")
        return int(status), int(after) if after else None


_SWITCH = re.compile(
    r"(?P<name>[a-z0-9-]+)(=(?P<value>[^/@*]*))?(/(?P<where>[a-z]+))?(@(?P<skip>\d{1,6}))?(\*(?P<times>\d{1,6}|always))?"
)
_STATUS = re.compile(r"[2-5]\d\d(,\d{1,5})?")


def possible_faults(parts: Iterable[Part]) -> tuple[str, ...]:
    """The names of the switches that a protocol with these parts has."""
    having = frozenset(parts)
    return tuple(name for name, kind in CATALOGUE.items() if kind.part in having)


def parse_fault(text: str, parts: Iterable[Part]) -> Fault:
    """Reads one switch for a protocol that has these parts; raises FaultError."""
    found = _SWITCH.fullmatch(text)
    if found is None:
        raise FaultError(text, "expected NAME[=VALUE][/WHERE][@SKIP][*TIMES], such as cut=20/command@1*2")
    kind = CATALOGUE.get(found["name"])
    possible = possible_faults(parts)
    listed = ", ".join(sorted(possible))
    if kind is None:
        raise FaultError(text, f"there is no such fault; there are {listed}")
    if kind.name not in possible:
        raise FaultError(text, f"this protocol has no {kind.part.value.replace('_', ' ')}; it can have {listed}")
    times = found["times"]
    return Fault(
        kind,
        _value(kind, text, found["value"]),
        _where(kind, text, found["where"]),
        int(found["skip"] or 0),
        kind.times if times is None else None if times == "always" else int(times),
    )


def _value(kind: FaultKind, text: str, value: str | None) -> str:
    if value is None:
        return kind.default
    if not _fits(kind, value):
        wanted = ", ".join(kind.words) if kind.words else kind.takes.value
        raise FaultError(text, f"expected {wanted} as its value, got {value!r}")
    return value


def _fits(kind: FaultKind, value: str) -> bool:
    match kind.takes:
        case Takes.NOTHING:
            return False
        case Takes.COUNT:
            return value.isascii() and value.isdigit() and int(value[:10]) > 0 and len(value) < 10
        case Takes.SECONDS:
            return _is_seconds(value) and (value[0] != "-" or kind.name == "clock-skew")
        case Takes.WORD:
            return value in kind.words
        case Takes.STATUS:
            return _STATUS.fullmatch(value) is not None


def _is_seconds(value: str) -> bool:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return False
    return number.is_finite() and abs(number) <= 86_400


def _where(kind: FaultKind, text: str, where: str | None) -> frozenset[Where]:
    if where is None:
        return kind.where
    allowed = places(kind)
    if where not in {one.value for one in allowed}:
        names = ", ".join(sorted(one.value for one in allowed)) or "no place of its own"
        raise FaultError(text, f"expected {names} after the slash, got {where!r}")
    return frozenset({Where(where)})


def places(kind: FaultKind) -> frozenset[Where]:
    """A fault of replies can hit any reply, one of lines any request; one of frames only streams."""
    if not kind.where:
        return frozenset()
    if kind.part is Part.LINE or kind.name == "hostile":
        return EVERYWHERE
    return REPLIES if kind.part is Part.REPLIES else kind.where
