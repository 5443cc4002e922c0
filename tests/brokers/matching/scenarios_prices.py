"""Scenarios of prices: markets, limits, queues, stops and trailing stops."""

from decimal import Decimal

from brokers.matching import TriggerSource, VenueRules, WithoutPrice
from brokers.sides import Side
from tests.brokers.matching.play import Scenario, buy, cancel, depth, mark, quote, sell, trade

_STANDING = VenueRules(standing_ns=None)
_LAST = VenueRules(trigger=TriggerSource.LAST)
_IMPACT = VenueRules(standing_ns=None, impact_ticks=2)

MARKETS = (
    Scenario(
        "a market order takes the first display that comes after it",
        (quote(99, 101), buy("a", 5), quote(99, 102)),
        ("accepted a", "filled a 5@102 taker displayed"),
    ),
    Scenario(
        "where a standing display counts, a market order takes it at once",
        (quote(99, 101), buy("a", 5)),
        ("accepted a", "filled a 5@101 taker displayed"),
        _STANDING,
    ),
    Scenario(
        "a display older than allowed is no price",
        (quote(99, 101), 50, buy("a", 5), quote(99, 103)),
        ("accepted a", "filled a 5@103 taker displayed"),
        VenueRules(standing_ns=20),
    ),
    Scenario(
        "a market order walks the displayed levels",
        (sell("a", 5), depth({99: 3, 98: 1, 97: 9}, {101: 3})),
        (
            "accepted a",
            "partial a 3@99 taker displayed",
            "partial a 1@98 taker displayed",
            "filled a 1@97 taker displayed",
        ),
    ),
    Scenario(
        "what a market order does not find displayed waits for the next display",
        (buy("a", 8), quote(99, 101, ask_size=5), trade(101, 50), quote(99, 103, ask_size=5)),
        ("accepted a", "partial a 5@101 taker displayed", "filled a 3@103 taker displayed"),
    ),
    Scenario(
        "with impact the rest fills at once beyond the last level",
        (quote(99, 101, ask_size=5), buy("a", 12)),
        ("accepted a", "partial a 5@101 taker displayed", "filled a 7@105 taker impact"),
        _IMPACT,
    ),
    Scenario(
        "impact goes on where the last order left it",
        (quote(99, 101, ask_size=5), buy("a", 12), buy("b", 4)),
        (
            "accepted a",
            "partial a 5@101 taker displayed",
            "filled a 7@105 taker impact",
            "accepted b",
            "filled b 4@107 taker impact",
        ),
        _IMPACT,
    ),
    Scenario(
        "without a price a market order waits, and nothing is invented",
        (buy("a", 1), quote(99, None), quote(99, 101)),
        ("accepted a", "filled a 1@101 taker displayed"),
    ),
    Scenario(
        "without a price a market order is rejected where the venue says so",
        (buy("a", 1), quote(99, None), buy("b", 1), sell("c", 1), quote(98, 100)),
        ("rejected a no_price", "rejected b no_price", "accepted c", "filled c 1@98 taker displayed"),
        VenueRules(without_price=WithoutPrice.REJECT),
    ),
    Scenario(
        "a quote without size is no liquidity",
        (buy("a", 1), quote(99, 101, ask_size=0), quote(99, 102, ask_size=1)),
        ("accepted a", "filled a 1@102 taker displayed"),
    ),
    Scenario(
        "own orders share a display in the order of time",
        (buy("a", 4), buy("b", 4), quote(99, 101, ask_size=5), quote(99, 104)),
        (
            "accepted a",
            "accepted b",
            "filled a 4@101 taker displayed",
            "partial b 1@101 taker displayed",
            "filled b 3@104 taker displayed",
        ),
    ),
    Scenario(
        "displayed size is not used twice before the next display",
        (quote(99, 101, ask_size=5), buy("a", 4), buy("b", 4, account="B"), quote(99, 101, ask_size=5)),
        (
            "accepted a",
            "filled a 4@101 taker displayed",
            "accepted b",
            "partial b 1@101 taker displayed",
            "filled b 3@101 taker displayed",
        ),
        _STANDING,
    ),
    Scenario(
        "where nothing is ever quoted a print is the price, for its size",
        (buy("a", 5), trade(100, 3), trade(101, 9)),
        ("accepted a", "partial a 3@100 taker print", "filled a 2@101 taker print"),
    ),
    Scenario(
        "a waiting market order can be canceled",
        (buy("a", 5), cancel("a"), quote(99, 101)),
        ("accepted a", "canceled a requested"),
    ),
)

LIMITS = (
    Scenario(
        "a marketable limit takes at the displayed price, better than its own",
        (buy("a", 5, limit=105), quote(99, 101)),
        ("accepted a", "filled a 5@101 taker displayed"),
    ),
    Scenario(
        "a limit takes no level beyond itself",
        (buy("a", 9, limit=102), depth({99: 1}, {101: 2, 102: 3, 103: 50})),
        ("accepted a", "partial a 2@101 taker displayed", "partial a 3@102 taker displayed"),
    ),
    Scenario(
        "a limit that has taken goes on taking while the display is within it",
        (
            buy("a", 9, limit=102),
            quote(99, 101, ask_size=4),
            quote(99, 101, ask_size=4),
            quote(99, 103),
            quote(100, 103),
        ),
        ("accepted a", "partial a 4@101 taker displayed", "partial a 4@101 taker displayed"),
    ),
    Scenario(
        "a resting limit that a quote goes through fills whole at its own price",
        (buy("a", 30, limit=98), quote(99, 101), quote(95, 96, ask_size=2)),
        ("accepted a", "filled a 30@98 maker through"),
    ),
    Scenario(
        "a resting limit that a print goes through fills whole at its own price",
        (sell("a", 30, limit=103), quote(99, 101), trade(104, 2)),
        ("accepted a", "filled a 30@103 maker through"),
    ),
    Scenario(
        "a quote or print without size goes through nothing",
        (buy("a", 30, limit=98), quote(99, 101), quote(95, 96, ask_size=0), trade(95, 0)),
        ("accepted a",),
    ),
    Scenario(
        "by size only, a print gives a resting limit no more than it was",
        (sell("a", 30, limit=103), quote(99, 101), trade(104, 2), quote(105, 106, bid_size=9)),
        ("accepted a", "partial a 2@103 maker through", "partial a 9@103 maker through"),
        VenueRules(through_in_full=False),
    ),
    Scenario(
        "what a resting limit takes by a quote through it others do not find",
        (buy("a", 4, limit=98), quote(99, 101), buy("b", 5, limit=97), quote(95, 96, ask_size=6)),
        ("accepted a", "accepted b", "filled a 4@98 maker through", "partial b 2@96 taker displayed"),
    ),
    Scenario(
        "an ask at a resting bid's price fills it by the size displayed",
        (buy("a", 8, limit=98), quote(99, 101), quote(97, 98, ask_size=5)),
        ("accepted a", "partial a 5@98 maker queue"),
    ),
    Scenario(
        "in a locked market the other side serves those ahead first",
        (buy("a", 8, limit=99), quote(99, 101, bid_size=6), quote(99, 99, bid_size=6, ask_size=8)),
        ("accepted a", "partial a 2@99 maker queue"),
    ),
    Scenario(
        "a touch fills nothing while others are ahead",
        (buy("a", 2, limit=99), quote(99, 101, bid_size=10), trade(99, 10)),
        ("accepted a",),
    ),
    Scenario(
        "trades at the price use up the queue, then fill",
        (buy("a", 4, limit=99), quote(99, 101, bid_size=10), trade(99, 6), trade(99, 6), trade(99, 9)),
        ("accepted a", "partial a 2@99 maker queue", "filled a 2@99 maker queue"),
    ),
    Scenario(
        "a shrinking display shortens the queue",
        (buy("a", 4, limit=99), quote(99, 101, bid_size=10), quote(99, 101, bid_size=3), trade(99, 4)),
        ("accepted a", "partial a 1@99 maker queue"),
    ),
    Scenario(
        "a growing display does not lengthen the queue",
        (buy("a", 4, limit=99), quote(99, 101, bid_size=3), quote(99, 101, bid_size=50), trade(99, 4)),
        ("accepted a", "partial a 1@99 maker queue"),
    ),
    Scenario(
        "who betters the market is first",
        (buy("a", 4, limit=100), quote(99, 102), trade(100, 3)),
        ("accepted a", "partial a 3@100 maker queue"),
    ),
    Scenario(
        "behind the display the queue is not known and a touch fills nothing",
        (buy("a", 4, limit=97), quote(99, 101), trade(97, 500)),
        ("accepted a",),
    ),
    Scenario(
        "the queue becomes known when the price is displayed",
        (buy("a", 4, limit=97), quote(99, 101), quote(97, 99, bid_size=5), trade(97, 6)),
        ("accepted a", "partial a 1@97 maker queue"),
    ),
    Scenario(
        "a deep book shows the queue behind the best price",
        (buy("a", 4, limit=97), depth({99: 5, 97: 3}, {101: 5}), trade(97, 5)),
        ("accepted a", "partial a 2@97 maker queue"),
    ),
    Scenario(
        "a gap in a deep book is an empty queue",
        (buy("a", 4, limit=98), depth({99: 5, 97: 3}, {101: 5}), trade(98, 5)),
        ("accepted a", "filled a 4@98 maker queue"),
    ),
    Scenario(
        "a trade of buyers at the price is not one of the bid's queue",
        (buy("a", 4, limit=99), quote(99, 101, bid_size=1), trade(99, 9, Side.BUY), trade(99, 3, Side.SELL)),
        ("accepted a", "partial a 2@99 maker queue"),
    ),
    Scenario(
        "own orders at one price share a print in the order of time",
        (
            buy("a", 2, limit=99),
            buy("b", 9, limit=99, account="B"),
            quote(99, 101, bid_size=1),
            trade(99, 7),
        ),
        ("accepted a", "accepted b", "filled a 2@99 maker queue", "partial b 4@99 maker queue"),
    ),
    Scenario(
        "the better price goes before the earlier time",
        (sell("a", 3, limit=104), sell("b", 3, limit=103), quote(99, 101), trade(104, 1), trade(105, 1)),
        ("accepted a", "accepted b", "filled b 3@103 maker through", "filled a 3@104 maker through"),
    ),
    Scenario(
        "with touch chance one, a trade at the price fills before its turn",
        (buy("a", 4, limit=99), quote(99, 101, bid_size=50), trade(99, 3)),
        ("accepted a", "partial a 3@99 maker queue"),
        VenueRules(touch_chance=1.0),
    ),
    Scenario(
        "own orders have no more than their share of a print",
        (buy("a", 9, limit=100), quote(99, 102), trade(100, 7)),
        ("accepted a", "partial a 3@100 maker queue"),
        VenueRules(traded_share=Decimal("0.5")),
    ),
    Scenario(
        "own orders of both sides never fill each other",
        (buy("a", 1, limit=100), sell("b", 1, limit=100), quote(98, 103)),
        ("accepted a", "accepted b"),
    ),
    Scenario(
        "a venue may refuse an order that would meet its owner's own",
        (
            quote(98, 103),
            buy("a", 1, limit=100),
            sell("b", 1, limit=100),
            sell("c", 1, limit=101),
            sell("d", 1, limit=99, account="B"),
        ),
        ("accepted a", "rejected b self_cross", "accepted c", "accepted d"),
        VenueRules(refuse_self_cross=True),
    ),
    Scenario(
        "a market order meets an own one only within the display",
        (quote(98, 103), sell("a", 1, limit=104), sell("b", 1, limit=103), buy("c", 1), cancel("b"), buy("d", 1)),
        ("accepted a", "accepted b", "rejected c self_cross", "canceled b requested", "accepted d"),
        VenueRules(refuse_self_cross=True),
    ),
)

STOPS = (
    Scenario(
        "a sell stop triggers by the bid and fills at the first tradable price beyond",
        (sell("a", 2, stop=95), quote(96, 97), quote(90, 91)),
        ("accepted a", "triggered a @90", "filled a 2@90 taker displayed"),
    ),
    Scenario(
        "a buy stop triggers by the ask",
        (buy("a", 2, stop=105), quote(103, 104), quote(104, 108)),
        ("accepted a", "triggered a @108", "filled a 2@108 taker displayed"),
    ),
    Scenario(
        "the first reached stop is the first to fill",
        (buy("a", 6, stop=106), buy("b", 6, stop=105), quote(105, 107, ask_size=8), quote(105, 109)),
        (
            "accepted a",
            "accepted b",
            "triggered b @107",
            "triggered a @107",
            "filled b 6@107 taker displayed",
            "partial a 2@107 taker displayed",
            "filled a 4@109 taker displayed",
        ),
    ),
    Scenario(
        "by the last price a quote triggers nothing, and a print fills by the next display",
        (sell("a", 2, stop=95), quote(90, 91), trade(94, 1), quote(92, 93)),
        ("accepted a", "triggered a @94", "filled a 2@92 taker displayed"),
        _LAST,
    ),
    Scenario(
        "a display that a print has overtaken does not serve the stop it set off",
        (quote(99, 100), sell("a", 2, stop=95), trade(94, 1), quote(93, 94)),
        ("accepted a", "triggered a @94", "filled a 2@93 taker displayed"),
        VenueRules(trigger=TriggerSource.LAST, standing_ns=None),
    ),
    Scenario(
        "a standing display beyond the stop serves it when a print sets it off",
        (quote(94, 95), sell("a", 2, stop=95), trade(94, 1)),
        ("accepted a", "triggered a @94", "filled a 2@94 taker displayed"),
        VenueRules(trigger=TriggerSource.LAST, standing_ns=None),
    ),
    Scenario(
        "by the mark neither quotes nor prints trigger",
        (sell("a", 2, stop=95), quote(90, 91), trade(90, 1), mark(96), mark(95), quote(89, 91)),
        ("accepted a", "triggered a @95", "filled a 2@89 taker displayed"),
        VenueRules(trigger=TriggerSource.MARK),
    ),
    Scenario(
        "without quotes a print triggers and fills for its size",
        (sell("a", 5, stop=95), trade(96, 9), trade(93, 2), trade(92, 9)),
        ("accepted a", "triggered a @93", "partial a 2@93 taker print", "filled a 3@92 taker print"),
    ),
    Scenario(
        "a stop that is reached when it comes triggers by the first data",
        (sell("a", 1, stop=95), quote(94, 96)),
        ("accepted a", "triggered a @94", "filled a 1@94 taker displayed"),
    ),
    Scenario(
        "a stop that is reached when it comes triggers at once by a standing price",
        (quote(94, 96), sell("a", 1, stop=95)),
        ("accepted a", "triggered a @94", "filled a 1@94 taker displayed"),
        _STANDING,
    ),
    Scenario(
        "a stop with no display to sell to waits after its trigger",
        (sell("a", 1, stop=95), quote(94, 96, bid_size=0), quote(91, 92)),
        ("accepted a", "triggered a @94", "filled a 1@91 taker displayed"),
    ),
    Scenario(
        "a triggered stop-limit within its limit takes",
        (sell("a", 2, stop=95, limit=94), quote(95, 96)),
        ("accepted a", "triggered a @95", "filled a 2@95 taker displayed"),
    ),
    Scenario(
        "a stop-limit that is gapped over rests at its limit and does not chase",
        (sell("a", 2, stop=95, limit=94), quote(96, 97), quote(90, 91), quote(93, 94), quote(95, 96)),
        ("accepted a", "triggered a @90", "filled a 2@94 maker through"),
    ),
    Scenario(
        "a canceled stop does not trigger",
        (sell("a", 2, stop=95), cancel("a"), quote(90, 91)),
        ("accepted a", "canceled a requested"),
    ),
    Scenario(
        "a trailing sell follows the best bid and keeps its distance",
        (sell("a", 1, trail_offset=3), quote(100, 101), quote(105, 106), quote(103, 104), quote(102, 103)),
        ("accepted a", "triggered a @102", "filled a 1@102 taker displayed"),
    ),
    Scenario(
        "a trailing stop never loosens",
        (sell("a", 1, trail_offset=3), quote(105, 106), quote(103, 104), quote(104, 105), quote(101, 102)),
        ("accepted a", "triggered a @101", "filled a 1@101 taker displayed"),
    ),
    Scenario(
        "a trailing buy follows the best ask",
        (buy("a", 1, trail_offset=3), quote(100, 101), quote(95, 96), quote(97, 98), quote(98, 99)),
        ("accepted a", "triggered a @99", "filled a 1@99 taker displayed"),
    ),
    Scenario(
        "a trailing percent stands on the grid, away from the market",
        (sell("a", 1, trail_percent=2), quote(130, 131), quote(128, 129), quote(127, 128)),
        ("accepted a", "triggered a @127", "filled a 1@127 taker displayed"),
    ),
    Scenario(
        "a trailing stop may begin nearer than its distance",
        (sell("a", 1, trail_offset=20, stop=98), quote(100, 101), quote(97, 98)),
        ("accepted a", "triggered a @97", "filled a 1@97 taker displayed"),
    ),
    Scenario(
        "by the last price a trailing stop follows prints",
        (sell("a", 1, trail_offset=3), trade(100, 1), quote(110, 111), trade(97, 1), quote(96, 97)),
        ("accepted a", "triggered a @97", "filled a 1@96 taker displayed"),
        _LAST,
    ),
)

SCENARIOS = MARKETS + LIMITS + STOPS
