"""The limits as checks: each is a function of a case and a scope that finds nothing wrong or denies.

`SOUND` looks at the numbers of any request and comes before all else. `CHECKS` hold for what adds risk, in every
scope. A check that raises is taken as a denial by the gate.
"""

from collections.abc import Callable
from decimal import Decimal

import attrs

from brokers.instruments import EXACT, Instrument, sane
from brokers.market import MarketStatus
from brokers.model import Change, Order, OrderGroup
from sessions.risk.book import RiskBook
from sessions.risk.case import Amend, Case
from sessions.risk.denial import Denial, Reason
from sessions.risk.limits import Limits
from sessions.risk.pace import MINUTE_NS, SECOND_NS

_HUNDRED = Decimal(100)
_MARKETS = {
    "regular": (MarketStatus.OPEN,),
    "extended": (MarketStatus.OPEN, MarketStatus.EXTENDED),
}


@attrs.define
class Scope:
    """Limits and the book that they are held against."""

    name: str
    limits: Limits
    book: RiskBook


Check = Callable[[Case, Scope], Denial | None]


def sound(request: Order | OrderGroup | Amend) -> Denial | None:
    """Denies a request with a number that is none, or absurd, or a quantity that is not positive."""
    if isinstance(request, Order):
        return _sound_terms(request)
    terms = request.orders if isinstance(request, OrderGroup) else (request.order, request.change)
    return next((denial for one in terms if (denial := _sound_terms(one))), None)


def _sound_terms(terms: Order | Change) -> Denial | None:
    quantity = terms.quantity
    if quantity is not None and not (sane(quantity) and quantity > 0):
        return Denial(Reason.BAD_NUMBER, "request", "quantity: expected a finite decimal above 0", value=quantity)
    for price in (terms.limit_price, terms.stop_price, terms.trail_offset, terms.trail_percent):
        if price is not None and not sane(price):
            return Denial(Reason.BAD_NUMBER, "request", "a price or trail: expected a finite decimal", value=price)
    return None


def sound_facts(case: Case, scope: Scope) -> Denial | None:
    """Denies new risk on a price or a currency rate that makes no sense."""
    if case.worth is not None:
        return None  # made of both
    last, rate = case.facts.last, case.facts.rate
    if last is not None and not sane(last):
        return Denial(Reason.BAD_NUMBER, scope.name, "last: expected a finite decimal", value=last)
    if rate is not None and not (sane(rate) and rate > 0):
        return Denial(Reason.BAD_NUMBER, scope.name, "rate: expected a finite decimal above 0", value=rate)
    return None


def known_symbol(case: Case, scope: Scope) -> Denial | None:
    """Denies a symbol without an instrument."""
    if case.facts.instrument is not None:
        return None
    symbol = case.orders[0].symbol
    return Denial(Reason.SYMBOL_UNKNOWN, scope.name, f"no instrument {symbol!r} is known here", value=symbol)


def allowed_symbol(case: Case, scope: Scope) -> Denial | None:
    """Denies a symbol that the scope does not name."""
    instrument, limits = _instrument(case), scope.limits
    if limits.names(instrument):
        return None
    text = f"{instrument.symbol} is none of {', '.join(limits.symbols)}"
    return Denial(Reason.SYMBOL_NOT_ALLOWED, scope.name, text, limits.symbols, instrument.symbol)


def allowed_hours(case: Case, scope: Scope) -> Denial | None:
    """Denies an order outside the scope's hours, or when the market's hours are not known."""
    limits, facts = scope.limits, case.facts
    if limits.market != "any" and facts.market not in _MARKETS[limits.market]:
        text = f"the market is {facts.market.value if facts.market else 'in an unknown state'}; wait for its hours"
        return Denial(Reason.OUTSIDE_HOURS, scope.name, text, limits.market, facts.market)
    if not limits.covers(facts.now_ns):
        text = "no window of the configured hours covers this moment; wait for one"
        return Denial(Reason.OUTSIDE_HOURS, scope.name, text, limits.windows, facts.now_ns)
    return None


def fresh_data(case: Case, scope: Scope) -> Denial | None:
    """Denies an order without a price or quote, or from a quote too old or as far ahead of our clock."""
    facts = case.facts
    if facts.last is None or facts.quoted_ns is None:
        return Denial(Reason.NO_DATA, scope.name, "no price is known; wait for a quote")
    limit_ns, age_ns = scope.limits.stale_ns_of(_instrument(case)), facts.now_ns - facts.quoted_ns
    if -limit_ns <= age_ns <= limit_ns:
        return None
    text = f"the quote is {age_ns / 1e9:g} s old, at most {limit_ns / 1e9:g} s is allowed; wait for a fresh one"
    return Denial(Reason.STALE_DATA, scope.name, text, limit_ns, age_ns)


def price_band(case: Case, scope: Scope) -> Denial | None:
    """Denies a limit or stop price too far from the last price, on either side."""
    for order in case.orders:
        for price in (order.limit_price, order.stop_price):
            if price is not None and (denial := _off_band(price, case, scope)):
                return denial
    return None


def _off_band(price: Decimal, case: Case, scope: Scope) -> Denial | None:
    last, limits = case.facts.last, scope.limits
    if last is None:
        return Denial(Reason.NO_DATA, scope.name, "no price is known; wait for a quote")
    away = EXACT.subtract(price, last).copy_abs()
    if EXACT.multiply(away, _HUNDRED) > EXACT.multiply(last.copy_abs(), limits.price_band_percent):
        text = f"{price} lies more than {limits.price_band_percent} % from the last price {last}"
        return Denial(Reason.PRICE_BAND, scope.name, text, limits.price_band_percent, price)
    ticks = limits.price_band_ticks
    if ticks is not None and away > EXACT.multiply(_instrument(case).tick, Decimal(ticks)):
        text = f"{price} lies more than {ticks} ticks from the last price {last}"
        return Denial(Reason.PRICE_BAND, scope.name, text, ticks, price)
    return None


def order_quantity(case: Case, scope: Scope) -> Denial | None:
    """Denies an order that is too large."""
    limit = scope.limits.order_quantity
    for order in case.orders:
        if order.quantity > limit:
            text = f"{order.quantity} is more than the {limit} of one order"
            return Denial(Reason.ORDER_QUANTITY, scope.name, text, limit, order.quantity)
    return None


def order_notional(case: Case, scope: Scope) -> Denial | None:
    """Denies an order that is worth too much, or whose worth is not known."""
    limit, worth = scope.limits.order_notional, case.worth
    if worth is None:
        return Denial(Reason.NOT_PRICED, scope.name, "the order has no price or no currency rate; wait for one")
    for order in case.orders:
        notional = EXACT.multiply(order.quantity, worth)
        if notional > limit:
            text = f"it is worth {notional}, more than the {limit} of one order"
            return Denial(Reason.ORDER_NOTIONAL, scope.name, text, limit, notional)
    return None


def open_orders(case: Case, scope: Scope) -> Denial | None:
    """Denies an order when too many are open."""
    limit, after = scope.limits.open_orders, len(scope.book.orders) + case.opened
    if not case.opened or after <= limit:
        return None
    text = f"there would be {after} open orders, at most {limit} are allowed"
    return Denial(Reason.OPEN_ORDERS, scope.name, text, limit, after)


def order_rate(case: Case, scope: Scope) -> Denial | None:
    """Denies an order or change that comes too soon after the ones before."""
    limits, pace, now_ns = scope.limits, scope.book.pace, case.facts.now_ns
    if not pace.has_room(case.sent, limits.orders_per_minute, MINUTE_NS, now_ns):
        text = f"{limits.orders_per_minute} orders in 60 s are allowed; wait"
        return Denial(Reason.ORDER_RATE, scope.name, text, limits.orders_per_minute, case.sent)
    burst = min(limits.orders_per_second, limits.orders_per_minute)
    if not pace.has_room(case.sent, burst, SECOND_NS, now_ns):
        return Denial(Reason.ORDER_BURST, scope.name, f"{burst} orders in 1 s are allowed; wait", burst, case.sent)
    return None


def position(case: Case, scope: Scope) -> Denial | None:
    """Denies an order that could make the position too large if all open orders filled."""
    instrument = _instrument(case)
    limit = scope.limits.position_of(instrument)
    after = EXACT.add(scope.book.gross(instrument.symbol), case.growth)
    if not case.growth or after <= limit:
        return None
    text = f"the position in {instrument.symbol} could become {after}, at most {limit} is allowed"
    return Denial(Reason.POSITION, scope.name, text, limit, after)


def exposure(case: Case, scope: Scope) -> Denial | None:
    """Denies an order that could make all positions together worth too much, or while one has no price."""
    if case.worth is None:
        return Denial(Reason.NOT_PRICED, scope.name, "the order has no price or no currency rate; wait for one")
    limit = scope.limits.exposure
    after = scope.book.lines.exposure_with(_instrument(case).symbol, case.growth, case.worth)
    if after is None:
        return Denial(Reason.EXPOSURE_UNKNOWN, scope.name, "a position has no price yet; wait for its mark", limit)
    if after <= limit:
        return None
    text = f"all positions could be worth {after}, at most {limit} is allowed"
    return Denial(Reason.EXPOSURE, scope.name, text, limit, after)


def daily_loss(_: Case, scope: Scope) -> Denial | None:
    """Denies new risk after the day's loss was reached, or while the day's result is not known."""
    result, limit = scope.book.result, scope.limits.daily_loss
    if result.tripped:
        text = f"the daily loss of {limit} was reached (now {result.today}); the next day or an operator lifts it"
        return Denial(Reason.DAILY_LOSS, scope.name, text, limit, result.today)
    if result.today is None:
        text = "the day's result is not known; value every session first"
        return Denial(Reason.RESULT_UNKNOWN, scope.name, text, limit)
    return None


def _instrument(case: Case) -> Instrument:
    instrument = case.facts.instrument
    if instrument is None:
        raise LookupError("a check that needs the instrument ran without known_symbol before it")
    return instrument


CHECKS: tuple[Check, ...] = (
    sound_facts,
    known_symbol,
    daily_loss,
    allowed_symbol,
    allowed_hours,
    fresh_data,
    price_band,
    order_quantity,
    order_notional,
    open_orders,
    order_rate,
    position,
    exposure,
)
