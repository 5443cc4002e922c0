"""Positions, compared last: what no order and no execution explains is corrected by an entry of its own, or not at all.

A difference counts only between two equal readings taken after all that we know was booked, and only where nothing of
the symbol is in doubt.
"""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from brokers.instruments import EXACT, Instrument
from brokers.model import Fill
from brokers.reconciliation.books import FLAT, Holding, HoldingKey, Mismatch, Strike
from brokers.reconciliation.draft import Draft
from brokers.reconciliation.events import Cause, Concern, PositionCorrected, made_up_id
from brokers.reconciliation.fills import reduced_owner
from brokers.reconciliation.prices import apart, price_of_addition
from brokers.reconciliation.truth import Held, Listing
from brokers.sides import Side

AVERAGE_TOLERANCE: Final = Decimal("0.0001")
_SECOND_NS: Final = 1_000_000_000


def tolerance(instrument: Instrument) -> Decimal:
    """By how much a quantity may differ: one unit of the last place of a fractional lot, else nothing."""
    places = int(EXACT.normalize(instrument.lot).as_tuple().exponent)
    return Decimal(1).scaleb(places) if places < 0 else Decimal(0)


def compare(draft: Draft) -> None:
    """Compares every position that either side holds."""
    before, after = draft.truth.positions_before, draft.truth.positions_after
    if before is None or after is None or not (before.sound and after.sound):
        draft.agreed = False
        return
    if _quantities(before) != _quantities(after):
        draft.moved, draft.agreed = draft.agreed, False
        return
    theirs = _by_key(before)
    strikes: dict[HoldingKey, Strike] = {}
    for key in sorted(theirs.keys() | draft.fold.holdings.keys(), key=lambda key: (key[0], key[1] or "")):
        strike = _compare(draft, key, theirs.get(key, Held(key[0], Decimal(0))), before.asked_ns)
        if strike is not None:
            strikes[key] = strike
    draft.note(strikes=strikes)


def _quantities(listing: Listing[Held]) -> dict[HoldingKey, Decimal]:
    return {key: held.quantity for key, held in _by_key(listing).items() if held.quantity}


def _by_key(listing: Listing[Held]) -> dict[HoldingKey, Held]:
    return {(held.symbol, held.position_id): held for held in listing.items}


def _compare(draft: Draft, key: HoldingKey, theirs: Held, read_ns: int) -> Strike | None:
    """Compares one position; returns the strike against it, if one stands."""
    symbol = key[0]
    ours, before = draft.fold.holdings.get(key, FLAT), draft.notes.strikes.get(key)
    difference = EXACT.subtract(theirs.quantity, ours.quantity)
    instrument = draft.books.instruments.get(symbol)
    if instrument is not None and abs(difference) <= tolerance(instrument):
        _compare_averages(draft, key, ours, theirs)
        return None
    draft.agreed = False
    stale = read_ns < ours.touched_ns + draft.orders.visibility_ns
    if stale or symbol in draft.unsettled or draft.books.backlog or instrument is None:
        return before
    strike = _struck(before, difference, read_ns)
    subject = _name(key)
    if _expired(draft, instrument) and not theirs.quantity:
        _correct(draft, key, theirs, Cause.EXPIRY, read_ns)
        return None
    if draft.truth.fills is None or strike.count < _needed(draft):
        return strike
    text = f"expected {ours.quantity} by our books, the broker holds {theirs.quantity}, and no execution tells why"
    if draft.books.policy.mismatch is Mismatch.HALT:
        draft.alert(Concern.POSITION, subject, f"{text}; trading waits for a person")
        return strike
    draft.alert(Concern.POSITION, subject, f"{text}; corrected")
    _correct(draft, key, theirs, Cause.UNEXPLAINED, read_ns)
    return None


def _needed(draft: Draft) -> int:
    return 1 if draft.books.starting else draft.books.policy.position_strikes


def _struck(before: Strike | None, difference: Decimal, read_ns: int) -> Strike:
    if before is None or before.difference != difference:
        return Strike(difference, 1, read_ns)
    return before if read_ns <= before.read_ns else Strike(difference, before.count + 1, read_ns)


def _name(key: HoldingKey) -> str:
    return f"position {key[0]}" if key[1] is None else f"position {key[0]} {key[1]}"


def _compare_averages(draft: Draft, key: HoldingKey, ours: Holding, theirs: Held) -> None:
    mine, other = ours.average_price, theirs.average_price
    if not ours.quantity or mine is None or other is None or apart(mine, other) < AVERAGE_TOLERANCE:
        return
    draft.alert(Concern.AVERAGE, _name(key), f"average {mine} by our books, {other} by the broker's; kept as it is")


def _expired(draft: Draft, instrument: Instrument) -> bool:
    today = dt.datetime.fromtimestamp(draft.now.wall_ns // _SECOND_NS, dt.UTC).date()
    return instrument.expiry is not None and instrument.expiry < today


def _correct(draft: Draft, key: HoldingKey, theirs: Held, cause: Cause, read_ns: int) -> None:
    """Books what leads from our position to theirs, dated when theirs was read."""
    ours, wall_ns = draft.fold.holdings.get(key, FLAT), draft.now.wall_ns - (draft.now.ns - read_ns)
    settled = draft.truth.settlements.get(key[0]) if cause is Cause.EXPIRY else None
    steps = [(change, price if settled is None else settled) for change, price in _steps(draft, key[0], ours, theirs)]
    if any(price is None for _, price in steps):
        text = "a correction needs a price and neither side tells one; trading waits for a person"
        draft.alert(Concern.POSITION, _name(key), text)
        return
    for step, (change, price) in enumerate(steps):  # each a moment later: the ledger goes by time
        if price is not None:
            draft.emit(PositionCorrected(_synthetic(draft, key, change, price, wall_ns + step), key[1], cause))
    if ours.quantity * theirs.quantity > 0 and abs(theirs.quantity) < abs(ours.quantity):
        _compare_averages(draft, key, ours, theirs)
    draft.due_ns.append(draft.now.ns)


def _steps(draft: Draft, symbol: str, ours: Holding, theirs: Held) -> Iterator[tuple[Decimal, Decimal | None]]:
    """The signed quantities and prices that lead from our position to theirs, across nought in two steps."""
    mine, other = ours.quantity, theirs.quantity
    if mine * other < 0:
        yield -mine, ours.average_price or theirs.average_price
        yield other, theirs.average_price
    elif abs(other) < abs(mine):
        yield EXACT.subtract(other, mine), ours.average_price or theirs.average_price
    else:
        yield EXACT.subtract(other, mine), _addition_price(draft.books.instruments[symbol], ours, theirs)


def _addition_price(instrument: Instrument, ours: Holding, theirs: Held) -> Decimal | None:
    if theirs.average_price is None or (ours.quantity and ours.average_price is None):
        return theirs.average_price or ours.average_price
    average = ours.average_price if ours.average_price is not None else theirs.average_price
    before, after = (ours.quantity, average), (theirs.quantity, theirs.average_price)
    return price_of_addition(instrument.kind, before, after) or theirs.average_price


def _synthetic(draft: Draft, key: HoldingKey, change: Decimal, price: Decimal, wall_ns: int) -> Fill:
    books, (symbol, position_id) = draft.books, key
    position = draft.fold.holdings.get(key, FLAT).quantity
    numbers = (f"{EXACT.normalize(number):f}" for number in (position, change, price))
    return Fill(
        id=made_up_id("correction", books.broker, books.account, symbol, position_id, *numbers, wall_ns),
        broker=books.broker,
        account=books.account,
        symbol=symbol,
        side=Side.BUY if change > 0 else Side.SELL,
        quantity=abs(change),
        price=price,
        time_ns=wall_ns,
        session=books.owners.get(symbol) or reduced_owner(draft, symbol, change),
    )
