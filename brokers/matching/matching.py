"""What trades when data comes: displays, queues and prints. Bars have rules of their own in `bars`.

An order that comes takes what is displayed within its limit, at the displayed prices. What is left of a limit
order comes to rest once the display has moved away from it; what is left of a market order waits for the next
display. A resting order trades at its own price, when a display or a print shows the market beyond that price, or
when trades at the price have used up the size that was ahead of it. Own orders share what there is by price and
then by time, and what one has taken the next does not find.
"""

from collections.abc import Iterable
from decimal import Decimal

import attrs

from brokers.market import Trade
from brokers.matching.desk import Desk
from brokers.matching.events import CancelReason, FillCause
from brokers.matching.orders import Working
from brokers.matching.pit import Pit
from brokers.matching.prices import SIDES, ZERO, floor_to, rank, reaches, through
from brokers.model import Liquidity


@attrs.define
class Tape:
    """Size that has traded, which the venue's own orders may share in."""

    volume: Decimal
    share: Decimal  # the most they may have of it
    used: Decimal = ZERO

    @classmethod
    def of(cls, volume: Decimal, pit: Pit) -> "Tape":
        """A print's or a bar's tape under the venue's rules."""
        return cls(volume, floor_to(volume * pit.rules.traded_share, pit.instrument.lot))

    @property
    def left(self) -> Decimal:
        """What is left of their share."""
        return max(self.share - self.used, ZERO)

    @property
    def passing(self) -> Decimal:
        """What others still had of it."""
        return max(self.volume - self.used, ZERO)


def match_display(pit: Pit, desk: Desk) -> None:
    """Trades against a display that has just come: resting orders and those that have been waiting for it."""
    if pit.status.trading:
        _shorten_queues(pit)
        _match(pit, desk, refreshed=True)


def match_arrivals(pit: Pit, desk: Desk) -> None:
    """Trades the orders that have just entered against the display as it stands."""
    if pit.status.trading and pit.book.quoted:
        _match(pit, desk, refreshed=False)


def match_print(pit: Pit, trade: Trade, desk: Desk) -> Tape:
    """Trades resting orders on a print; returns what is left of it."""
    tape = Tape.of(trade.size, pit)
    if not trade.size:
        return tape
    for side in SIDES:
        for working in pit.ladder(side).until(rank(side, trade.price)):
            if working.resting and pit.admits(working):
                _meet_print(pit, working, trade, tape, desk)
    return tape


def take_from_tape(
    orders: Iterable[Working],
    price: Decimal,
    tape: Tape,
    pit: Pit,
    desk: Desk,
    cause: FillCause,
    *,
    ambiguous: bool = False,
) -> None:
    """Trades orders that have not come to rest at a price of the tape, where there is no display."""
    for working in orders:
        if not pit.admits(working):
            continue
        if reaches(working.side, working.limit, price):
            _take_traded(working, price, tape, desk, cause, ambiguous=ambiguous)
        elif working.limit is not None and not working.immediate:
            pit.rest(working, None)
        if working.open and working.immediate:
            desk.cancel(working, _unfilled(working))


def waiting(pit: Pit) -> list[Working]:
    """The orders that have not come to rest, in the order in which they may take."""
    return sorted(pit.unsettled, key=lambda working: (working.rank, working.priority))


def _match(pit: Pit, desk: Desk, *, refreshed: bool) -> None:
    for side in SIDES:
        ladder = pit.ladder(side)
        offered = pit.book.offered(side.opposite) if ladder else None
        if offered is None:
            continue
        for working in ladder.until(rank(side, offered)):
            if not pit.admits(working):
                continue
            if not working.resting:
                _take_displayed(pit, working, desk)
            elif refreshed:
                _meet_display(pit, working, offered, desk)
    if pit.unsettled:
        _come_to_rest(pit, desk)


def _can_use_display(pit: Pit, working: Working) -> bool:
    shown_ns = pit.book.time_ns
    if shown_ns is None or not pit.is_fresh(shown_ns, working.entered_ns):
        return False
    return shown_ns >= working.entered_ns or not _belies_trigger(pit, working)


def _belies_trigger(pit: Pit, working: Working) -> bool:
    """Whether an older display still shows a price better than the stop that a print has set off since."""
    if not (working.triggered and pit.prints_trigger):
        return False
    best, stop = pit.book.best(working.side.opposite), working.stop
    return best is not None and stop is not None and through(working.side, stop, best)


def _take_displayed(pit: Pit, working: Working, desk: Desk) -> None:
    if not _can_use_display(pit, working):
        return
    if working.order.post_only:
        desk.cancel(working, CancelReason.POST_ONLY)
        return
    side, limit = working.side, working.limit
    beyond = pit.rules.impact_ticks if limit is None else None
    if working.all_or_none and beyond is None and pit.book.available(side, limit) < desk.room(working):
        return
    while working.open and (room := desk.room(working)) > 0:
        level = pit.book.take(side, limit, room)
        if level is None:
            break
        desk.fill(working, level.size, level.price, Liquidity.TAKER, FillCause.DISPLAYED)
    if beyond is not None and working.open and (room := desk.room(working)) > 0:
        price = pit.book.overdraw(side, room, beyond * pit.instrument.tick)
        if price is not None:
            desk.fill(working, room, price, Liquidity.TAKER, FillCause.IMPACT)


def _meet_display(pit: Pit, working: Working, offered: Decimal, desk: Desk) -> None:
    """Fills a resting order that the other side has come to, or gone beyond."""
    side, limit = working.side, working.limit
    if limit is None:
        return
    room, shown = desk.room(working), pit.book.available(side, limit)
    if through(side, limit, offered):
        cause = FillCause.THROUGH
        quantity = room if pit.rules.through_in_full else min(room, shown)
    else:
        cause = FillCause.QUEUE
        quantity = min(room, shown - (shown if working.ahead is None else working.ahead))
    if quantity <= 0:
        return
    left = quantity
    while left > 0 and (level := pit.book.take(side, limit, left)) is not None:
        left -= level.size
    desk.fill(working, quantity, limit, Liquidity.MAKER, cause)


def _shorten_queues(pit: Pit) -> None:
    """Takes over what the display says of the size ahead: it can only have become less."""
    for side in SIDES:
        levels, ladder = pit.book.levels(side), pit.ladder(side)
        seen = ladder.until(rank(side, levels[-1].price)) if levels else ladder
        for working in seen:
            limit = working.limit
            shown = None if limit is None else pit.book.displayed(side, limit)
            if working.resting and shown is not None:
                working.ahead = shown if working.ahead is None else min(working.ahead, shown)


def _come_to_rest(pit: Pit, desk: Desk) -> None:
    """Settles what the display could not serve: immediate orders end, limits out of its reach rest."""
    for working in list(pit.unsettled):
        if working.resting or not (pit.admits(working) and _can_use_display(pit, working)):
            continue
        if working.immediate:
            desk.cancel(working, _unfilled(working))
            continue
        limit = working.limit
        offered = pit.book.offered(working.side.opposite)
        if limit is not None and (offered is None or not reaches(working.side, limit, offered)):
            pit.rest(working, pit.book.displayed(working.side, limit))


def _unfilled(working: Working) -> CancelReason:
    return CancelReason.FILL_OR_KILL if working.all_or_none else CancelReason.IMMEDIATE_OR_CANCEL


def _meet_print(pit: Pit, working: Working, trade: Trade, tape: Tape, desk: Desk) -> None:
    """Fills a resting order that a print has gone through, or whose turn has come at its price."""
    limit, room = working.limit, desk.room(working)
    if limit is None:
        return
    if limit == trade.price:
        if trade.aggressor is working.side:
            return
        quantity = _turn_in_queue(working, room, tape, desk)
        cause = FillCause.QUEUE
    else:
        quantity = room if pit.rules.through_in_full else min(room, tape.left)
        cause = FillCause.THROUGH
    if quantity > 0:
        tape.used += min(quantity, tape.passing)
        desk.fill(working, quantity, limit, Liquidity.MAKER, cause)


def _turn_in_queue(working: Working, room: Decimal, tape: Tape, desk: Desk) -> Decimal:
    """What reaches an order of a trade at its price, which uses up the size ahead of it first."""
    passing = tape.passing
    if working.ahead is not None:
        eaten = min(working.ahead, passing)
        working.ahead -= eaten
        passing -= eaten
    if (working.ahead is None or working.ahead > 0) and desk.is_lucky():
        working.ahead, passing = ZERO, tape.passing
    if working.ahead is None:
        return ZERO
    return min(room, passing, tape.left)


def _take_traded(
    working: Working, price: Decimal, tape: Tape, desk: Desk, cause: FillCause, *, ambiguous: bool
) -> None:
    if working.order.post_only:
        desk.cancel(working, CancelReason.POST_ONLY)
        return
    room = desk.room(working)
    quantity = min(room, tape.left)
    if quantity <= 0 or (working.all_or_none and quantity < room):
        return
    tape.used += quantity
    desk.fill(working, quantity, price, Liquidity.TAKER, cause, ambiguous=ambiguous)
