"""What changes the state of risk, as facts for the journal; `session` says whose fact it is."""

import datetime as dt
from decimal import Decimal
from typing import Any

import attrs

from brokers import codec
from brokers.instruments import sane
from brokers.sides import Side
from brokers.strict_json import Fault, InvalidJson, parse
from runtime.quick import quick


def _sound_or_none(value: Decimal | None) -> Decimal | None:
    return value if sane(value) else None


@quick
@attrs.frozen(weakref_slot=False)
class Placed:
    """An order is about to be sent; from now on it may fill.

    Of the orders that share a `group` only one can fill; one with a `parent` fills no further than its parent has.
    `worth` is the money value of one unit at the time.
    """

    session: str
    key: str
    symbol: str
    side: Side
    quantity: Decimal
    time_ns: int
    worth: Decimal | None = None
    group: str | None = None
    parent: str | None = None


@quick
@attrs.frozen(weakref_slot=False)
class ChangeAsked:
    """New terms are about to be sent: until that is settled the order may fill on either terms."""

    session: str
    key: str
    quantity: Decimal
    time_ns: int
    worth: Decimal | None = None


@quick
@attrs.frozen(weakref_slot=False)
class ChangeSettled:
    """The order stands at this quantity now, what is filled included."""

    session: str
    key: str
    quantity: Decimal


@quick
@attrs.frozen(weakref_slot=False)
class Filled:
    """A fill that was booked, once; `key` is None for one without an order of ours."""

    session: str
    key: str | None
    symbol: str
    side: Side
    quantity: Decimal


@quick
@attrs.frozen(weakref_slot=False)
class Closed:
    """The order fills no more, for good: filled, cancelled, rejected, expired, or never sent."""

    session: str
    key: str


@quick
@attrs.frozen(weakref_slot=False)
class Positioned:
    """What the session holds of a symbol by proof: a reconciliation, a bust, a roll."""

    session: str
    symbol: str
    quantity: Decimal


@quick
@attrs.frozen(weakref_slot=False)
class Marked:
    """What one unit of a symbol is worth now, in money."""

    session: str
    symbol: str
    worth: Decimal


@attrs.frozen
class Valued:
    """A session's whole profit since it exists: realised after fees, and unrealised; nonsense counts as not known.

    The first one of a session is where its day begins, so it comes before the first order.
    """

    session: str
    realised: Decimal | None = attrs.field(converter=_sound_or_none)
    unrealised: Decimal | None = attrs.field(converter=_sound_or_none)


@attrs.frozen
class DayBegan:
    """A scope's trading day began; without a session it is the portfolio's."""

    session: str | None
    day: dt.date


@attrs.frozen
class LossLifted:
    """An operator lets a scope take new risk after its daily loss; the loss counts from nought again."""

    session: str | None
    by: str


RiskEvent = (
    Placed | ChangeAsked | ChangeSettled | Filled | Closed | Positioned | Marked | Valued | DayBegan | LossLifted
)

_KINDS: dict[str, type[Any]] = {
    codec.tag(kind): kind
    for kind in (
        Placed,
        ChangeAsked,
        ChangeSettled,
        Filled,
        Closed,
        Positioned,
        Marked,
        Valued,
        DayBegan,
        LossLifted,
    )
}


def to_plain(event: RiskEvent) -> dict[str, Any]:
    """An event as plain JSON types with its `type`; raises Mismatch for a number without JSON."""
    return {"type": codec.tag(type(event)), **codec.unstructure(event)}


def from_json(document: str | bytes) -> RiskEvent:
    """The event in a JSON document; raises InvalidJson with all that is wrong."""
    return from_plain(parse(document))


def from_plain(raw: object) -> RiskEvent:
    """The event in parsed JSON; raises InvalidJson with all that is wrong."""
    if not isinstance(raw, dict) or raw.get("type") not in _KINDS:
        raise InvalidJson(Fault("$.type", f"expected one of {', '.join(sorted(_KINDS))}"))
    fields = {name: value for name, value in raw.items() if name != "type"}
    event: RiskEvent = codec.structure(fields, _KINDS[raw["type"]])
    return event
