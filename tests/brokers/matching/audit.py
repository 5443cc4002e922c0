"""An auditor who knows the rules of fair fills and nothing of the engine: it checks every event as it comes."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

import attrs

from brokers.market import Depth, Level, MarketEvent, Quote, Trade
from brokers.matching import MatchingEngine, VenueRules
from brokers.matching import events as says
from brokers.matching.events import CancelReason, FillCause
from brokers.model import Liquidity, Order, OrderGroup, OrderState, OrderType
from brokers.sides import Side

Name = tuple[str, str]
ZERO = Decimal(0)
_LIMITED = (OrderType.LIMIT, OrderType.STOP_LIMIT)


@attrs.define
class Account:
    """What the auditor has seen of one order."""

    order: Order
    sent_ns: int
    since_ns: int | None = None  # in the market under its terms since then
    accepted: bool = False
    over: bool = False
    ended_group: bool = False  # over in a way that ends its siblings
    filled: Decimal = ZERO
    resized_by_owner: bool = False


class Auditor:
    """Keeps its own books of displays, prints, orders, positions and groups, and asserts on every event."""

    def __init__(self, venue: VenueRules) -> None:
        self._venue = venue
        self._orders: dict[Name, Account] = {}
        self._groups: list[tuple[str, OrderGroup]] = []
        self._positions: dict[str, Decimal] = defaultdict(Decimal)
        self._shown: dict[Side, tuple[Level, ...]] = {Side.BUY: (), Side.SELL: ()}
        self._shown_ns = -1
        self._quoted = False
        self._left: dict[tuple[Side, Decimal], Decimal] = {}
        self._left_in_all: dict[Side, Decimal] = {}
        self._sequence = 0
        self._known: dict[str, int] = defaultdict(int)
        self.fills = 0

    def expect(self, account: str, order: Order, now: int) -> None:
        self._orders[account, order.key] = Account(order, now)

    def expect_group(self, account: str, group: OrderGroup) -> None:
        self._groups.append((account, group))

    def watch(self, data: MarketEvent | None, events: Iterable[says.Event], now: int) -> None:
        if isinstance(data, Quote | Depth):
            self._show(data, now)
        tape = data.size if isinstance(data, Trade) else ZERO
        for event in events:
            self._check_head(event, now)
            if isinstance(event, says.Traded):
                tape = self._check_fill(event, data, tape)
            else:
                self._follow(event)
        self._check_groups()

    def compare(self, engine: MatchingEngine) -> None:
        """The engine's answers to queries are what its events have said."""
        for account in ("A", "B"):
            assert engine.position(account, "X") == self._positions[account]
            listed = {report.order.key for report in engine.open_orders(account)}
            own = {key for (owner, key), seen in self._orders.items() if owner == account and self._is_open(seen)}
            assert listed == own
        for (account, key), seen in self._orders.items():
            report = engine.order(account, key)
            if report is not None and seen.accepted:
                assert report.filled == seen.filled
                assert report.state.final == seen.over
                assert report.order.quantity == seen.order.quantity
                if report.state is OrderState.FILLED:
                    assert seen.filled == seen.order.quantity

    def _show(self, data: Quote | Depth, now: int) -> None:
        if isinstance(data, Depth):
            self._shown = {Side.BUY: data.bids, Side.SELL: data.asks}
        else:
            bids = () if data.bid is None else (Level(data.bid, data.bid_size),)
            asks = () if data.ask is None else (Level(data.ask, data.ask_size),)
            self._shown = {Side.BUY: bids, Side.SELL: asks}
        self._shown_ns, self._quoted = now, True
        self._left = {(side, level.price): level.size for side in Side for level in self._shown[side.opposite]}
        self._left_in_all = {side: sum((level.size for level in self._shown[side.opposite]), ZERO) for side in Side}

    def _check_head(self, event: says.Event, now: int) -> None:
        assert event.sequence == self._sequence + 1
        self._sequence = event.sequence
        assert event.time_ns <= now
        assert event.known_ns >= event.time_ns
        assert event.known_ns >= self._known[event.account], "an account learns of its events in their order"
        self._known[event.account] = event.known_ns

    def _check_fill(self, event: says.Traded, data: MarketEvent | None, tape: Decimal) -> Decimal:
        seen, fill = self._orders[event.account, event.key], event.fill
        assert self._is_open(seen), "only an open order fills"
        assert fill.quantity > 0
        self.fills += 1
        self._check_quantities(seen, event)
        self._check_price(seen, event, data)
        if fill.liquidity is Liquidity.TAKER and event.cause is FillCause.DISPLAYED:
            self._use_display(fill.side, fill.price, fill.quantity)
        elif isinstance(data, Trade):
            used = min(fill.quantity, tape) if self._is_whole(event) else fill.quantity
            tape -= used
            assert tape >= 0, "no more is filled than was traded"
        elif not self._is_whole(event):
            self._left_in_all[fill.side] -= fill.quantity
            assert self._left_in_all[fill.side] >= 0, "no more is filled than was displayed"
        self._check_reduction(seen, event)
        return tape

    def _is_whole(self, event: says.Traded) -> bool:
        return self._venue.through_in_full and event.cause is FillCause.THROUGH

    def _use_display(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        self._left[side, price] -= quantity
        assert self._left[side, price] >= 0, "displayed size is not used twice"
        self._left_in_all[side] -= quantity
        assert self._left_in_all[side] >= 0, "no more is filled than was displayed"

    def _check_quantities(self, seen: Account, event: says.Traded) -> None:
        seen.filled += event.fill.quantity
        assert seen.filled == event.filled
        assert seen.filled + event.remaining == seen.order.quantity
        assert isinstance(event, says.Filled) == (event.remaining == 0)
        if isinstance(event, says.Filled):
            seen.over = seen.ended_group = True

    def _check_price(self, seen: Account, event: says.Traded, data: MarketEvent | None) -> None:
        """P07: a taker gets what is displayed at or after its coming, a maker its own price and no better."""
        fill, limit = event.fill, seen.order.limit_price if seen.order.type in _LIMITED else None
        assert seen.since_ns is not None
        assert event.time_ns >= seen.since_ns >= seen.sent_ns + min(self._venue.order_latency.samples)
        if limit is not None:
            assert fill.price * fill.side.sign <= limit * fill.side.sign, "never worse than the limit"
        if event.cause is FillCause.DISPLAYED:
            assert fill.price in {level.price for level in self._shown[fill.side.opposite]}
            standing = self._venue.standing_ns
            assert standing is None or self._shown_ns >= seen.since_ns - standing, "no display from before the order"
            assert not seen.order.post_only
        elif event.cause is FillCause.PRINT:
            assert isinstance(data, Trade)
            assert fill.price == data.price
            assert not self._quoted
        else:
            assert fill.liquidity is Liquidity.MAKER
            assert fill.price == limit
            self._check_maker(event, data)

    def _check_maker(self, event: says.Traded, data: MarketEvent | None) -> None:
        assert data is not None, "what rests is filled by data only"
        fill = event.fill
        assert not isinstance(data, Trade) or data.size > 0, "a print without size is no trade"
        reached = data.price if isinstance(data, Trade) else self._offered(fill.side.opposite)
        beyond = (fill.price - reached) * fill.side.sign
        assert beyond > 0 if event.cause is FillCause.THROUGH else beyond == 0

    def _offered(self, side: Side) -> Decimal:
        return next(level.price for level in self._shown[side] if level.size)

    def _check_reduction(self, seen: Account, event: says.Traded) -> None:
        before = self._positions[event.account]
        after = before + event.fill.signed_quantity
        self._positions[event.account] = after
        if seen.order.reduce_only:
            assert abs(after) == abs(before) - event.fill.quantity, "reduce-only reduces"

    def _follow(self, event: says.Event) -> None:
        seen = self._orders.get((event.account, event.key))
        if seen is None:
            return
        match event:
            case says.Accepted():
                assert event.time_ns >= seen.sent_ns
                seen.accepted = True
                seen.since_ns = event.time_ns if event.held is None else None
            case says.Released() | says.Triggered() | says.LegActivated():
                assert self._is_open(seen)
                seen.since_ns = event.time_ns
                if isinstance(event, says.LegActivated):
                    self._resize(seen, event.quantity)
            case says.LegResized():
                self._resize(seen, event.quantity)
            case says.Replaced():
                assert self._is_open(seen)
                seen.resized_by_owner |= event.order.quantity != seen.order.quantity
                seen.order = event.order
                if not event.kept_place and seen.since_ns is not None:
                    seen.since_ns = event.time_ns
            case says.Rejected() | says.Canceled() | says.Expired():
                assert not seen.over
                if isinstance(event, says.Rejected):
                    seen.order = event.order
                seen.over = True
                for_sibling = isinstance(event, says.Canceled) and event.reason is CancelReason.SIBLING_TRADED
                seen.ended_group = not (for_sibling or isinstance(event, says.Rejected))

    def _resize(self, seen: Account, quantity: Decimal) -> None:
        assert self._is_open(seen)
        assert quantity >= seen.filled
        seen.order = attrs.evolve(seen.order, quantity=quantity)

    def _check_groups(self) -> None:
        for account, group in self._groups:
            children = [self._orders[account, child.key] for child in group.children]
            parent = None if group.parent is None else self._orders[account, group.parent.key]
            if not all(child.accepted for child in children):
                continue
            if parent is not None:
                self._check_children(parent, children)
            if group.kind.value != "oto":
                self._check_exclusive(group, parent, children)

    def _check_children(self, parent: Account, children: list[Account]) -> None:
        if parent.over and not parent.filled:
            assert not any(self._is_open(child) for child in children), "no child outlives a parent without fills"
        for child in children:
            if not (parent.resized_by_owner or child.resized_by_owner):
                assert child.filled <= parent.filled, "no child trades more than its parent did"
            if parent.over and self._is_open(child):
                assert child.since_ns is not None, "no child sleeps on for a parent that is over"

    def _check_exclusive(self, group: OrderGroup, parent: Account | None, children: list[Account]) -> None:
        filled = [child.filled for child in children]
        size = max(child.quantity for child in group.children) if parent is None else parent.filled
        as_sent = not any(member.resized_by_owner for member in (*children, *([parent] if parent else [])))
        if as_sent:
            assert sum(filled) <= size, "one group never fills beyond its size"
        if not group.reduce_size:
            assert sum(1 for quantity in filled if quantity) <= 1, "one leg at most trades"
        if as_sent and any(child.ended_group for child in children):
            assert not any(self._is_open(child) for child in children), "one leg's end leaves no sibling alive"

    @staticmethod
    def _is_open(seen: Account) -> bool:
        return seen.accepted and not seen.over
