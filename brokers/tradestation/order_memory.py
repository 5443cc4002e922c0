"""What was seen of each order, and the news in the next sight of it: a pure fold of records into events.

TradeStation tells cumulative quantities and no executions, so a fill is what a record counts beyond the one before.
Fills are made only of an order whose whole life was watched; of one that is older than our watch its quantity is
told as it stands, and the books, which may know some of its fills, work out the rest.
"""

from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

import attrs

from brokers.errors import Code
from brokers.executions import Execution, Executions, implied_fill
from brokers.gateway import OrderNews
from brokers.guards.timeline import SECOND_NS
from brokers.instruments import EXACT
from brokers.model import Change, Fill, Order, OrderState
from brokers.order_events import (
    Busted,
    CancelRefused,
    Corrected,
    Event,
    Filled,
    Rejected,
    ReplaceConfirmed,
    ReplaceRefused,
    Snapshot,
)
from brokers.sides import Side
from brokers.tradestation.settings import BROKER
from brokers.tradestation.wire import BadPayload
from brokers.tradestation.wire_orders import LIVE, Seen

KEEP_FINISHED: Final = 20_000
KEEP_FILLS: Final = 20_000
MARGIN_NS: Final = 60 * SECOND_NS  # an order made this soon after our start, by the broker's clock, may be older
_ZERO: Final = Decimal(0)
_CORRECTIONS: Final = frozenset({"COR", "BRO"})
_TERMS: Final = ("quantity", "limit_price", "stop_price", "trail_offset", "trail_percent")


@attrs.define(eq=False)
class _Watch:
    """One order: the last sight, what is counted of it, the fills made of it (which are all, or none), their fees."""

    key: str | None = None
    about: tuple[str, Side] | None = None  # of an order that we placed
    seen: Seen | None = None
    known: Executions = attrs.field(factory=Executions)
    fills: list[Fill] = attrs.field(factory=list)
    fees: Decimal = _ZERO
    whole: bool = False  # its life was watched from its beginning
    based: bool = False  # of an older one: the count that its further fills are measured from is certain
    restated: int = 0
    void: Decimal = _ZERO  # the count before it was put right: a list that shows no more is older than that


class OrderMemory:
    """The orders of all accounts of a login."""

    def __init__(
        self, started_ns: int, *, began_ns: Callable[[], int | None] = lambda: None, keep: int = KEEP_FINISHED
    ) -> None:
        """`began_ns` says when `started_ns` was at the latest by the broker's clock, once anybody knows."""
        self._started_ns = started_ns
        self._began_ns = began_ns
        self._settled_ns = started_ns + MARGIN_NS
        self._forgotten_ns = 0  # when the latest order was made that was forgotten since
        self._keep = keep
        self._watches: dict[str, _Watch] = {}
        self._ids: dict[str, str] = {}  # our key -> the broker's id
        self._finished: deque[str] = deque()
        self._fills: deque[Fill] = deque(maxlen=KEEP_FILLS)

    def expect(self, order_id: str, order: Order, now_ns: int) -> tuple[OrderNews, ...]:
        """Learns the id of an order that we have just placed; the news in what was seen of it before the answer came.

        All that was done of it was done since, so its life is watched from its beginning.
        """
        before = self._watches.get(order_id)
        watch = before if before is not None and before.whole and _fits(before, order) else _Watch(whole=True)
        watch.key, watch.about = order.key, _about(order)
        self._watches[order_id], self._ids[order.key] = watch, order_id
        if before is None or before is watch or before.seen is None:
            return ()
        self._fills = deque((fill for fill in self._fills if fill.broker_order_id != order_id), maxlen=KEEP_FILLS)
        return self.take(before.seen, now_ns) if _fits(before, order) else ()

    def key_of(self, order_id: str) -> str | None:
        """Our key of an order, where it was placed by this process and not so long ago."""
        watch = self._watches.get(order_id)
        return None if watch is None else watch.key

    def id_of(self, key: str) -> str | None:
        """The broker's id of an order that this process placed."""
        return self._ids.get(key)

    def seen(self, order_id: str) -> Seen | None:
        """The last sight of an order."""
        watch = self._watches.get(order_id)
        return None if watch is None else watch.seen

    def fills_since(self, account: str, since_ns: int) -> tuple[Fill, ...]:
        """The fills that were made of records, oldest first."""
        found = (self._keyed(fill) for fill in self._fills if fill.account == account and fill.time_ns >= since_ns)
        return tuple(sorted(found, key=lambda fill: fill.time_ns))

    def take(self, seen: Seen, now_ns: int, *, listed: bool = False) -> tuple[OrderNews, ...]:
        """What a sight brings to light; one from a list, which may be older than the stream, counts if it is ahead.

        One that cannot be is not believed: raises BadPayload, but from a list it is passed over, for there the books
        judge it.
        """
        watch = self._watch(seen)
        wrong = _fault(watch, seen)
        if wrong is not None:
            if listed:
                return ()
            raise wrong
        before = watch.seen
        correction = seen.status in _CORRECTIONS
        stale = seen.filled < watch.known.quantity and not correction
        if stale or seen == before or (listed and before is not None and not _ahead(seen, watch)):
            return ()
        events: list[Event] = list(
            _restatement(watch, seen, now_ns) if correction else self._executions(watch, seen, now_ns)
        )
        if before is not None:
            events += _new_terms(watch, before, seen)
        events += _word(seen)
        watch.seen = seen
        if seen.final and (before is None or not before.final):
            self._finish(seen)
        self._keep_fills(events)
        return tuple(OrderNews(seen.account, watch.key, seen.order_id, event, now_ns) for event in events)

    def keyed(self, news: OrderNews) -> OrderNews:
        """The news under our key, which may have become known since they were made."""
        key = self.key_of(news.broker_order_id or "")
        event = news.event
        if isinstance(event, Filled | Corrected):
            event = attrs.evolve(event, fill=self._keyed(event.fill))
        return attrs.evolve(news, key=key, event=event)

    def _watch(self, seen: Seen) -> _Watch:
        watch = self._watches.get(seen.order_id)
        if watch is None:
            watch = self._watches[seen.order_id] = _Watch(whole=seen.opened_ns > self._old_until_ns())
        return watch

    def _executions(self, watch: _Watch, seen: Seen, now_ns: int) -> Iterator[Event]:
        if not (watch.whole or watch.based):
            # Shortly after our start a list may lag behind what the books know already.
            value = EXACT.multiply(seen.filled, seen.average or _ZERO)
            watch.known = attrs.evolve(watch.known, quantity=seen.filled, value=value)
            watch.fees = seen.fees
            watch.based = now_ns > self._settled_ns and (not seen.filled or seen.average is not None)
        elif seen.filled > watch.known.quantity and seen.average is not None:
            yield Filled(_counted(watch, seen, now_ns, seen.average))

    def _keep_fills(self, events: list[Event]) -> None:
        void = {event.execution_id for event in events if isinstance(event, Busted | Corrected)}
        if void:
            self._fills = deque((fill for fill in self._fills if fill.id not in void), maxlen=KEEP_FILLS)
        self._fills.extend(event.fill for event in events if isinstance(event, Filled | Corrected))

    def _keyed(self, fill: Fill) -> Fill:
        key = self.key_of(fill.broker_order_id or "")
        return fill if key == fill.order_key else attrs.evolve(fill, order_key=key)

    def _old_until_ns(self) -> int:
        """An order made later, by the broker's stamp, was watched from its beginning."""
        began_ns = self._began_ns()
        return max((self._started_ns if began_ns is None else began_ns) + MARGIN_NS, self._forgotten_ns)

    def _finish(self, seen: Seen) -> None:
        """Forgets the orders that were finished longest ago; should one show up again, it counts as old."""
        self._finished.append(seen.order_id)
        while len(self._finished) > self._keep:
            watch = self._watches.pop(self._finished.popleft(), None)
            if watch is None or watch.seen is None:
                continue
            self._forgotten_ns = max(self._forgotten_ns, watch.seen.opened_ns)
            if watch.key is not None:
                self._ids.pop(watch.key, None)


def _about(order: Order) -> tuple[str, Side]:
    return order.symbol, order.side


def _fits(watch: _Watch, order: Order) -> bool:
    """Whether all that was seen may be of this order."""
    return watch.seen is None or _about(watch.seen.order) == _about(order)


def _fault(watch: _Watch, seen: Seen) -> BadPayload | None:
    """What cannot be in a sight: more done than was ordered, or another symbol or side than we ordered."""
    what, order = f"order {seen.order_id}", seen.order
    if seen.filled > order.quantity:
        return BadPayload(what, f"at most {order.quantity} to be executed", seen.filled)
    if watch.about is not None and watch.about != _about(order):
        symbol, side = watch.about
        return BadPayload(what, f"a {side.value} of {symbol}", f"a {order.side.value} of {order.symbol}")
    return None


def _ahead(seen: Seen, watch: _Watch) -> bool:
    more = seen.filled > max(watch.known.quantity, watch.void)
    ended = seen.final and watch.seen is not None and not watch.seen.final
    corrected = seen.status in _CORRECTIONS and watch.seen is not None and watch.seen.status not in _CORRECTIONS
    return more or ended or corrected


def _counted(watch: _Watch, seen: Seen, now_ns: int, average: Decimal) -> Fill:
    """The fill behind a higher count, noted as known."""
    time_ns = seen.closed_ns if seen.final and seen.closed_ns is not None else now_ns
    order = attrs.evolve(seen.order, key=watch.key or "")
    fill = implied_fill(
        order,
        watch.known,
        seen.filled,
        average,
        broker=BROKER,
        account=seen.account,
        broker_order_id=seen.order_id,
        time_ns=time_ns,
    )
    assert fill is not None  # noqa: S101 - the caller has compared the counts
    mark = f"/{watch.restated}" if watch.restated else ""
    price = average if fill.price <= 0 < average else fill.price  # a rounded average can turn the rest below nought
    fee = EXACT.subtract(seen.fees, watch.fees)  # commission is told for the whole order, as quantity is
    fill = attrs.evolve(fill, id=fill.id + mark, price=price, fee=fee, order_key=watch.key)
    watch.known = watch.known.restated({fill.id: Execution(fill.quantity, fill.price)})
    watch.fees = seen.fees
    watch.fills.append(fill)
    return fill


def _restatement(watch: _Watch, seen: Seen, now_ns: int) -> Iterator[Event]:
    """A corrected or broken fill: what was told of the order is put right to come to what is counted now."""
    known = watch.known
    if sum((fill.quantity for fill in watch.fills), _ZERO) != known.quantity:
        return  # some of it was never told as a fill: the books compare quantities and positions
    filled = _ZERO if seen.status == "BRO" else seen.filled
    if not watch.fills or (filled, seen.average) == (known.quantity, _average(known)):
        return
    if filled and seen.average is None:
        return  # a price that nobody told corrects nothing
    watch.restated += 1
    if filled == known.quantity and seen.average is not None:
        yield from _repriced(watch, seen.average)
    else:
        yield from _recounted(watch, seen, filled, now_ns)


def _repriced(watch: _Watch, average: Decimal) -> Iterator[Event]:
    """The same count at another average: which fill was meant is not told, so each is corrected to the average."""
    before, watch.fills = watch.fills, []
    watch.known = Executions()
    for old in before:
        fill = attrs.evolve(old, id=f"{old.id}/{watch.restated}", price=average, order_key=watch.key)
        watch.fills.append(fill)
        watch.known = watch.known.restated({fill.id: Execution(fill.quantity, fill.price)})
        yield Corrected(old.id, fill)


def _recounted(watch: _Watch, seen: Seen, filled: Decimal, now_ns: int) -> Iterator[Event]:
    """Another count: all fills are void, and what is counted now stands for them."""
    yield from (Busted(fill.id) for fill in watch.fills)
    watch.void = max(watch.void, watch.known.quantity)
    watch.fills.clear()
    watch.known, watch.fees = Executions(), _ZERO
    if filled and seen.average is not None:
        yield Filled(_counted(watch, seen, now_ns, seen.average))


def _average(known: Executions) -> Decimal | None:
    return known.value / known.quantity if known.quantity else None


def _new_terms(watch: _Watch, before: Seen, seen: Seen) -> Iterator[Event]:
    """Terms that differ from those seen before, of an order that lives; a trailing stop's price moves by itself."""
    if seen.status not in LIVE or seen.order.type is not before.order.type:
        return
    news = {
        term: getattr(seen.order, term)
        for term in _TERMS
        if getattr(seen.order, term) not in (None, getattr(before.order, term))
    }
    if news:
        terms = None if watch.key is None else Change(watch.key, **news)
        yield ReplaceConfirmed(terms, broker_order_id=seen.order_id)


def _word(seen: Seen) -> Iterator[Event]:
    order_id = seen.order_id
    match seen.status:
        case "LAT":
            yield CancelRefused(Code.ORDER_NOT_OPEN, "too late to cancel", broker_order_id=order_id)
        case "RJC":
            yield CancelRefused(Code.ORDER_REJECTED, seen.reason or "cancel refused", broker_order_id=order_id)
        case "RJR":
            yield ReplaceRefused(Code.ORDER_REJECTED, seen.reason or "change refused", broker_order_id=order_id)
        case "REJ" if not seen.filled:
            yield Rejected(Code.ORDER_REJECTED, seen.reason, broker_order_id=order_id)
        case "BRO":
            yield Snapshot(OrderState.CANCELED, broker_order_id=order_id)
        case _ if seen.word is not OrderState.UNKNOWN:
            yield Snapshot(seen.word, seen.filled, seen.average, broker_order_id=order_id)
