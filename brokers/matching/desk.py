"""What happens to a working order: it enters, triggers, fills, shrinks and ends, and so do those tied to it."""

import random
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from itertools import count

import attrs

from brokers.instruments import Instrument
from brokers.market import MarketStatus
from brokers.matching import groups
from brokers.matching.agenda import Agenda
from brokers.matching.events import (
    Accepted,
    Canceled,
    CancelReason,
    Code,
    Expired,
    ExpiryReason,
    FillCause,
    Filled,
    Hold,
    LegActivated,
    LegResized,
    PartiallyFilled,
    Refusal,
    Rejected,
    Released,
    Replaced,
    Settled,
    Triggered,
    UnknownSymbolError,
)
from brokers.matching.kept import KeptOrder, VenueMemory
from brokers.matching.orders import Tie, Working
from brokers.matching.outbox import Outbox
from brokers.matching.pit import Pit
from brokers.matching.positions import Positions
from brokers.matching.registry import Registry
from brokers.matching.rules import VenueRules
from brokers.matching.triggers import trailed_stop
from brokers.model import Fill, Liquidity, Order, OrderState, TimeInForce

Admit = Callable[[str, Order], Refusal | None]

_NOTHING_TO_REDUCE = Refusal(Code.REDUCE_ONLY, "a reduce-only order needs an opposite position, and there is none")
_QUEUES_END = frozenset({MarketStatus.CLOSED, MarketStatus.PRE_OPEN, MarketStatus.EXTENDED})


class Desk:
    """All changes of orders and positions, each with its event; what trades, and when, is decided elsewhere."""

    def __init__(
        self, rules: VenueRules, outbox: Outbox, agenda: Agenda, chance: random.Random, admit: Admit | None, first: int
    ) -> None:
        self.rules = rules
        self.outbox = outbox
        self.registry = Registry(rules.keep_finished, rules.keep_finished_ns)
        self.positions = Positions()
        self.pits: dict[str, Pit] = {}
        self.came: deque[Pit] = deque()  # where orders have entered that the display may serve
        self._agenda = agenda
        self._chance = chance
        self._admit = admit
        self._numbers = count(first)
        self._trades = count(first)
        self._priorities = count()

    @property
    def now_ns(self) -> int:
        """The venue's time."""
        return self.outbox.now_ns

    def list_instrument(self, instrument: Instrument, status: MarketStatus) -> None:
        """Opens a pit."""
        self.pits[instrument.symbol] = Pit(instrument, self.rules, status)

    def pit_of(self, working: Working) -> Pit:
        """Where an order trades."""
        return self.pits[working.order.symbol]

    def room(self, working: Working) -> Decimal:
        """How much of an order may trade now; a reduce-only order never more than the position."""
        if not working.order.reduce_only:
            return working.in_force
        return min(working.in_force, self._reducible(working))

    def is_lucky(self) -> bool:
        """Whether chance lets a trade at an order's price reach it before its turn."""
        odds = self.rules.touch_chance
        return odds > 0 and self._chance.random() < odds

    def admission(self, account: str, order: Order) -> Refusal | None:
        """What the layer above says to an order."""
        return None if self._admit is None else self._admit(account, order)

    # beginnings

    def accept(self, account: str, order: Order, hold: Hold | None, group: str | None = None) -> Working:
        """Takes an order; unless it is held it has to be entered next."""
        working = self._new(account, order)
        working.hold = hold
        working.stop = order.stop_price
        self.outbox.put(Accepted(*self.outbox.head_of(working), order, hold, group))
        self.registry.add(working)
        if order.expires_ns is not None:
            self._plan_lapse(working)
        return working

    def refuse(self, account: str, order: Order, refusal: Refusal) -> None:
        """Turns an order away and remembers that."""
        working = self._new(account, order)
        working.state, working.reason = OrderState.REJECTED, refusal.sentence
        self.outbox.put(Rejected(*self.outbox.head_of(working), order, refusal))
        self.registry.add(working)
        self.registry.prune(self.now_ns)

    def enter(self, working: Working) -> None:
        """Brings an order to the market at its end of every queue; a stop that is already reached triggers."""
        working.hold = None
        working.entered_ns = self.outbox.now_ns
        working.priority = next(self._priorities)
        working.resting, working.ahead = False, None
        pit = self.pit_of(working)
        pit.add(working)
        if not working.watching:
            self.came.append(pit)
            return
        price = pit.watched(working) if pit.admits(working) else None
        if price is not None:
            pit.follow(working.side, price, lambda trailing: trailing is working)
            if working in pit.triggers.reached(working.side, price):
                self.trigger(working, price)

    def release(self, working: Working) -> None:
        """Brings in an order that was held for its hours."""
        self.outbox.put(Released(*self.outbox.head_of(working)))
        self.enter(working)
        if working.order.reduce_only and not self._reducible(working):
            self.cancel(working, CancelReason.REDUCE_ONLY)

    # the life between

    def trigger(self, working: Working, price: Decimal, *, ambiguous: bool = False) -> None:
        """Makes a stop the market or limit order it stands for."""
        pit = self.pit_of(working)
        pit.remove(working)
        working.triggered = True
        working.entered_ns = self.now_ns
        working.priority = next(self._priorities)
        self.outbox.put(Triggered(*self.outbox.head_of(working), price, ambiguous))
        pit.add(working)
        self.came.append(pit)

    def fill(
        self,
        working: Working,
        quantity: Decimal,
        price: Decimal,
        liquidity: Liquidity,
        cause: FillCause,
        *,
        ambiguous: bool = False,
    ) -> None:
        """Books one execution and everything that follows from it for the orders of the account."""
        order, account = working.order, working.account
        working.filled = filled = working.filled + quantity
        working.cost += quantity * price
        remaining = order.quantity - filled
        fill = self._execution(working, quantity, price, liquidity)
        before = self.positions.of(account, order.symbol)
        after = before + fill.signed_quantity
        self.positions.put(account, order.symbol, after)
        kind = Filled if remaining <= 0 else PartiallyFilled
        self.outbox.put(kind(*self.outbox.head_of(working), fill, filled, remaining, cause, ambiguous))
        if remaining <= 0:
            self._end(working, OrderState.FILLED, "filled")
        if working.tie is not None:
            self._tell_of_fill(working, working.tie, quantity)
        if working.open and working.hold is None and working.in_force <= 0:
            self._shelve(working)
        if before and before * after <= 0 and self.registry.has_open(account):
            self.drop_idle_reducers(account, order.symbol)

    def replace(self, working: Working, order: Order, *, kept_place: bool) -> None:
        """Gives an order new terms; unless its place is kept it goes to the end of its queue."""
        in_market = working.hold is None
        if in_market and not kept_place:
            self.pit_of(working).remove(working)
        old, working.order = working.order, order
        self._move_stop(working, old)
        self.outbox.put(Replaced(*self.outbox.head_of(working), order, kept_place))
        if working.leg is None:
            working.live = order.quantity
        if in_market and not kept_place:
            self.enter(working)
        if working.tie is not None and order.quantity != old.quantity:
            self._apply(working.tie, groups.resized(working.tie.state, working.leg, order.quantity))

    # ends

    def cancel(self, working: Working, reason: CancelReason) -> None:
        """Ends an order, and by its group what hangs on it."""
        self.outbox.put(Canceled(*self.outbox.head_of(working), reason, working.filled))
        self._end(working, OrderState.CANCELED, f"canceled: {reason.value.replace('_', ' ')}")
        self._tell_of_end(working, ended=True)

    def expire(self, orders: Iterable[Working], reason: ExpiryReason) -> None:
        """Ends orders whose time is up, all of them before what hangs on them."""
        ended = [working for working in orders if working.open]
        for working in ended:
            self.outbox.put(Expired(*self.outbox.head_of(working), reason, working.filled))
            self._end(working, OrderState.EXPIRED, f"expired: {reason.value.replace('_', ' ')}")
        for working in ended:
            self._tell_of_end(working, ended=True)

    def drop_idle_reducers(self, account: str, symbol: str) -> None:
        """Ends the reduce-only orders that have nothing left to reduce."""
        for working in self.registry.open_of(account):
            order = working.order
            if not (order.reduce_only and order.symbol == symbol and working.open and working.hold is None):
                continue
            if not self._reducible(working):
                self.cancel(working, CancelReason.REDUCE_ONLY)

    def change_status(self, pit: Pit, status: MarketStatus) -> None:
        """Opens, interrupts or ends a session: expires day orders, forgets prices, lets held orders in."""
        if status.trading and not pit.status.trading:
            pit.opened_ns = self.now_ns
        queues_end = not _QUEUES_END.isdisjoint((pit.status, status))
        pit.status = status
        pit.interrupt(queues_end=queues_end)
        self.expire(self._ending_with(pit, status), ExpiryReason.DAY_END)
        for working in self._orders_in(pit):
            if working.open and working.hold is Hold.HOURS and pit.takes(working.order):
                self.release(working)

    def settle(self, pit: Pit, price: Decimal) -> None:
        """Ends a contract: no order outlives it, and every position is closed at its last price."""
        pit.settled = True
        self.expire(self._orders_in(pit), ExpiryReason.SETTLED)
        self.change_status(pit, MarketStatus.CLOSED)
        for account, quantity in self.positions.close_all(pit.symbol):
            self.outbox.put(Settled(*self.outbox.head(account, pit.symbol, ""), quantity, price))

    # a life before this one

    def restore(self, memory: VenueMemory) -> None:
        """Puts back what a venue of the past held; raises UnknownSymbolError for an open order without a market."""
        self.outbox.resume(memory.now_ns, memory.sequence)
        self._numbers, self._trades = count(memory.number + 1), count(memory.trade + 1)
        for symbol, market in memory.markets.items():
            if symbol in self.pits:
                self.pits[symbol].status, self.pits[symbol].settled = market.status, market.settled
        for (account, symbol), quantity in memory.positions.items():
            self.positions.put(account, symbol, quantity)
        for kept in memory.finished:
            self.registry.add(kept.working())
        self._put_back(sorted(memory.open, key=lambda kept: kept.number))
        workings = self.registry.numbered()
        for tie in memory.ties:
            tie.tied(workings)
        self.registry.prune(self.now_ns)

    def _put_back(self, orders: Iterable[KeptOrder]) -> None:
        placed = []
        for kept in orders:
            if kept.order.symbol not in self.pits:
                raise UnknownSymbolError(kept.order.symbol, len(self.pits))
            working = kept.working()
            self.registry.add(working)
            self._plan_lapse(working)
            placed += [] if working.hold is not None else [working]
        for working in sorted(placed, key=lambda working: working.priority):
            working.priority = next(self._priorities)
            self.pit_of(working).add(working)

    # within

    def _plan_lapse(self, working: Working) -> None:
        if working.order.expires_ns is not None:
            working.lapse_ticket = self._agenda.put(working.order.expires_ns, partial(self._lapse, working))

    def _new(self, account: str, order: Order) -> Working:
        number, priority = next(self._numbers), next(self._priorities)
        return Working(number, account, order, priority, self.outbox.now_ns, order.quantity)

    def _execution(self, working: Working, quantity: Decimal, price: Decimal, liquidity: Liquidity) -> Fill:
        order = working.order
        return Fill(
            str(next(self._trades)),
            self.rules.name,
            working.account,
            order.symbol,
            working.side,
            quantity,
            price,
            self.outbox.now_ns,
            order.key,
            working.order_id,
            liquidity=liquidity,
        )

    def _reducible(self, working: Working) -> Decimal:
        return self.positions.reducible(working.account, working.order.symbol, working.side)

    def _orders_in(self, pit: Pit) -> list[Working]:
        return [working for working in self.registry.all_open() if working.order.symbol == pit.symbol]

    def _ending_with(self, pit: Pit, status: MarketStatus) -> list[Working]:
        """The day orders whose session a status ends; a held order belongs to a session to come."""
        if status not in {MarketStatus.CLOSED, MarketStatus.EXTENDED}:
            return []
        return [
            working
            for working in self._orders_in(pit)
            if working.hold is None
            and working.order.time_in_force is TimeInForce.DAY
            and not (status is MarketStatus.EXTENDED and working.order.extended_hours)
        ]

    def _move_stop(self, working: Working, old: Order) -> None:
        order = working.order
        if order.stop_price != old.stop_price:
            working.stop = order.stop_price
        elif order.trail_offset != old.trail_offset and working.best is not None:
            working.stop = trailed_stop(order, working.best, self.pit_of(working).instrument.tick)

    def _lapse(self, working: Working) -> None:
        working.lapse_ticket = None
        self.expire([working], ExpiryReason.GOOD_TILL)

    def _end(self, working: Working, state: OrderState, reason: str) -> None:
        if working.hold is None:
            self.pit_of(working).remove(working)
        if working.lapse_ticket is not None:
            self._agenda.strike(working.lapse_ticket)
        working.state, working.reason = state, reason
        self.registry.finish(working)
        self.registry.prune(self.outbox.now_ns)

    def _shelve(self, working: Working) -> None:
        """Takes a leg out of the market until its parent fills more."""
        self.pit_of(working).remove(working)
        working.hold = Hold.PARENT

    # groups

    def _tell_of_fill(self, working: Working, tie: Tie, quantity: Decimal) -> None:
        if working.leg is None:
            self._apply(tie, groups.parent_filled(tie.state, quantity))
        else:
            self._apply(tie, groups.leg_filled(tie.state, working.leg, quantity))

    def _tell_of_end(self, working: Working, *, ended: bool) -> None:
        tie = working.tie
        if tie is None:
            return
        if working.leg is None:
            self._apply(tie, groups.parent_over(tie.state))
        else:
            self._apply(tie, groups.leg_over(tie.state, working.leg, ended=ended))

    def _apply(self, tie: Tie, outcome: tuple[groups.Group, groups.Effects]) -> None:
        tie.state, effects = outcome
        for effect in effects:
            working = tie.member(effect.leg)
            if working is None or not working.open:
                continue
            if isinstance(effect, groups.End):
                self.cancel(working, effect.reason)
            else:
                self._set_size(working, tie.key, effect)

    def _set_size(self, working: Working, group: str, size: groups.SetSize) -> None:
        grew = size.live > working.live
        working.order = attrs.evolve(working.order, quantity=size.quantity)
        working.live = size.live
        if size.activates:
            self._activate(working, group)
            return
        self.outbox.put(LegResized(*self.outbox.head_of(working), group, size.quantity, size.live))
        if working.hold is not None:
            return
        if working.in_force <= 0:
            self._shelve(working)
        elif grew and working.resting:
            self.pit_of(working).remove(working)
            self.enter(working)

    def _activate(self, working: Working, group: str) -> None:
        head = self.outbox.head_of(working)
        refusal = self._activation_refusal(working)
        if refusal is None:
            self.outbox.put(LegActivated(*head, group, working.order.quantity, working.live))
            self.enter(working)
            return
        self.outbox.put(Rejected(*head, working.order, refusal))
        self._end(working, OrderState.REJECTED, refusal.sentence)
        self._tell_of_end(working, ended=False)

    def _activation_refusal(self, working: Working) -> Refusal | None:
        if working.filled:
            return None
        if working.order.reduce_only and not self._reducible(working):
            return _NOTHING_TO_REDUCE
        return self.admission(working.account, working.order)
