"""Scenarios of time: times in force, sessions, halts, settlement, and how late commands arrive."""

from brokers.matching import Latency, OutsideHours, VenueRules
from tests.brokers.matching.play import (
    Scenario,
    bought,
    bracket,
    buy,
    cancel,
    change,
    oco,
    position,
    quote,
    sell,
    settle,
    sold,
    status,
    trade,
    wait,
)

_HOLD = VenueRules(outside_hours=OutsideHours.HOLD)
_STANDING = VenueRules(standing_ns=None)

TIMES_IN_FORCE = (
    Scenario(
        "an ioc takes what there is and ends",
        (buy("a", 9, limit=101, tif="ioc"), quote(99, 101, ask_size=4)),
        ("accepted a", "partial a 4@101 taker displayed", "canceled a immediate_or_cancel"),
    ),
    Scenario(
        "an ioc that reaches nothing ends unfilled",
        (buy("a", 9, limit=100, tif="ioc"), quote(99, 101)),
        ("accepted a", "canceled a immediate_or_cancel"),
    ),
    Scenario(
        "a market ioc into an empty side ends",
        (buy("a", 9, tif="ioc"), quote(99, None)),
        ("accepted a", "canceled a immediate_or_cancel"),
    ),
    Scenario(
        "a fok fills whole over several levels",
        (buy("a", 9, limit=102, tif="fok"), quote(99, 103), buy("b", 2, limit=103, tif="fok"), quote(99, 103)),
        ("accepted a", "canceled a fill_or_kill", "accepted b", "filled b 2@103 taker displayed"),
    ),
    Scenario(
        "a fok takes nothing when it cannot have all",
        (buy("a", 9, limit=103, tif="fok"), quote(99, 102, ask_size=8)),
        ("accepted a", "canceled a fill_or_kill"),
    ),
    Scenario(
        "an ioc stop ends with what it finds when it triggers",
        (sell("a", 9, stop=95, tif="ioc"), quote(96, 97), quote(94, 95, bid_size=4)),
        ("accepted a", "triggered a @94", "partial a 4@94 taker displayed", "canceled a immediate_or_cancel"),
    ),
    Scenario(
        "day orders expire with the session, others do not",
        (buy("a", 1, limit=90), buy("b", 1, limit=91, tif="gtc"), buy("c", 1, stop=110), status("closed")),
        ("accepted a", "accepted b", "accepted c", "expired a day_end", "expired c day_end"),
    ),
    Scenario(
        "a gtc order trades in the next session, at the end of its queue",
        (
            buy("a", 5, limit=99, tif="gtc"),
            quote(99, 101, bid_size=2),
            status("closed"),
            status("open"),
            trade(99, 5),
            quote(99, 101, bid_size=8),
            trade(99, 9),
        ),
        ("accepted a", "partial a 1@99 maker queue"),
    ),
    Scenario(
        "a gtd order lives until its time and not longer",
        (buy("a", 1, limit=99, tif="gtd", expires_ns=10), quote(99, 101, bid_size=0), 9, wait(), 10, trade(99, 5)),
        ("accepted a", "expired a good_till"),
    ),
    Scenario(
        "a gtd order of the past is refused",
        (5, buy("a", 1, limit=99, tif="gtd", expires_ns=5), buy("b", 1, limit=99, tif="gtd")),
        ("rejected a bad_terms", "rejected b bad_terms"),
    ),
    Scenario(
        "both day legs of an oco expire, and none is canceled for the other",
        (oco(sold("a", 1, limit=110), sold("b", 1, stop=90)), status("closed")),
        ("accepted a", "accepted b", "expired a day_end", "expired b day_end"),
    ),
)

SESSIONS = (
    Scenario(
        "a closed market rejects orders",
        (status("closed"), buy("a", 1), buy("b", 1, limit=90, tif="gtc")),
        ("rejected a closed", "rejected b closed"),
    ),
    Scenario(
        "a closed market holds orders until it opens, where the venue does so",
        (status("closed"), buy("a", 1), quote(99, 101), status("open"), quote(100, 102)),
        ("accepted a held hours", "released a", "filled a 1@102 taker displayed"),
        _HOLD,
    ),
    Scenario(
        "a held day order belongs to the session to come",
        (status("closed"), buy("a", 1, limit=90), status("open"), status("closed")),
        ("accepted a held hours", "released a", "expired a day_end"),
        _HOLD,
    ),
    Scenario(
        "a held order can be changed and canceled",
        (status("closed"), buy("a", 1, limit=90), change("a", limit=95), cancel("a"), status("open")),
        ("accepted a held hours", "replaced a moved", "canceled a requested"),
        _HOLD,
    ),
    Scenario(
        "an immediate order is never held",
        (status("closed"), buy("a", 1, tif="ioc"), status("halted"), buy("b", 1, tif="ioc")),
        ("rejected a closed", "rejected b closed"),
        _HOLD,
    ),
    Scenario(
        "a held reduce-only order ends when nothing is left to reduce at its release",
        (
            position(1),
            status("closed"),
            sell("a", 1, reduce_only=True),
            position(0),
            status("open"),
        ),
        ("accepted a held hours", "released a", "canceled a reduce_only"),
        _HOLD,
    ),
    Scenario(
        "before the open orders come in and nothing trades",
        (status("pre_open"), buy("a", 1), buy("b", 1, stop=100), quote(99, 101), trade(101, 5)),
        ("accepted a", "accepted b"),
    ),
    Scenario(
        "in a halt nothing trades or triggers, and cancels are taken",
        (
            buy("a", 1, limit=95),
            sell("b", 1, stop=94),
            status("halted"),
            quote(90, 91),
            trade(90, 5),
            cancel("a"),
            buy("c", 1),
        ),
        ("accepted a", "accepted b", "canceled a requested", "accepted c"),
    ),
    Scenario(
        "after a halt the first data decides, and a stop it gaps over fills there",
        (sell("a", 1, stop=95), quote(96, 97), status("halted"), quote(80, 81), status("open"), quote(85, 86)),
        ("accepted a", "triggered a @85", "filled a 1@85 taker displayed"),
    ),
    Scenario(
        "a display from before a halt is no price after it",
        (quote(99, 101), status("halted"), status("open"), buy("a", 1), quote(104, 105)),
        ("accepted a", "filled a 1@105 taker displayed"),
        _STANDING,
    ),
    Scenario(
        "a halt keeps the queue",
        (
            buy("a", 5, limit=99),
            quote(99, 101, bid_size=2),
            status("halted"),
            status("open"),
            trade(99, 5),
        ),
        ("accepted a", "partial a 3@99 maker queue"),
    ),
    Scenario(
        "a break takes no orders and keeps day orders",
        (
            buy("a", 1, limit=95),
            quote(99, 101),
            status("break"),
            quote(90, 91),
            buy("b", 1),
            status("open"),
            quote(90, 91),
        ),
        ("accepted a", "rejected b closed", "filled a 1@95 maker through"),
    ),
    Scenario(
        "in extended hours only orders trade that ask for it",
        (
            buy("a", 1, limit=95, tif="gtc"),
            buy("b", 1, limit=95, tif="gtc", extended_hours=True),
            quote(97, 98),
            status("extended"),
            quote(97, 98),
            quote(90, 91),
            status("open"),
            quote(89, 90),
        ),
        ("accepted a", "accepted b", "filled b 1@95 maker through", "filled a 1@95 maker through"),
    ),
    Scenario(
        "regular day orders expire when extended hours begin, extended ones at the close",
        (buy("a", 1, limit=95), buy("b", 1, limit=95, extended_hours=True), status("extended"), status("closed")),
        ("accepted a", "accepted b", "expired a day_end", "expired b day_end"),
    ),
    Scenario(
        "in extended hours a regular order is outside its hours",
        (status("extended"), buy("a", 1), buy("b", 1, extended_hours=True), quote(99, 101)),
        ("rejected a closed", "accepted b", "filled b 1@101 taker displayed"),
    ),
    Scenario(
        "in extended hours a regular stop does not trigger",
        (sell("a", 1, stop=95, tif="gtc"), status("extended"), quote(90, 91), status("open"), quote(92, 93)),
        ("accepted a", "triggered a @92", "filled a 1@92 taker displayed"),
    ),
    Scenario(
        "settlement expires every order, closes positions and ends the contract",
        (
            position(3),
            buy("a", 1, limit=90),
            bracket(bought("p", 1, limit=80, tif="gtc"), sold("t", 1, limit=120)),
            settle(100),
            buy("b", 1, limit=90),
            status("open"),
            quote(70, 71),
        ),
        (
            "accepted a",
            "accepted p",
            "accepted t held parent",
            "expired a settled",
            "expired p settled",
            "expired t settled",
            "settled A 3@100",
            "rejected b settled",
        ),
    ),
)

LATENCIES = (
    Scenario(
        "a command takes effect when it arrives and not before",
        (buy("a", 1), quote(90, 91), 11, quote(99, 101)),
        ("accepted a", "filled a 1@101 taker displayed"),
        VenueRules(order_latency=Latency((10,))),
    ),
    Scenario(
        "an order never trades with the data it was decided on",
        (quote(90, 91), buy("a", 1), 20, wait(), quote(99, 101)),
        ("accepted a", "filled a 1@101 taker displayed"),
        VenueRules(order_latency=Latency((10,)), standing_ns=5),
    ),
    Scenario(
        "old data makes commands arrive as much later",
        (buy("a", 1), 11, quote(90, 91), 16, quote(99, 101)),
        ("accepted a", "filled a 1@101 taker displayed"),
        VenueRules(order_latency=Latency((10,)), feed_latency=Latency((5,))),
    ),
    Scenario(
        "a cancel that arrives after the fill is refused",
        (buy("a", 1), 9, cancel("a"), 12, quote(99, 101), 30, wait()),
        ("accepted a", "filled a 1@101 taker displayed", "cancel_refused a too_late"),
        VenueRules(order_latency=Latency((10,))),
    ),
    Scenario(
        "a change that arrives after the fill is refused",
        (buy("a", 1, limit=101), 9, change("a", limit=90), 12, quote(99, 101), 30, wait()),
        ("accepted a", "filled a 1@101 taker displayed", "replace_refused a too_late"),
        VenueRules(order_latency=Latency((10,))),
    ),
    Scenario(
        "a command that arrives with the data of its instant comes first",
        (buy("a", 1, limit=101), cancel("a"), 12, quote(99, 101)),
        ("accepted a", "canceled a requested"),
        VenueRules(order_latency=Latency((10,))),
    ),
    Scenario(
        "what the venue does itself knows no latency",
        (buy("a", 1, limit=90), 15, cancel("a", direct=True)),
        ("accepted a", "canceled a requested"),
        VenueRules(order_latency=Latency((10,))),
    ),
)

SCENARIOS = TIMES_IN_FORCE + SESSIONS + LATENCIES
