"""Which state an order may go to from which: the table, and how far the broker's word may skip ahead on it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from brokers.model import OrderState

_TABLE: Final = """
CREATED          -> PENDING_NEW
PENDING_NEW      -> HELD WORKING PARTIALLY_FILLED FILLED REJECTED CANCELED EXPIRED UNKNOWN
HELD             -> PENDING_NEW WORKING PARTIALLY_FILLED FILLED PENDING_CANCEL PENDING_REPLACE CANCELED EXPIRED REJECTED
WORKING          -> PARTIALLY_FILLED FILLED PENDING_REPLACE PENDING_CANCEL CANCELED EXPIRED SUSPENDED REJECTED UNKNOWN
PARTIALLY_FILLED -> PARTIALLY_FILLED FILLED PENDING_REPLACE PENDING_CANCEL CANCELED EXPIRED SUSPENDED UNKNOWN
PENDING_REPLACE  -> WORKING PARTIALLY_FILLED REPLACED FILLED CANCELED PENDING_CANCEL UNKNOWN
PENDING_CANCEL   -> CANCELED FILLED PARTIALLY_FILLED WORKING EXPIRED UNKNOWN
SUSPENDED        -> WORKING PARTIALLY_FILLED CANCELED EXPIRED PENDING_CANCEL
UNKNOWN          -> CREATED PENDING_NEW HELD WORKING PARTIALLY_FILLED PENDING_REPLACE PENDING_CANCEL SUSPENDED
UNKNOWN          -> FILLED CANCELED EXPIRED REJECTED REPLACED
"""


def _moves() -> Mapping[OrderState, frozenset[OrderState]]:
    moves: dict[OrderState, frozenset[OrderState]] = dict.fromkeys(OrderState, frozenset())
    for row in _TABLE.strip().splitlines():
        state, words = row.split("->")
        moves[OrderState[state.strip()]] |= {OrderState[word] for word in words.split()}
    return MappingProxyType(moves)


def _reach(start: OrderState) -> frozenset[OrderState]:
    seen: set[OrderState] = set()
    ahead = {start}
    while ahead:
        ahead = {word for state in ahead for word in ALLOWED[state]} - seen - {OrderState.UNKNOWN}
        seen |= ahead
    return frozenset(seen)


ALLOWED: Final = _moves()
"""The moves of one step; no more than these are open to us. Four moves need a reason beyond the table:

leaving UNKNOWN takes `Reconciled`; a pending word that is answered gives way to the word beneath it, whatever
that is; REPLACED ends one broker id, and the order lives on under the next; a correction or bust may turn FILLED
into CANCELED, and a live order without fills left into WORKING.
"""

FORWARD: Final = MappingProxyType({state: _reach(state) for state in OrderState})
"""Where a broker's word may lead from a state, steps in between skipped; UNKNOWN is never on the way."""
