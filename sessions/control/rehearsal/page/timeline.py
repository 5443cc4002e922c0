"""One run along its time, as a drawing: each thing that happened stands above the others of its moment."""

from collections.abc import Callable, Container, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Final

import attrs

from sessions.control.rehearsal.chronicle import Money, Price, Trade
from sessions.control.rehearsal.page.marks import (
    Scale,
    clock,
    clock_ticks,
    hint,
    label,
    steps,
    tag,
    thinned,
    ticks,
)
from sessions.control.rehearsal.run import SETTLE, Outcome
from sessions.control.rehearsal.storm import Schedule, Strike

WIDTH: Final = 1120
_LEFT, _RIGHT = 132, 96
_GAP: Final = 30
_ROW: Final = 15
_BINS: Final = 120
SERIES: Final = 4  # colours in turn


@attrs.frozen
class Lane:
    """A stripe of the drawing: its height, and what is in it when its top is known."""

    title: str
    height: float
    draw: Callable[[float], str]


def timeline(outcome: Outcome, schedule: Schedule, seconds: float, needed: Schedule | None = None) -> str:
    """The drawing of a run whose storm lasted so many seconds; the needed faults stand out."""
    end = max(outcome.simulated_s, SETTLE + seconds)
    x = Scale(0, end, _LEFT, WIDTH - _RIGHT)
    lanes = list(_lanes(outcome, schedule, needed, x))
    tops, bottom = [], 34.0
    for lane in lanes:
        tops.append(bottom + 16)
        bottom += 16 + lane.height + _GAP - 16
    inner = [_calm(x, seconds, end, bottom), _axis(x, end, bottom)]
    inner += [_violations(outcome, x, bottom)]
    for lane, top in zip(lanes, tops, strict=True):
        inner.append(label(_LEFT, top - 6, lane.title, "lane"))
        inner.append(lane.draw(top))
    return tag("svg", *inner, viewBox=f"0 0 {WIDTH} {bottom:.0f}", role="img", aria_label="what happened when")


def _lanes(outcome: Outcome, schedule: Schedule, needed: Schedule | None, x: Scale) -> Iterator[Lane]:
    colours = _colours(outcome)
    rows = [(row, list(strikes)) for row, strikes in groupby(sorted(schedule.strikes, key=_row), key=_row)]
    enough = frozenset() if needed is None else frozenset(needed.strikes)
    if rows:
        yield Lane("Faults, by class", len(rows) * _ROW, lambda top: _faults(rows, enough, x, top))
    yield Lane("The daemon's lives", 14, lambda top: _lives(outcome, x, top))
    yield Lane("Orders and fills", 56, lambda top: _activity(outcome, x, top))
    yield Lane("Profit and loss", 150, lambda top: _profit(outcome, x, top))
    traded = sorted({(one.broker, one.symbol) for one in outcome.story.trades})
    for place in traded or sorted({(one.broker, one.symbol) for one in outcome.story.prices})[:SERIES]:
        broker, symbol = place
        prices = [one for one in outcome.story.prices if (one.broker, one.symbol) == place]
        trades = [one for one in outcome.story.trades if (one.broker, one.symbol) == place]
        yield Lane(f"{symbol} at {broker}, with its fills", 96, _prices(prices, trades, x, colours[broker]))


def _colours(outcome: Outcome) -> dict[str, str]:
    """The same colour for a broker wherever it is drawn."""
    brokers = dict.fromkeys(one.broker for one in outcome.story.money)
    return {name: f"s{number % SERIES}" for number, name in enumerate(sorted(brokers))}


def _row(strike: Strike) -> tuple[str, str]:
    return strike.row, strike.fault


# What lies behind everything.


def _axis(x: Scale, end: float, bottom: float) -> str:
    parts = []
    for at in clock_ticks(end, 12):
        parts.append(tag("line", x1=x(at), x2=x(at), y1=26, y2=bottom - 8, class_="grid"))
        parts.append(label(x(at), 18, clock(at), "tick", "middle"))
    return "".join(parts)


def _calm(x: Scale, seconds: float, end: float, bottom: float) -> str:
    """The storm's time is tinted; before and after it nothing is done to anybody."""
    begin, over = x(SETTLE), x(min(SETTLE + seconds, end))
    return tag(
        "rect",
        hint(f"the storm, from {clock(SETTLE)} to {clock(SETTLE + seconds)}"),
        x=begin,
        y=26,
        width=round(max(over - begin, 1), 1),
        height=bottom - 34,
        class_="storm",
    )


def _violations(outcome: Outcome, x: Scale, bottom: float) -> str:
    return "".join(
        tag(
            "g",
            hint(one),
            tag("line", x1=x(one.at_s), x2=x(one.at_s), y1=26, y2=bottom - 8, class_="violation"),
            tag("path", d=f"M{x(one.at_s) - 5} 21h10l-5 8z", class_="violation-mark"),
        )
        for one in outcome.violations
    )


# The lanes.


def _faults(
    rows: Sequence[tuple[tuple[str, str], list[Strike]]], enough: Container[Strike], x: Scale, top: float
) -> str:
    parts = []
    for number, ((row, fault), strikes) in enumerate(rows):
        middle = top + number * _ROW + _ROW / 2
        parts.append(tag("line", x1=x.begin, x2=x.end, y1=middle, y2=middle, class_="rail"))
        parts.append(label(_LEFT - 10, middle + 4, f"{fault}  {row}", "name", "end"))
        parts.append(label(x.end + 10, middle + 4, len(strikes), "count"))
        parts += [_strike(one, x, middle, "strike needed" if one in enough else "strike") for one in strikes]
    return "".join(parts)


def _strike(strike: Strike, x: Scale, middle: float, class_: str) -> str:
    begin = x(SETTLE + strike.at_ms / 1000)
    end = min(x(SETTLE + (strike.at_ms + strike.lasts_ms) / 1000), x.end)
    words = f"{clock(SETTLE + strike.at_ms / 1000)}  {strike_words(strike)}"
    lasts = f", for {strike.lasts_ms / 1000:g} s" if strike.lasts_ms else ""
    width = round(max(end - begin, 3), 1)
    return tag("rect", hint(words + lasts), x=begin, y=middle - 4, width=width, height=8, rx=1.5, class_=class_)


def strike_words(strike: Strike) -> str:
    """A fault with what it takes and whom it strikes."""
    value = strike.value if not strike.value or strike.value.startswith("=") else f"={strike.value}"
    return f"{strike.fault}{value} {strike.at}".strip()


def _lives(outcome: Outcome, x: Scale, top: float) -> str:
    parts, began = [], 0.0
    ends = [*((one.at_s, one.why or f"ended with code {one.code}") for one in outcome.restarts), (x.high, "")]
    for number, (at, why) in enumerate(ends, start=1):
        begin, end = x(began) + (1.5 if number > 1 else 0), x(at)
        words = f"life {number}, from {clock(began)} to {clock(at)}" + (f": {why}" if why else "")
        width = round(max(end - begin - 1.5, 1.5), 1)
        parts.append(tag("rect", hint(words), x=round(begin, 1), y=top, width=width, height=12, rx=2, class_="life"))
        began = at
    parts.append(label(_LEFT - 10, top + 10, f"{len(outcome.restarts)} restarts", "name", "end"))
    return "".join(parts)


def _activity(outcome: Outcome, x: Scale, top: float) -> str:
    orders = _binned(outcome.story.orders, x)
    fills = _binned([one.at_s for one in outcome.story.trades], x)
    most = max([*orders, *fills, 1])
    middle, width = top + 28, (x.end - x.begin) / _BINS
    height = Scale(0, most, 0, 26)
    parts = [tag("line", x1=x.begin, x2=x.end, y1=middle, y2=middle, class_="rail")]
    for number, (taken, filled) in enumerate(zip(orders, fills, strict=True)):
        place = round(x.begin + number * width + 0.75, 1)
        at = clock(x.high * number / _BINS)
        for count, y, kind in ((taken, middle - height(taken), "orders"), (filled, middle, "fills")):
            if count:
                size = {"width": round(width - 1.5, 1), "height": height(count)}
                parts.append(tag("rect", hint(f"{count} {kind} from {at}"), x=place, y=y, **size, class_=kind))
    parts.append(label(_LEFT - 10, middle - 8, f"{len(outcome.story.orders):,} orders", "name", "end"))
    parts.append(label(_LEFT - 10, middle + 18, f"{len(outcome.story.trades):,} fills", "name", "end"))
    return "".join(parts)


def _binned(times: Sequence[float], x: Scale) -> list[int]:
    counts = [0] * _BINS
    for at in times:
        counts[min(int(at / x.high * _BINS), _BINS - 1)] += 1
    return counts


def _profit(outcome: Outcome, x: Scale, top: float) -> str:
    colours, moved = _colours(outcome), {_of(one) for one in outcome.story.money if one.profit}
    money = [one for one in outcome.story.money if _of(one) in moved]
    names = sorted(moved)
    figures = [float(one.profit) for one in money]
    y = Scale(min([*figures, 0.0]), max([*figures, 1.0]), top + 142, top + 6)
    parts = [_figures(y, x, "+,.0f")]
    parts.append(tag("line", x1=x.begin, x2=x.end, y1=y(0), y2=y(0), class_="zero"))
    ends = _spread([y(next(float(one.profit) for one in reversed(money) if _of(one) == name)) for name in names])
    for name, end in zip(names, ends, strict=True):
        points = thinned([(x(one.at_s), y(float(one.profit))) for one in money if _of(one) == name])
        last = next(one.profit for one in reversed(money) if _of(one) == name)
        words = hint(f"{name[0]}: {last:+,.2f} {name[1]}")
        parts.append(tag("path", words, d=steps(points), class_=f"curve {colours[name[0]]}"))
        parts.append(label(x.end + 6, end + 4, name[0][:14], f"end {colours[name[0]]}"))
    return "".join(parts)


def _of(money: Money) -> tuple[str, str]:
    return money.broker, money.currency


def _spread(places: Sequence[float]) -> list[float]:
    """Places for words that do not lie upon each other."""
    found = list(places)
    order = sorted(range(len(places)), key=lambda one: places[one])
    for before, after in pairwise(order):
        found[after] = max(found[after], found[before] + 13)
    return found


def _prices(prices: Sequence[Price], trades: Sequence[Trade], x: Scale, colour: str) -> Callable[[float], str]:
    def draw(top: float) -> str:
        figures = [*(float(one.price) for one in prices), *(float(one.price) for one in trades)]
        y = Scale(min(figures), max(figures), top + 88, top + 8)
        points = thinned([(x(one.at_s), y(float(one.price))) for one in prices])
        parts = [_figures(y, x, ",.10g"), tag("path", d=steps(points), class_="price")]
        return "".join([*parts, *(_trade(one, x, y, colour) for one in trades)])

    return draw


def _trade(trade: Trade, x: Scale, y: Scale, colour: str) -> str:
    buys, at, price = trade.signed_quantity > 0, x(trade.at_s), y(float(trade.price))
    words = f"{clock(trade.at_s)}  {'buys' if buys else 'sells'} {abs(trade.signed_quantity)} at {trade.price}"
    shape = f"M{at - 4} {price + 8}h8l-4 -8z" if buys else f"M{at - 4} {price - 8}h8l-4 8z"
    return tag("path", hint(words), d=shape, class_=f"{'buy' if buys else 'sell'} {colour}")


def _figures(y: Scale, x: Scale, form: str) -> str:
    return "".join(
        tag("line", x1=x.begin, x2=x.end, y1=y(one), y2=y(one), class_="grid")
        + label(_LEFT - 10, y(one) + 4, format(one, form), "tick", "end")
        for one in ticks(y.low, y.high, 4)
    )
