"""Scenarios of bars: the open, the path in its worse order, and the close."""

from decimal import Decimal

from brokers.matching import VenueRules
from tests.brokers.matching.play import (
    MINUTE,
    Scenario,
    bar,
    bought,
    bracket,
    buy,
    oco,
    quote,
    sell,
    sold,
    status,
    trade,
)

_ENTRY = bought("p", 10, limit=100)
_TARGET = sold("t", 10, limit=110)
_STOP = sold("s", 10, stop=95)
_TAKEN = ("accepted p", "accepted t held parent", "accepted s held parent")
_ENTERED = (*_TAKEN, "filled p 10@100 maker bar", "activated t 10/10", "activated s 10/10")
_BEGIN = 10  # orders come now
_FIRST = 2 * MINUTE  # a bar that begins after them ends here
_SECOND = 3 * MINUTE
_INSIDE = _BEGIN + MINUTE // 2  # a bar during which they came ends here

SCENARIOS = (
    Scenario(
        "a market order that was there takes the open",
        (_BEGIN, buy("a", 5), _FIRST, bar(100, 105, 95, 104)),
        ("accepted a", "filled a 5@100 taker bar"),
    ),
    Scenario(
        "a market order that came during the bar takes the close",
        (_BEGIN, buy("a", 5), _INSIDE, bar(100, 105, 95, 104)),
        ("accepted a", "filled a 5@104 taker bar"),
    ),
    Scenario(
        "a bar from before an order is nothing to it",
        (_FIRST + 10, buy("a", 5), sell("b", 5, stop=99), _FIRST + 30, _FIRST, bar(100, 105, 95, 104)),
        ("accepted a", "accepted b"),
    ),
    Scenario(
        "a limit that a bar only touches does not fill",
        (_BEGIN, buy("a", 5, limit=95), _FIRST, bar(100, 105, 95, 104)),
        ("accepted a",),
    ),
    Scenario(
        "a limit that a bar goes through fills at its own price",
        (_BEGIN, buy("a", 5, limit=96), _FIRST, bar(100, 105, 95, 104)),
        ("accepted a", "filled a 5@96 maker bar"),
    ),
    Scenario(
        "with touch chance one, a bar that touches a limit fills it",
        (_BEGIN, buy("a", 5, limit=95), _FIRST, bar(100, 105, 95, 104)),
        ("accepted a", "filled a 5@95 maker bar"),
        VenueRules(touch_chance=1.0),
    ),
    Scenario(
        "a new limit that the open betters takes the open, a resting one keeps its price",
        (
            _BEGIN,
            buy("a", 5, limit=99),
            _FIRST,
            bar(105, 106, 104, 105),
            buy("b", 5, limit=97),
            _SECOND + MINUTE,
            bar(95, 96, 94, 95),
        ),
        ("accepted a", "accepted b", "filled b 5@95 taker bar", "filled a 5@99 maker bar"),
    ),
    Scenario(
        "a limit that came during the bar fills by the close alone",
        (_BEGIN, buy("a", 5, limit=98), buy("b", 5, limit=103), _INSIDE, bar(100, 105, 95, 102)),
        ("accepted a", "accepted b", "filled b 5@103 maker bar"),
    ),
    Scenario(
        "a stop that the open gaps over fills at the open",
        (_BEGIN, sell("a", 5, stop=95), _FIRST, bar(90, 99, 85, 98)),
        ("accepted a", "triggered a @90", "filled a 5@90 taker bar"),
    ),
    Scenario(
        "a stop inside the bar fills beyond it by the slippage",
        (_BEGIN, sell("a", 5, stop=95), _FIRST, bar(100, 105, 90, 98)),
        ("accepted a", "triggered a @95", "filled a 5@93 taker bar"),
        VenueRules(bar_slippage_ticks=2),
    ),
    Scenario(
        "slippage stays within the bar",
        (_BEGIN, buy("a", 5, stop=105), _FIRST, bar(100, 105, 90, 98)),
        ("accepted a", "triggered a @105", "filled a 5@105 taker bar"),
    ),
    Scenario(
        "a stop-limit that the open gaps over fills later in the bar only through its limit",
        (_BEGIN, sell("a", 5, stop=95, limit=94), _FIRST, bar(90, 95, 85, 88), _SECOND, bar(88, 90, 80, 85)),
        ("accepted a", "triggered a @90", "filled a 5@94 maker bar"),
    ),
    Scenario(
        "a stop-limit triggered inside the bar does not fill by an extreme from before",
        (_BEGIN, buy("a", 5, stop=105, limit=104), _FIRST, bar(100, 106, 90, 105)),
        ("accepted a", "triggered a @105"),
    ),
    Scenario(
        "entry and stop in one bar: the loss comes first, and is flagged",
        (_BEGIN, bracket(_ENTRY, _TARGET, _STOP), _FIRST, bar(105, 111, 94, 108)),
        (
            *_ENTERED,
            "triggered s @95 ambiguous",
            "filled s 10@94 taker bar ambiguous",
            "canceled t sibling_traded",
        ),
    ),
    Scenario(
        "entry and target in one bar: the target needs the close",
        (_BEGIN, bracket(_ENTRY, _TARGET, _STOP), _FIRST, bar(105, 111, 98, 108), _SECOND, bar(108, 112, 107, 109)),
        (*_ENTERED, "filled t 10@110 maker bar", "canceled s sibling_traded"),
    ),
    Scenario(
        "entry and a close beyond the target fill both in one bar",
        (_BEGIN, bracket(_ENTRY, _TARGET, _STOP), _FIRST, bar(105, 112, 98, 111)),
        (*_ENTERED, "filled t 10@110 maker bar", "canceled s sibling_traded"),
    ),
    Scenario(
        "an entry gapped far below its stop leaves no better than the open",
        (_BEGIN, bracket(_ENTRY, _TARGET, _STOP), _FIRST, bar(105, 106, 104, 105), _SECOND, bar(90, 99, 88, 98)),
        (
            *_ENTERED,
            "triggered s @95 ambiguous",
            "filled s 10@90 taker bar ambiguous",
            "canceled t sibling_traded",
        ),
    ),
    Scenario(
        "stop and target of an oco in one bar: the stop comes first, and is flagged",
        (_BEGIN, oco(_TARGET, _STOP), _FIRST, bar(100, 100, 100, 100), _SECOND, bar(100, 115, 90, 112)),
        (
            "accepted t",
            "accepted s",
            "triggered s @95 ambiguous",
            "filled s 10@94 taker bar ambiguous",
            "canceled t sibling_traded",
        ),
    ),
    Scenario(
        "a target alone in reach is not flagged",
        (_BEGIN, oco(_TARGET, _STOP), _FIRST, bar(100, 100, 100, 100), _SECOND, bar(100, 115, 96, 112)),
        ("accepted t", "accepted s", "filled t 10@110 maker bar", "canceled s sibling_traded"),
    ),
    Scenario(
        "a trailing stop is first met where it stood before the bar",
        (_BEGIN, sell("a", 5, trail_offset=5), _FIRST, bar(100, 100, 100, 100), _SECOND, bar(100, 120, 94, 119)),
        ("accepted a", "triggered a @95", "filled a 5@94 taker bar"),
    ),
    Scenario(
        "a trailing stop that only the bar's best price brings into reach is flagged",
        (_BEGIN, sell("a", 5, trail_offset=5), _FIRST, bar(100, 100, 100, 100), _SECOND, bar(100, 110, 99, 108)),
        ("accepted a", "triggered a @105 ambiguous", "filled a 5@104 taker bar ambiguous"),
    ),
    Scenario(
        "all orders of a bar share its volume",
        (_BEGIN, buy("a", 5), buy("b", 5), buy("c", 9, limit=98), _FIRST, bar(100, 105, 90, 104, volume=8)),
        ("accepted a", "accepted b", "accepted c", "filled a 5@100 taker bar", "partial b 3@100 taker bar"),
    ),
    Scenario(
        "orders have no more than their share of a bar's volume",
        (_BEGIN, buy("a", 5), _FIRST, bar(100, 105, 90, 104, volume=30), _SECOND, bar(101, 105, 90, 104, volume=30)),
        ("accepted a", "partial a 3@100 taker bar", "filled a 2@101 taker bar"),
        VenueRules(traded_share=Decimal("0.1")),
    ),
    Scenario(
        "immediate orders end with the bar's open",
        (
            _BEGIN,
            buy("a", 9, limit=101, tif="ioc"),
            buy("b", 9, limit=99, tif="ioc"),
            buy("c", 11, tif="fok"),
            _FIRST,
            bar(100, 105, 90, 104, volume=10),
        ),
        (
            "accepted a",
            "accepted b",
            "accepted c",
            "canceled c fill_or_kill",
            "filled a 9@100 taker bar",
            "canceled b immediate_or_cancel",
        ),
    ),
    Scenario(
        "a bar whose time quotes or prints have told of is not used again",
        (_BEGIN, buy("a", 5, limit=96), quote(99, 101), trade(98, 1), _INSIDE, bar(100, 105, 90, 104)),
        ("accepted a",),
    ),
    Scenario(
        "in a halt a bar trades nothing",
        (_BEGIN, buy("a", 5), status("halted"), _FIRST, bar(100, 105, 90, 104)),
        ("accepted a",),
    ),
    Scenario(
        "a session's first bar begins with the session",
        (
            status("pre_open"),
            _FIRST - MINUTE // 2 - 1,
            buy("a", 5),
            status("open"),
            _FIRST,
            bar(100, 105, 90, 104),
        ),
        ("accepted a", "filled a 5@100 taker bar"),
    ),
)
