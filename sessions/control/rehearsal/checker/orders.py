"""I03 and I07: no order lost, and none that lives a life that there is not."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from brokers.emulation import log
from brokers.emulation.log import Entry
from sessions.control.rehearsal.checker.invariant import Invariant, Scene
from sessions.control.rehearsal.checker.journalled import FINAL, ZERO, Move
from sessions.journal import Row

_TABLE: Final = """
created: pending_new
pending_new: held working partially_filled filled rejected canceled expired unknown
held: pending_new working partially_filled filled pending_cancel pending_replace canceled expired rejected unknown
working: partially_filled filled pending_replace pending_cancel canceled expired suspended rejected unknown
partially_filled: filled pending_replace pending_cancel canceled expired suspended unknown
pending_replace: working partially_filled filled canceled pending_cancel unknown held suspended expired rejected
pending_cancel: canceled filled partially_filled working expired unknown held suspended rejected pending_replace
suspended: working partially_filled canceled expired pending_cancel pending_replace unknown
"""
MOVES: Final[Mapping[str, frozenset[str]]] = {
    state: frozenset(words.split()) for state, words in (row.split(":") for row in _TABLE.strip().splitlines())
}
_OURS: Final = frozenset({"books.attempted", "order.cancel_requested", "order.replace_requested", "order.lost_touch"})
_PROOF: Final = frozenset({"order.reconciled", "books.not_accepted", "books.never_sent", "books.late_acceptance"})
_RESTATES: Final = frozenset({"order.corrected", "order.busted", "books.late_acceptance"})
_UNANSWERED: Final = frozenset({"pending_new", "created", "unknown", "pending_cancel"})
_DEATHS: Final = frozenset({"books.abandoned", "books.never_sent", "books.not_accepted", "order.rejected"})
_ENDED: Final = frozenset({"canceled", "expired"})
_LIES: Final = frozenset({"lie", "out-on-replace", "late-fill"})
_UNSENT: Final = frozenset({"created", "rejected"})  # an intent that never left may end so


def _reachable(start: str) -> frozenset[str]:
    """Where a broker's word may lead, steps in between skipped."""
    seen: set[str] = set()
    ahead = {start}
    while ahead:
        ahead = {word for one in ahead for word in MOVES.get(one, ())} - seen - {"unknown"}
        seen |= ahead
    return frozenset(seen)


FORWARD: Final[Mapping[str, frozenset[str]]] = {state: _reachable(state) for state in MOVES}


class LegalMoves(Invariant):
    """Each row moves an order as the table of order states lets it; only corrections and late life leave an end."""

    name = "I07"

    def row(self, row: Row) -> None:
        """Looks at what the row did."""
        for key in self.scene.told.strangers:
            self.broken(f"row {row.seq}, {row.entry.kind}, is about {key}, which no row began")
        for move in self.scene.told.moves:
            why = _illegal(move)
            if why:
                self.broken(f"row {row.seq}, {move.kind}, took order {move.order.key} {why}")


def _illegal(move: Move) -> str:
    """What is wrong with a move, or nothing."""
    before, after, kind = move.before, move.after, move.kind
    way = f"from {before} to {after}"
    if before == "gone":
        return f"{way}, and it had been given up"
    if before == "none" or kind == "books.adopted":
        return ""
    if kind in _OURS and (before in FINAL or (kind == "books.attempted" and before != "created")):
        return f"{way}, which is not ours to do"
    if before == after or (before == "filled" and after in _ENDED and kind == "order.snapshot" and _only_counted(move)):
        return ""
    return _out_of_table(before, after, kind, way)


def _only_counted(move: Move) -> bool:
    """Whether no executions stand behind the word filled, so that the broker may take its own count back."""
    return sum(move.order.executions.values(), ZERO) < move.order.quantity


def _out_of_table(before: str, after: str, kind: str, way: str) -> str:
    if kind == "books.abandoned":
        return "" if before in _UNANSWERED else f"{way}, and it had lived"
    if before == "unknown":
        return "" if kind in _PROOF else f"{way} without proof"
    if before in FINAL:
        return "" if kind in _RESTATES else f"{way}, and it had ended"
    table = MOVES if kind in _OURS else FORWARD
    proved = kind in _PROOF and after in _UNSENT
    return "" if proved or after in table[before] else f"{way}, which no table has"


class NoOrderLost(Invariant):
    """No order is held for dead that its broker has; in the end each that a broker took is known, a stranger's too.

    A stranger's that ended with nothing that counts has moved nothing, and nobody had to hear of it.
    """

    name = "I03"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._liars: set[str] = set()  # brokers that said of a living order that it had ended

    def entry(self, broker: str, entry: Entry) -> None:
        """Notes who is not to be believed."""
        if entry.kind == log.FAULT and entry.facts["name"] in _LIES:
            self._liars.add(broker)

    def row(self, row: Row) -> None:
        """Looks whether the row holds a living order for dead."""
        for move in self.scene.told.moves:
            true = self.scene.traded.known_as(move.order.key)
            if true is None or true.refused or true.broker in self._liars:
                continue
            ended = move.after in _ENDED and move.before not in FINAL and not true.ended
            if move.kind in _DEATHS or ended:
                self.broken(f"row {row.seq}, {move.kind}: {true.broker} has the order {move.order.key} as {true.key}")

    def apart(self) -> Iterator[str]:
        """Looks for each order."""
        scene = self.scene
        for order in scene.traded.orders.values():
            stream = scene.stream(order.broker, order.account)
            told = scene.told.by_broker_id.get((stream, order.key))
            idle = order.client is None and (order.ended or order.refused) and not order.filled
            if told is None and not idle:
                yield f"{order.broker} took the order {order.key}, of which the journal holds nothing"
            elif told is not None and order.client is not None and told.key != order.client:
                yield f"{order.broker}'s order {order.key} is {order.client}, the journal says {told.key}"
