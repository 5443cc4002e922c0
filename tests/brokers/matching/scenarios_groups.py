"""Scenarios of brackets, OCOs and OTOs."""

from brokers.matching import Code, Refusal, VenueRules
from brokers.model import Order
from tests.brokers.matching.play import (
    Scenario,
    bought,
    bracket,
    cancel,
    change,
    depth,
    oco,
    oto,
    quote,
    sold,
    status,
    trade,
)

_STANDING = VenueRules(standing_ns=None)


def _no_limit_sells(account: str, order: Order) -> Refusal | None:
    refused = order.key == "t"
    return Refusal(Code.MARGIN, "too little money") if refused else None


_ENTRY = bought("p", 10, limit=100)
_TARGET = sold("t", 10, limit=110)
_STOP = sold("s", 10, stop=95)
_TAKEN = ("accepted p", "accepted t held parent", "accepted s held parent")
_LIVE = ("activated t 10/10", "activated s 10/10")
_ENTERED = (*_TAKEN, "filled p 10@99 taker displayed", *_LIVE)

BRACKETS = (
    Scenario(
        "a bracket's target cancels its stop",
        (bracket(_ENTRY, _TARGET, _STOP), quote(98, 99), quote(105, 106), quote(111, 112)),
        (*_ENTERED, "filled t 10@110 maker through", "canceled s sibling_traded"),
    ),
    Scenario(
        "a bracket's stop cancels its target",
        (bracket(_ENTRY, _TARGET, _STOP), quote(98, 99), quote(94, 95)),
        (*_ENTERED, "triggered s @94", "filled s 10@94 taker displayed", "canceled t sibling_traded"),
    ),
    Scenario(
        "a bracket's legs do nothing before its entry",
        (bracket(_ENTRY, _TARGET, _STOP), quote(111, 112), quote(105, 106)),
        _TAKEN,
    ),
    Scenario(
        "an entry and its stop can both fill by one gap",
        (bracket(_ENTRY, _TARGET, _STOP), quote(105, 106), quote(90, 91)),
        (
            *_TAKEN,
            "filled p 10@100 maker through",
            *_LIVE,
            "triggered s @90",
            "filled s 10@90 taker displayed",
            "canceled t sibling_traded",
        ),
    ),
    Scenario(
        "legs are worth what the entry has filled so far",
        (bracket(_ENTRY, _TARGET, _STOP), quote(98, 99, ask_size=4), quote(98, 99, ask_size=6)),
        (
            *_TAKEN,
            "partial p 4@99 taker displayed",
            "activated t 4/10",
            "activated s 4/10",
            "filled p 6@99 taker displayed",
            "resized t 10/10",
            "resized s 10/10",
        ),
    ),
    Scenario(
        "an entry canceled after part of it leaves legs of that size",
        (bracket(_ENTRY, _TARGET, _STOP), quote(98, 99, ask_size=4), cancel("p"), quote(94, 95)),
        (
            *_TAKEN,
            "partial p 4@99 taker displayed",
            "activated t 4/10",
            "activated s 4/10",
            "canceled p requested",
            "resized t 4/4",
            "resized s 4/4",
            "triggered s @94",
            "filled s 4@94 taker displayed",
            "canceled t sibling_traded",
        ),
    ),
    Scenario(
        "an entry canceled before its fill takes its legs along",
        (bracket(_ENTRY, _TARGET, _STOP), cancel("p"), quote(90, 91)),
        (*_TAKEN, "canceled p requested", "canceled t parent_ended", "canceled s parent_ended"),
    ),
    Scenario(
        "an entry that expires takes its legs along",
        (bracket(_ENTRY, _TARGET, _STOP), status("closed")),
        (*_TAKEN, "expired p day_end", "canceled t parent_ended", "canceled s parent_ended"),
    ),
    Scenario(
        "an immediate entry that finds part leaves legs of that size",
        (bracket(bought("p", 10, limit=100, tif="ioc"), _TARGET, _STOP), quote(98, 99, ask_size=3)),
        (
            *_TAKEN,
            "partial p 3@99 taker displayed",
            "activated t 3/10",
            "activated s 3/10",
            "canceled p immediate_or_cancel",
            "resized t 3/3",
            "resized s 3/3",
        ),
    ),
    Scenario(
        "without reduce_size the first fill of an exit ends its sibling and the rest of the entry",
        (bracket(_ENTRY, _TARGET, _STOP), quote(98, 99, ask_size=4), quote(94, 101, bid_size=1)),
        (
            *_TAKEN,
            "partial p 4@99 taker displayed",
            "activated t 4/10",
            "activated s 4/10",
            "triggered s @94",
            "partial s 1@94 taker displayed",
            "canceled p exit_traded",
            "canceled t sibling_traded",
            "resized s 4/4",
        ),
    ),
    Scenario(
        "with reduce_size the exits go on sharing what the entry fills",
        (
            bracket(_ENTRY, _TARGET, _STOP, reduce_size=True),
            quote(98, 99, ask_size=4),
            quote(105, 106),
            trade(111, 1),
            quote(98, 99, ask_size=6),
            quote(94, 97),
        ),
        (
            *_TAKEN,
            "partial p 4@99 taker displayed",
            "activated t 4/10",
            "activated s 4/10",
            "partial t 4@110 maker through",
            "resized s 0/6",
            "filled p 6@100 maker through",
            "activated t 10/10",
            "activated s 6/6",
            "triggered s @94",
            "filled s 6@94 taker displayed",
            "canceled t sibling_traded",
        ),
    ),
    Scenario(
        "where the venue waits for the whole entry, legs sleep until then",
        (bracket(_ENTRY, _TARGET, _STOP), quote(98, 99, ask_size=4), quote(98, 99, ask_size=6)),
        (*_TAKEN, "partial p 4@99 taker displayed", "filled p 6@99 taker displayed", *_LIVE),
        VenueRules(legs_wait_for_full_fill=True),
    ),
    Scenario(
        "where the venue waits for the whole entry, its cancel wakes legs of the filled size",
        (bracket(_ENTRY, _TARGET, _STOP), quote(98, 99, ask_size=4), cancel("p")),
        (
            *_TAKEN,
            "partial p 4@99 taker displayed",
            "canceled p requested",
            "activated t 4/4",
            "activated s 4/4",
        ),
        VenueRules(legs_wait_for_full_fill=True),
    ),
    Scenario(
        "an immediate leg sleeps until its parent is over",
        (oto(bought("p", 10, limit=100), sold("c", 10, tif="fok")), quote(98, 99, ask_size=4), quote(98, 99)),
        (
            "accepted p",
            "accepted c held parent",
            "partial p 4@99 taker displayed",
            "filled p 6@99 taker displayed",
            "activated c 10/10",
            "filled c 10@98 taker displayed",
        ),
    ),
    Scenario(
        "a leg refused when it wakes leaves its sibling alive",
        (bracket(_ENTRY, _TARGET, _STOP), quote(98, 99), quote(94, 95)),
        (
            *_TAKEN,
            "filled p 10@99 taker displayed",
            "rejected t margin",
            "activated s 10/10",
            "triggered s @94",
            "filled s 10@94 taker displayed",
        ),
        admit=_no_limit_sells,
    ),
    Scenario(
        "a leg in reduce-only wakes only with something to reduce",
        (
            oto(bought("p", 1, limit=100), bought("c", 1, limit=90, reduce_only=True)),
            quote(98, 99),
        ),
        ("accepted p", "accepted c held parent", "filled p 1@99 taker displayed", "rejected c reduce_only"),
    ),
    Scenario(
        "legs keep their proportion to an entry that is changed",
        (bracket(_ENTRY, _TARGET, _STOP), change("p", quantity=6), quote(98, 99)),
        (
            *_TAKEN,
            "replaced p kept",
            "resized t 0/6",
            "resized s 0/6",
            "filled p 6@99 taker displayed",
            "activated t 6/6",
            "activated s 6/6",
        ),
    ),
    Scenario(
        "a leg asleep can be changed, and wakes with its new terms",
        (bracket(_ENTRY, _TARGET, _STOP), change("s", stop=97), quote(98, 99), quote(97, 98)),
        (
            *_TAKEN,
            "replaced s moved",
            "filled p 10@99 taker displayed",
            *_LIVE,
            "triggered s @97",
            "filled s 10@97 taker displayed",
            "canceled t sibling_traded",
        ),
    ),
    Scenario(
        "a group is taken whole or not at all",
        (bracket(_ENTRY, _TARGET, sold("s", 10)), bracket(_ENTRY, _TARGET, sold("u", 10, stop="95.5"))),
        (
            *_TAKEN,
            "rejected p duplicate_key",
            "rejected t duplicate_key",
            "rejected u duplicate_key",
        ),
    ),
    Scenario(
        "one bad order refuses its whole group",
        (bracket(_ENTRY, _TARGET, sold("s", 10, stop="95.5")), quote(98, 99)),
        ("rejected p bad_group", "rejected t bad_group", "rejected s bad_price"),
    ),
    Scenario(
        "a group needs a shape",
        (bracket(bought("p", 1)), oco(sold("t", 1, limit=110)), oto(bought("q", 1), bought("q", 1))),
        ("rejected p bad_group", "rejected t bad_group", "rejected q bad_group", "rejected q bad_group"),
    ),
)

PAIRS = (
    Scenario(
        "one of an oco filled cancels the other",
        (oco(_TARGET, _STOP), quote(105, 106), trade(111, 1)),
        ("accepted t", "accepted s", "filled t 10@110 maker through", "canceled s sibling_traded"),
    ),
    Scenario(
        "one of an oco part-filled cancels the other",
        (oco(_TARGET, _STOP), quote(94, 95, bid_size=1)),
        (
            "accepted t",
            "accepted s",
            "triggered s @94",
            "partial s 1@94 taker displayed",
            "canceled t sibling_traded",
        ),
    ),
    Scenario(
        "with reduce_size a part fill shrinks the other",
        (oco(_TARGET, _STOP, reduce_size=True), depth({94: 4}, {112: 5}), trade(111, 1)),
        (
            "accepted t",
            "accepted s",
            "triggered s @94",
            "partial s 4@94 taker displayed",
            "resized t 6/6",
            "filled t 6@110 maker through",
            "canceled s sibling_traded",
        ),
    ),
    Scenario(
        "one of an oco canceled cancels the other",
        (oco(_TARGET, _STOP), cancel("t")),
        ("accepted t", "accepted s", "canceled t requested", "canceled s sibling_ended"),
    ),
    Scenario(
        "one of an oco expired cancels the other",
        (oco(_TARGET, sold("s", 10, stop=95, tif="gtc")), status("closed")),
        ("accepted t", "accepted s", "expired t day_end", "canceled s sibling_ended"),
    ),
    Scenario(
        "one of an oco made smaller leaves the other as it is",
        (oco(_TARGET, _STOP), change("t", quantity=4)),
        ("accepted t", "accepted s", "replaced t kept", "resized t 4/4"),
    ),
    Scenario(
        "both of an oco reachable at once still fill one",
        (oco(sold("t", 10, limit=100), sold("s", 10, stop=103)), quote(102, 104, bid_size=30)),
        (
            "accepted t",
            "accepted s",
            "triggered s @102",
            "filled s 10@102 taker displayed",
            "canceled t sibling_traded",
        ),
    ),
    Scenario(
        "children of an oto live independently",
        (
            oto(_ENTRY, _TARGET, _STOP),
            quote(98, 99),
            quote(105, 106),
            trade(111, 1),
            quote(94, 95),
        ),
        (
            *_ENTERED,
            "filled t 10@110 maker through",
            "triggered s @94",
            "filled s 10@94 taker displayed",
        ),
    ),
    Scenario(
        "a child may trade elsewhere",
        (oto(_ENTRY, sold("c", 10, symbol="Y")), quote(50, 51, symbol="Y"), quote(98, 99), quote(52, 53, symbol="Y")),
        (
            "accepted p",
            "accepted c held parent",
            "filled p 10@99 taker displayed",
            "activated c 10/10",
            "filled c 10@52 taker displayed",
        ),
    ),
    Scenario(
        "a child elsewhere trades at once by a standing price",
        (oto(_ENTRY, sold("c", 10, symbol="Y")), quote(50, 51, symbol="Y"), quote(98, 99)),
        (
            "accepted p",
            "accepted c held parent",
            "filled p 10@99 taker displayed",
            "activated c 10/10",
            "filled c 10@50 taker displayed",
        ),
        _STANDING,
    ),
)

SCENARIOS = BRACKETS + PAIRS
