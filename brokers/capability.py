"""What a broker can do: one frozen record that everything asks, and that no two fields of can contradict.

A broker without market data has no `data`, one without orders no `orders`; what exists is described whole.
"""

import enum
from collections.abc import Iterable
from typing import Final

import attrs

from brokers.instruments import Kind
from brokers.keys import KeyForm
from brokers.market import BarUnit, MarketStatus
from brokers.model import GroupKind, OrderType, TimeInForce
from brokers.outcome import Sign

SECOND_NS: Final = 1_000_000_000
_MARGIN_NS: Final = 5 * SECOND_NS


class Environment(enum.Enum):
    """Where orders are real and where they are not."""

    PAPER = "paper"
    LIVE = "live"


class Replace(enum.Enum):
    """What a change does to the broker's order id."""

    IN_PLACE = "in_place"
    NEW_ID = "new_id"
    NONE = "none"  # cancel, have it confirmed, then place anew


class KeyClass(enum.Enum):
    """What a broker does with our key when it comes a second time."""

    UNIQUE = "A"  # refused, or answered with the first order, for the key's lifetime
    UNIQUE_WHILE_OPEN = "B"  # refused while the first order is open only
    ECHOED = "C"  # stored and shown, not enforced
    ABSENT = "N"  # there is no such field


class Scope(enum.Enum):
    """Whose requests a rate limit counts together."""

    ADDRESS = "address"
    LOGIN = "login"
    ACCOUNT = "account"


class InvalidCapability(ValueError):
    """A capability record that contradicts itself; `problems` are all the contradictions."""

    def __init__(self, record: object, problems: tuple[str, ...]) -> None:
        super().__init__(f"{type(record).__name__} contradicts itself: {'; '.join(problems)}")
        self.record = record
        self.problems = problems


def _consistent(record: object, *rules: tuple[bool, str]) -> None:
    problems = tuple(problem for holds, problem in rules if not holds)
    if problems:
        raise InvalidCapability(record, problems)


@attrs.frozen
class RateLimit:
    """At most `count` of some requests in each window; `what` names them in the broker's terms."""

    what: str
    count: int
    window_ns: int
    scope: Scope = Scope.LOGIN

    def __attrs_post_init__(self) -> None:
        _consistent(
            self,
            (self.count > 0, f"count is {self.count}, expected at least 1"),
            (self.window_ns > 0, f"window_ns is {self.window_ns}, expected more than 0"),
        )


@attrs.frozen
class ClientKeys:
    """The broker's field for our order key: what it takes, what it does with it, and how long it remembers."""

    kind: KeyClass
    form: KeyForm | None = None  # how our keys are written for it
    alphabet: str = ""
    max_length: int = 0
    lifetime_ns: int | None = None  # of the uniqueness of class A; None: for ever
    query: bool = False  # an order can be asked for by its key

    def __attrs_post_init__(self) -> None:
        present, form = self.kind is not KeyClass.ABSENT, self.form
        _consistent(
            self,
            (present == (form is not None), "a form is needed exactly where the broker has a key field"),
            (present or not (self.query or self.alphabet or self.max_length), "no key field, yet it is described"),
            (form is None or form.length <= self.max_length, f"the form is longer than {self.max_length}"),
            (form is None or form.characters <= set(self.alphabet), "the form leaves the alphabet"),
            (
                self.lifetime_ns is None or (self.kind is KeyClass.UNIQUE and self.lifetime_ns > 0),
                "a lifetime belongs to class A and is more than 0",
            ),
        )


NO_KEYS: Final = ClientKeys(KeyClass.ABSENT)


@attrs.frozen
class DataSupport:
    """The market data a broker gives."""

    kinds: frozenset[Kind]
    quotes: bool = True
    trades: bool = False
    depth_levels: int = 0  # 0: no depth
    bars: frozenset[BarUnit] = frozenset()  # historical bars
    live_bars: bool = False

    def __attrs_post_init__(self) -> None:
        something = self.quotes or self.trades or self.depth_levels > 0 or bool(self.bars)
        _consistent(
            self,
            (bool(self.kinds), "data of no kind of instrument"),
            (something, "data, but no quotes, trades, depth or bars: leave `data` out"),
            (self.depth_levels >= 0, f"depth_levels is {self.depth_levels}, expected 0 or more"),
            (not self.live_bars or bool(self.bars), "live bars of no unit"),
        )


@attrs.frozen
class OrderSupport:
    """The orders a broker takes, and how it behaves with them."""

    kinds: frozenset[Kind]
    types: frozenset[OrderType]
    times_in_force: frozenset[TimeInForce]
    keys: ClientKeys
    effect_ns: int  # D: the longest time a request that was sent may still take effect
    visibility_ns: int  # L: how far the broker's answers may lag behind its books
    retention_ns: int | None  # how long finished orders can be asked for; None: for ever
    signs: tuple[Sign, ...]  # answers that prove an outcome, see brokers.outcome
    sessions: frozenset[MarketStatus] = frozenset({MarketStatus.OPEN})  # when it takes orders, if only to queue them
    groups: frozenset[GroupKind] = frozenset()  # what the broker keeps together, also while we are away
    oco_reduce: bool = False  # a part fill shrinks the siblings
    replace: Replace = Replace.NONE
    reduce_only: bool = False
    post_only: bool = False
    trail_percent: bool = False  # a trailing stop may follow by a share of the price
    fill_ids: bool = False  # executions have ids of their own
    fills_in_order_event: bool = False  # order events carry the price and size of the fill
    explicit_expiry: bool = False  # expired is told apart from cancelled
    async_rejects: bool = False  # an accepted order may still be rejected
    cancel_on_disconnect: bool = False

    def __attrs_post_init__(self) -> None:
        _consistent(
            self,
            (bool(self.kinds), "orders for no kind of instrument"),
            (bool(self.types), "orders of no type: leave `orders` out"),
            (bool(self.times_in_force), "orders with no time in force"),
            (bool(self.sessions), "orders at no time"),
            (self.effect_ns > 0, f"effect_ns is {self.effect_ns}, expected more than 0"),
            (self.visibility_ns >= 0, f"visibility_ns is {self.visibility_ns}, expected 0 or more"),
            (
                self.retention_ns is None or self.retention_ns > self.quiet_ns,
                f"finished orders vanish within the {self.quiet_ns} ns needed to prove their absence",
            ),
            (not self.oco_reduce or bool(self.groups), "siblings shrink, but there are no groups"),
            (not self.post_only or OrderType.LIMIT in self.types, "post-only without limit orders"),
            (
                not self.trail_percent or OrderType.TRAILING_STOP in self.types,
                "trailing by percent without trailing stops",
            ),
        )

    @property
    def quiet_ns(self) -> int:
        """T = D + L and a margin: after so long a silence, an order that is not found never was."""
        return self.effect_ns + self.visibility_ns + _MARGIN_NS


@attrs.frozen
class Capability:
    """The whole record of one broker."""

    broker: str
    environments: frozenset[Environment]
    data: DataSupport | None = None
    orders: OrderSupport | None = None
    limits: tuple[RateLimit, ...] = ()

    def __attrs_post_init__(self) -> None:
        _consistent(
            self,
            (bool(self.broker), "a broker without a name"),
            (bool(self.environments), "no environment"),
            (self.data is not None or self.orders is not None, "neither data nor orders"),
        )


def rows(record: Capability) -> list[tuple[str, str]]:
    """The record as (what, value) in plain words, for a table."""
    listed = [
        ("broker", record.broker),
        ("environments", _names(record.environments)),
        *_data_rows(record.data),
        *_order_rows(record.orders),
    ]
    return listed + [
        (f"limit: {limit.what}", f"{limit.count} in {_time(limit.window_ns)} per {limit.scope.value}")
        for limit in record.limits
    ]


def _data_rows(data: DataSupport | None) -> list[tuple[str, str]]:
    if data is None:
        return [("data", "no")]
    return [
        ("data", _names(data.kinds)),
        ("quotes", _yes(data.quotes)),
        ("trades", _yes(data.trades)),
        ("depth", f"{data.depth_levels} levels" if data.depth_levels else "no"),
        ("bars", _names(data.bars)),
        ("live bars", _yes(data.live_bars)),
    ]


def _order_rows(orders: OrderSupport | None) -> list[tuple[str, str]]:
    if orders is None:
        return [("orders", "no")]
    return [
        ("orders", _names(orders.kinds)),
        ("order types", _names(orders.types)),
        ("times in force", _names(orders.times_in_force)),
        ("taken while", _names(orders.sessions)),
        *((kind.value, _yes(kind in orders.groups)) for kind in GroupKind),
        ("siblings shrink", _yes(orders.oco_reduce)),
        ("replace", orders.replace.value),
        ("reduce-only", _yes(orders.reduce_only)),
        ("post-only", _yes(orders.post_only)),
        ("trail by percent", _yes(orders.trail_percent)),
        ("client key", _key_words(orders.keys)),
        ("query by key", _yes(orders.keys.query)),
        ("request may act for (D)", _time(orders.effect_ns)),
        ("answers may lag by (L)", _time(orders.visibility_ns)),
        ("finished orders kept", _time(orders.retention_ns)),
        ("definite signs", str(len(orders.signs))),
        ("execution ids", _yes(orders.fill_ids)),
        ("fills in order events", _yes(orders.fills_in_order_event)),
        ("expiry told apart", _yes(orders.explicit_expiry)),
        ("rejects after accepting", _yes(orders.async_rejects)),
        ("cancels on disconnect", _yes(orders.cancel_on_disconnect)),
    ]


def _key_words(keys: ClientKeys) -> str:
    if keys.form is None:
        return "none (class N)"
    lifetime = f", remembered {_time(keys.lifetime_ns)}" if keys.kind is KeyClass.UNIQUE else ""
    return f"class {keys.kind.value}, {keys.form.length} of {keys.max_length} characters{lifetime}"


def _names(members: Iterable[enum.Enum]) -> str:
    return ", ".join(sorted(str(member.value) for member in members)) or "no"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _time(duration_ns: int | None) -> str:
    """In the greatest unit of which it is a whole number, else in seconds."""
    if duration_ns is None:
        return "for ever"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if duration_ns and not duration_ns % (size * SECOND_NS):
            return f"{duration_ns // (size * SECOND_NS)} {unit}"
    return f"{duration_ns / SECOND_NS:g} s"
