"""Scenarios of commands: changes, cancels, keys, reduce-only, post-only, admission and bad terms."""

from brokers.matching import Code, DuplicateKeys, Refusal, VenueRules
from brokers.model import Order, OrderType, TimeInForce
from brokers.sides import Side
from tests.brokers.matching.play import (
    Scenario,
    bought,
    bracket,
    buy,
    cancel,
    change,
    order,
    position,
    quote,
    sell,
    sold,
    submit,
    trade,
)

_STANDING = VenueRules(standing_ns=None)


def _at_most_five(account: str, asked: Order) -> Refusal | None:
    return Refusal(Code.MARGIN, "no margin for more than 5") if asked.quantity > 5 else None


CHANGES = (
    Scenario(
        "less quantity keeps the place in the queue",
        (buy("a", 9, limit=99), quote(99, 101, bid_size=3), change("a", quantity=5), trade(99, 5)),
        ("accepted a", "replaced a kept", "partial a 2@99 maker queue"),
    ),
    Scenario(
        "more quantity loses the place in the queue",
        (
            buy("a", 5, limit=99),
            quote(99, 101, bid_size=3),
            change("a", quantity=9),
            quote(99, 101, bid_size=8),
            trade(99, 9),
        ),
        ("accepted a", "replaced a moved", "partial a 1@99 maker queue"),
    ),
    Scenario(
        "of two own orders the changed one goes behind the other",
        (
            buy("a", 2, limit=100),
            buy("b", 2, limit=100),
            quote(99, 102),
            change("a", quantity=3),
            quote(99, 102),
            trade(100, 3),
        ),
        ("accepted a", "accepted b", "replaced a moved", "filled b 2@100 maker queue", "partial a 1@100 maker queue"),
    ),
    Scenario(
        "a changed price may take",
        (buy("a", 5, limit=99), quote(99, 101), change("a", limit=102), quote(100, 101)),
        ("accepted a", "replaced a moved", "filled a 5@101 taker displayed"),
    ),
    Scenario(
        "a changed stop triggers where it stands now",
        (sell("a", 1, stop=95), quote(99, 101), change("a", stop=90), quote(94, 95), quote(90, 91)),
        ("accepted a", "replaced a moved", "triggered a @90", "filled a 1@90 taker displayed"),
    ),
    Scenario(
        "a trailing stop with a changed distance moves after the best price it has seen",
        (sell("a", 1, trail_offset=9), quote(100, 101), change("a", trail_offset=2), quote(98, 99)),
        ("accepted a", "replaced a moved", "triggered a @98", "filled a 1@98 taker displayed"),
    ),
    Scenario(
        "a change to what is filled already is refused",
        (buy("a", 9, limit=101), quote(99, 101, ask_size=4), change("a", quantity=4), change("a", quantity=5)),
        ("accepted a", "partial a 4@101 taker displayed", "replace_refused a bad_quantity", "replaced a kept"),
    ),
    Scenario(
        "a change of a filled order is refused",
        (buy("a", 1), quote(99, 101), change("a", quantity=2)),
        ("accepted a", "filled a 1@101 taker displayed", "replace_refused a too_late"),
    ),
    Scenario(
        "a change of an order nobody knows is refused",
        (change("a", quantity=2), cancel("a")),
        ("replace_refused a unknown_order", "cancel_refused a unknown_order"),
    ),
    Scenario(
        "a change to senseless terms leaves the order as it was",
        (buy("a", 2, limit=99), change("a", limit="99.5"), change("a", stop=90), quote(97, 98)),
        (
            "accepted a",
            "replace_refused a bad_price",
            "replace_refused a bad_terms",
            "filled a 2@98 taker displayed",
        ),
    ),
    Scenario(
        "the stop of a triggered order stays where it was",
        (sell("a", 5, stop=95, limit=94), quote(90, 91), change("a", stop=80), change("a", limit=93), quote(93, 94)),
        (
            "accepted a",
            "triggered a @90",
            "replace_refused a bad_terms",
            "replaced a moved",
            "filled a 5@93 taker displayed",
        ),
    ),
    Scenario(
        "a change that would make a post-only order take is refused",
        (quote(99, 101), buy("a", 1, limit=99, post_only=True), change("a", limit=101), change("a", limit=100)),
        ("accepted a", "replace_refused a post_only", "replaced a moved"),
        _STANDING,
    ),
    Scenario(
        "a change is admitted like an order, unless it is less of it",
        (buy("a", 5, limit=90), change("a", quantity=6), change("a", quantity=4), change("a", limit=91)),
        ("accepted a", "replace_refused a margin", "replaced a kept", "replaced a moved"),
        admit=_at_most_five,
    ),
    Scenario(
        "a cancel of a canceled order is refused",
        (buy("a", 1, limit=90), cancel("a"), cancel("a")),
        ("accepted a", "canceled a requested", "cancel_refused a too_late"),
    ),
)

KEYS = (
    Scenario(
        "a used key is refused, also when its order is over",
        (buy("a", 1, limit=90), buy("a", 2, limit=90), cancel("a"), buy("a", 1, limit=90)),
        ("accepted a", "rejected a duplicate_key", "canceled a requested", "rejected a duplicate_key"),
    ),
    Scenario(
        "keys are each account's own",
        (buy("a", 1, limit=90), buy("a", 1, limit=90, account="B"), cancel("a")),
        ("accepted a", "accepted a", "canceled a requested"),
    ),
    Scenario(
        "a used key is answered with its order, where the venue does so",
        (buy("a", 1, limit=90), buy("a", 2, limit=90), cancel("a"), buy("a", 1)),
        ("accepted a", "known a working", "canceled a requested", "known a canceled"),
        VenueRules(duplicates=DuplicateKeys.RETURN_EXISTING),
    ),
    Scenario(
        "a group that is sent again is answered with its orders",
        (bracket(bought("p", 1, limit=90), sold("t", 1, limit=99)), bracket(bought("p", 1, limit=90), sold("t", 1))),
        ("accepted p", "accepted t held parent", "known p working", "known t held"),
        VenueRules(duplicates=DuplicateKeys.RETURN_EXISTING),
    ),
    Scenario(
        "a key unique among open orders may be used again after its order",
        (buy("a", 1, limit=90), buy("a", 1, limit=90), cancel("a"), buy("a", 1, limit=91)),
        ("accepted a", "rejected a duplicate_key", "canceled a requested", "accepted a"),
        VenueRules(duplicates=DuplicateKeys.OPEN_ONLY),
    ),
    Scenario(
        "a key that means nothing can stand for many orders, the newest open one first",
        (
            buy("a", 1, limit=90),
            buy("a", 1, limit=91),
            change("a", limit=92),
            cancel("a", order_id="1"),
            cancel("a"),
            cancel("a"),
            cancel("a", order_id="3"),
        ),
        (
            "accepted a",
            "accepted a",
            "replaced a moved",
            "canceled a requested",
            "canceled a requested",
            "cancel_refused a too_late",
            "cancel_refused a unknown_order",
        ),
        VenueRules(duplicates=DuplicateKeys.ACCEPT),
    ),
)

PROMISES = (
    Scenario(
        "a post-only order that would take is rejected",
        (quote(99, 101), buy("a", 1, limit=101, post_only=True), buy("b", 1, limit=100, post_only=True)),
        ("rejected a post_only", "accepted b"),
        _STANDING,
    ),
    Scenario(
        "a post-only order ends when the first data shows that it would take",
        (buy("a", 1, limit=101, post_only=True), quote(99, 101)),
        ("accepted a", "canceled a post_only"),
    ),
    Scenario(
        "a post-only order that rests is filled as a maker",
        (buy("a", 1, limit=100, post_only=True), quote(99, 101), quote(98, 99)),
        ("accepted a", "filled a 1@100 maker through"),
    ),
    Scenario(
        "a post-only order ends at a print it would take, where nothing is quoted",
        (buy("a", 1, limit=100, post_only=True), trade(100, 5)),
        ("accepted a", "canceled a post_only"),
    ),
    Scenario(
        "a reduce-only order without a position is rejected",
        (sell("a", 1, reduce_only=True), position(2), buy("b", 1, reduce_only=True)),
        ("rejected a reduce_only", "rejected b reduce_only"),
    ),
    Scenario(
        "a reduce-only order fills no more than the position and ends",
        (position(3), sell("a", 5, reduce_only=True), quote(99, 101)),
        ("accepted a", "partial a 3@99 taker displayed", "canceled a reduce_only"),
    ),
    Scenario(
        "reduce-only orders end when another order closes the position",
        (position(3), sell("a", 3, stop=90, reduce_only=True), sell("b", 3), quote(99, 101)),
        ("accepted a", "accepted b", "filled b 3@99 taker displayed", "canceled a reduce_only"),
    ),
    Scenario(
        "reduce-only orders end when the position turns around",
        (position(3), sell("a", 3, stop=90, reduce_only=True), sell("b", 9), quote(99, 101)),
        ("accepted a", "accepted b", "filled b 9@99 taker displayed", "canceled a reduce_only"),
    ),
    Scenario(
        "reduce-only orders end when the position is stated to be none",
        (position(-3), buy("a", 3, limit=90, reduce_only=True), position(0)),
        ("accepted a", "canceled a reduce_only"),
    ),
    Scenario(
        "a fok in reduce-only needs the position only",
        (position(3), sell("a", 5, reduce_only=True, tif="fok"), quote(99, 101, bid_size=3)),
        ("accepted a", "partial a 3@99 taker displayed", "canceled a reduce_only"),
    ),
    Scenario(
        "an order the layer above refuses never lives",
        (buy("a", 6), buy("b", 5), quote(99, 101)),
        ("rejected a margin", "accepted b", "filled b 5@101 taker displayed"),
        admit=_at_most_five,
    ),
)

TERMS = (
    Scenario(
        "quantities are positive, whole lots and numbers",
        (buy("a", 0), buy("b", -1), buy("c", "0.5"), buy("d", "NaN"), buy("e", "Infinity"), buy("f", "1e400")),
        tuple(f"rejected {key} bad_quantity" for key in "abcdef"),
    ),
    Scenario(
        "prices are numbers on the grid",
        (buy("a", 1, limit="99.5"), buy("b", 1, stop="NaN"), buy("c", 1, limit=9, stop="Infinity")),
        ("rejected a bad_price", "rejected b bad_price", "rejected c bad_price"),
    ),
    Scenario(
        "an order has the prices of its type and no others",
        (
            submit(order("a", Side.BUY, 1, type=OrderType.MARKET, limit_price=100)),
            submit(order("b", Side.BUY, 1, type=OrderType.LIMIT)),
            submit(order("c", Side.BUY, 1, type=OrderType.STOP, limit_price=100, stop_price=100)),
            submit(order("d", Side.BUY, 1, type=OrderType.STOP_LIMIT, limit_price=100)),
            submit(order("e", Side.BUY, 1, type=OrderType.TRAILING_STOP)),
            submit(order("f", Side.BUY, 1, type=OrderType.TRAILING_STOP, trail_offset=1, trail_percent=1)),
            submit(order("g", Side.BUY, 1, type=OrderType.LIMIT, limit_price=100, trail_offset=1)),
        ),
        tuple(f"rejected {key} bad_terms" for key in "abcdefg"),
    ),
    Scenario(
        "a trailing distance is above 0 and below all of the price",
        (buy("a", 1, trail_offset=0), buy("b", 1, trail_percent=100), buy("c", 1, trail_offset="NaN")),
        ("rejected a bad_price", "rejected b bad_price", "rejected c bad_price"),
    ),
    Scenario(
        "only an order that may rest is post-only, and only a gtd order has an expiry",
        (
            buy("a", 1, limit=99, post_only=True, tif="ioc"),
            buy("b", 1, post_only=True),
            submit(order("c", Side.BUY, 1, expires_ns=99, time_in_force=TimeInForce.GTC)),
        ),
        ("rejected a bad_terms", "rejected b bad_terms", "rejected c bad_terms"),
    ),
    Scenario(
        "what is not listed is not traded",
        (buy("a", 1, symbol="Z"), bracket(bought("p", 1), sold("t", 1, symbol="Z"))),
        ("rejected a unknown_symbol", "rejected p bad_group", "rejected t unknown_symbol"),
    ),
)

SCENARIOS = CHANGES + KEYS + PROMISES + TERMS
