"""The life of an order as one pure state machine: `advance(life, event) -> life`.

The state word and the quantity facts are kept apart. The word an order stands on may be covered by a pending
replace, a pending cancel or the loss of certainty, which are laid over it and lifted again:

    UNKNOWN  over  PENDING_CANCEL  over  PENDING_REPLACE  over  the word the order stands on

What we do (send, cancel, replace, lose touch, reconcile) must be a move of the table. What the broker says may
skip states forward; a word that lies behind is ignored, and a fact says so. Only what fits neither way raises
IllegalMove. Executions are booked in every state.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from brokers.executions import NO_EXECUTIONS, Execution, Executions, Restatement
from brokers.instruments import EXACT, sane
from brokers.model import Change, Fill, Order, OrderReport, OrderState
from brokers.moves import ALLOWED, FORWARD
from brokers.order_events import (
    Acknowledged,
    Behind,
    Busted,
    CancelConfirmed,
    CancelRefused,
    CancelRequested,
    Corrected,
    Duplicate,
    Event,
    Expired,
    Fact,
    Filled,
    Held,
    LateFill,
    LateLife,
    LostTouch,
    OtherId,
    Overfill,
    Owed,
    Reconciled,
    Rejected,
    ReplaceConfirmed,
    ReplaceRefused,
    ReplaceRequested,
    Restated,
    Said,
    Sent,
    Snapshot,
    Stale,
    Suspended,
    Withheld,
    Working,
)
from runtime.quick import quick

MAX_EXECUTIONS: Final = 65_536  # of one order; a broker that reports more is not to be believed
MAX_BROKER_IDS: Final = 256  # of one order; of a longer chain of replaces the oldest are forgotten

_ZERO: Final = Decimal(0)
_REASON: Final = 500  # characters kept of a broker's words
_ENDED: Final = frozenset({OrderState.CANCELED, OrderState.EXPIRED})  # it lived, and fills may yet come to light
_ALIVE: Final = frozenset({OrderState.HELD, OrderState.WORKING, OrderState.PARTIALLY_FILLED, OrderState.SUSPENDED})


class LifecycleError(ValueError):
    """An event that an order's life cannot take; the life is left as it was."""


class IllegalMove(LifecycleError):
    """A move that is not in the table: `state` -> `wanted`, where only `allowed` are open."""

    def __init__(self, life: "OrderLife", wanted: OrderState, event: "Event") -> None:
        self.order_key = life.order.key
        self.state = life.state
        self.wanted = wanted
        self.allowed = ALLOWED[life.state]
        self.event = event
        names = ", ".join(sorted(word.value for word in self.allowed)) or "nothing: it is final"
        only = " (by reconciliation only)" if self.state is OrderState.UNKNOWN else ""
        super().__init__(
            f"order {self.order_key}: {self.state.value} -> {wanted.value} is not a move; allowed{only}: {names}; "
            f"{type(event).__name__} was not applied; ask the broker for the order and reconcile"
        )


class BadEvent(LifecycleError):
    """An event that cannot be about this order; `expected` says what would fit."""

    def __init__(self, life: "OrderLife", event: "Event", expected: str) -> None:
        self.order_key = life.order.key
        self.event = event
        self.expected = expected
        super().__init__(
            f"order {self.order_key}: expected {expected}, got {event!r}; not applied; ask the broker and reconcile"
        )


@quick
@attrs.frozen(weakref_slot=False)
class OrderLife:
    """One order as far as it is known; `facts` are what the last event brought to light, and nothing older."""

    order: Order
    standing: OrderState = OrderState.CREATED  # the word beneath pending requests and doubt
    canceling: bool = False
    change: Change | None = None  # asked for and not answered
    uncertain: bool = False
    executions: Executions = NO_EXECUTIONS
    broker_order_ids: tuple[str, ...] = ()  # of a chain of replaces, the one in force last
    reason: str = ""  # the broker's last refusal, in its words
    facts: tuple[Fact, ...] = attrs.field(default=(), eq=False)

    @property
    def state(self) -> OrderState:
        """The word to show."""
        if self.uncertain:
            return OrderState.UNKNOWN
        if self.standing not in _ALIVE:  # not yet or no more: a pending request does not show
            return self.standing
        if self.canceling:
            return OrderState.PENDING_CANCEL
        return self.standing if self.change is None else OrderState.PENDING_REPLACE

    @property
    def filled(self) -> Decimal:
        """The quantity filled, as far as executions or reports tell."""
        return self.executions.filled

    @property
    def remaining(self) -> Decimal:
        """The quantity not filled, whether or not it still can be."""
        return max(EXACT.subtract(self.order.quantity, self.executions.filled), _ZERO)

    def moved(self, standing: OrderState, executions: Executions, broker_order_ids: tuple[str, ...]) -> "OrderLife":
        """The life with what a broker's everyday words change; attrs.evolve costs five times as much."""
        return OrderLife(
            self.order,
            standing,
            self.canceling,
            self.change,
            self.uncertain,
            executions,
            broker_order_ids,
            self.reason,
            self.facts,
        )

    def report(self, account: str, time_ns: int, sequence: int = 0) -> OrderReport:
        """The life as the report that strategies and books see."""
        executions = self.executions
        filled = executions.filled
        remaining = EXACT.subtract(self.order.quantity, filled)
        return OrderReport(
            self.order,
            account,
            self.state,
            filled,
            max(_ZERO, remaining),
            executions.average_price,
            self.broker_order_ids,
            time_ns,
            sequence,
            self.reason,
        )


def advance(life: OrderLife, event: Event) -> OrderLife:
    """The life after one event; raises IllegalMove or BadEvent, and then nothing has changed."""
    if life.facts:
        life = attrs.evolve(life, facts=())
    if isinstance(event, Said):
        told, ids = event.broker_order_id, life.broker_order_ids
        if told is not None and not (ids and ids[-1] == told):
            other = _other_id(life, event, told) if ids else None
            if other is not None:
                return _noting(life, other)
            if not isinstance(event, ReplaceConfirmed):
                life = _joined(life, told)
    return _HANDLERS[type(event)](life, event)


def _other_id(life: OrderLife, event: Said, told: str) -> OtherId | None:
    """Set when the event is about another broker id than the one in force, or than the next."""
    known = told in life.broker_order_ids
    if not known and isinstance(event, ReplaceConfirmed):
        return None
    return OtherId(told, replaced=known)


# Our own steps: a move of the table or none.


def _sent(life: OrderLife, event: Sent) -> OrderLife:
    if life.state is OrderState.PENDING_NEW:
        return life
    _need_move(life, OrderState.PENDING_NEW, event)
    return life.moved(OrderState.PENDING_NEW, life.executions, life.broker_order_ids)


def _cancel_requested(life: OrderLife, event: CancelRequested) -> OrderLife:
    if life.state in (OrderState.PENDING_NEW, OrderState.PENDING_CANCEL):
        return attrs.evolve(life, canceling=True)
    return _step(life, OrderState.PENDING_CANCEL, event, canceling=True)


def _replace_requested(life: OrderLife, event: ReplaceRequested) -> OrderLife:
    if event.change.key != life.order.key:
        raise BadEvent(life, event, f"a change of {life.order.key}")
    return _step(life, OrderState.PENDING_REPLACE, event, change=event.change)


def _lost_touch(life: OrderLife, event: LostTouch) -> OrderLife:
    return life if life.uncertain else _step(life, OrderState.UNKNOWN, event, uncertain=True)


def _step(life: OrderLife, wanted: OrderState, event: Event, **fields: Any) -> OrderLife:
    _need_move(life, wanted, event)
    return attrs.evolve(life, **fields)


def _need_move(life: OrderLife, wanted: OrderState, event: Event) -> None:
    if life.uncertain or wanted not in ALLOWED[life.state]:
        raise IllegalMove(life, wanted, event)


def _reconciled(life: OrderLife, event: Reconciled) -> OrderLife:
    before, word = life.state, event.state
    life = _counted(_joined(life, event.broker_order_id), event)
    if word is OrderState.UNKNOWN and life.uncertain:
        return life
    wish = before is OrderState.PENDING_NEW and life.canceling and not word.final  # not sent, so not answered
    after = attrs.evolve(
        life,
        standing=_fitted(life, word),
        uncertain=word is OrderState.UNKNOWN,
        canceling=word is OrderState.PENDING_CANCEL or wish,
        change=_change_of(life) if word is OrderState.PENDING_REPLACE else None,
    )
    if not (life.uncertain or after.state is before or after.state in ALLOWED[before] | FORWARD[before]):
        raise IllegalMove(life, word, event)
    if word is OrderState.REJECTED and after.filled:
        raise IllegalMove(life, word, event)
    return after


# The broker's words: forward along the table, or ignored.


def _acknowledged(life: OrderLife, _event: Acknowledged) -> OrderLife:
    if life.uncertain:
        return _noting(life, Withheld(OrderState.PENDING_NEW))
    if life.standing is OrderState.REJECTED:
        return _noting(life, LateLife(OrderState.PENDING_NEW))
    return _stand(life, OrderState.PENDING_NEW) if life.standing is OrderState.CREATED else life


def _word(life: OrderLife, event: Held | Working | Suspended | Expired | CancelConfirmed) -> OrderLife:
    return _heard(life, event.word, event)


def _rejected(life: OrderLife, event: Rejected) -> OrderLife:
    heard = _heard(life, OrderState.REJECTED, event)
    return attrs.evolve(heard, reason=_reason(event)) if heard.state is OrderState.REJECTED else heard


def _snapshot(life: OrderLife, event: Snapshot) -> OrderLife:
    life = _taken_back(life, event)
    behind = event.filled is not None and event.filled < life.filled
    life = _counted(life, event)
    if behind and not event.state.final:
        return life
    return _heard(life if event.state.final else _refitted(life), event.state, event)


def _heard(life: OrderLife, word: OrderState, event: Event) -> OrderLife:
    if word in (OrderState.CREATED, OrderState.UNKNOWN):
        return life  # the broker has nothing to say
    if life.uncertain:
        return _noting(life, Withheld(word))
    standing, before = _fitted(life, word), life.state
    after = _covered(_stand(life, standing), word)
    state = after.state
    ahead = standing is life.standing or standing in FORWARD[life.standing]
    shown = state is before or state in FORWARD[before]
    if ahead and shown and not (standing is OrderState.REJECTED and life.filled):
        return after
    if life.standing in FORWARD[standing]:
        fact = LateLife(word) if life.standing is OrderState.REJECTED else Stale(word)
        return _noting(life, fact)
    raise IllegalMove(life, word, event)


def _covered(life: OrderLife, word: OrderState) -> OrderLife:
    """Lays the broker's own pending word over a live order; any other leaves a request unanswered."""
    if word is OrderState.PENDING_CANCEL and not life.state.final:
        return attrs.evolve(life, canceling=True)
    if word is OrderState.PENDING_REPLACE and not life.state.final:
        return attrs.evolve(life, change=_change_of(life))
    return life


def _cancel_refused(life: OrderLife, event: CancelRefused) -> OrderLife:
    if not life.canceling:
        return _noting(life, Stale(OrderState.PENDING_CANCEL))
    return attrs.evolve(life, canceling=False, reason=_reason(event))


def _replace_refused(life: OrderLife, event: ReplaceRefused) -> OrderLife:
    if life.change is None:
        return _noting(life, Stale(OrderState.PENDING_REPLACE))
    return attrs.evolve(life, change=None, reason=_reason(event))


def _replace_confirmed(life: OrderLife, event: ReplaceConfirmed) -> OrderLife:
    fresh = event.broker_order_id not in (None, *life.broker_order_ids)
    if fresh and life.state.final and life.state is not OrderState.REPLACED:
        raise IllegalMove(life, OrderState.WORKING, event)  # another order lives: never to be overlooked
    if life.state.final and not fresh:
        return _noting(life, Stale(OrderState.PENDING_REPLACE))
    terms = event.terms or _change_of(life)
    if terms.key != life.order.key or not (terms.quantity is None or _counts(terms.quantity)):
        raise BadEvent(life, event, f"terms of {life.order.key} with a positive quantity")
    life = attrs.evolve(
        life,
        order=terms.applied_to(life.order),
        change=None,
        standing=life.standing if life.standing in _ALIVE else OrderState.WORKING,
    )
    return _refitted(_noting_excess(_joined(life, event.broker_order_id)))


# Executions: each counts once, whatever the state.


def _filled(life: OrderLife, event: Filled) -> OrderLife:
    fill = event.fill
    _check_fill(life, event, fill)
    if fill.id in life.executions.by_id:
        return _noting(life, Duplicate(fill.id))
    late = life.standing.final and life.state.final
    life = _booked(life, event, {fill.id: Execution(fill.quantity, fill.price, fill.fee)})
    if not life.broker_order_ids:
        life = _joined(life, fill.broker_order_id)
    return _noting(life, LateFill(fill)) if late else _refitted(life)


def _busted(life: OrderLife, event: Busted) -> OrderLife:
    return _restated(life, event, {event.execution_id: None})


def _corrected(life: OrderLife, event: Corrected) -> OrderLife:
    fill, known = event.fill, life.executions.by_id
    _check_fill(life, event, fill)
    execution: Execution | None = Execution(fill.quantity, fill.price, fill.fee)
    if fill.id != event.execution_id:
        return _restated(life, event, {event.execution_id: None, fill.id: known.get(fill.id, execution)})
    void = fill.id in known and known[fill.id] is None
    return _restated(life, event, {fill.id: None if void else execution})


def _restated(life: OrderLife, event: Busted | Corrected, news: Restatement) -> OrderLife:
    if life.executions.knows(news):
        return _noting(life, Duplicate(event.execution_id))
    before = life
    life = _booked(life, event, news)
    reopened = before.state is OrderState.FILLED and life.filled < life.order.quantity
    life = attrs.evolve(life, standing=OrderState.CANCELED) if reopened else _refitted(life)
    return _noting(life, Restated(event.execution_id, before.filled, reopened=reopened))


def _booked(life: OrderLife, event: Event, news: Restatement) -> OrderLife:
    executions = life.executions.restated(news)
    if len(executions.by_id) > MAX_EXECUTIONS:
        raise BadEvent(life, event, f"at most {MAX_EXECUTIONS} executions of one order")
    return _noting_excess(life.moved(life.standing, executions, life.broker_order_ids))


def _counted(life: OrderLife, seen: Snapshot | Reconciled) -> OrderLife:
    """Takes in a cumulative quantity, which can only raise the one known."""
    filled = seen.filled
    if filled is not None and not (sane(filled) and filled >= 0):
        raise BadEvent(life, seen, "a cumulative quantity of zero or more")
    if seen.state is OrderState.FILLED:
        filled = _told_by_filled(life, filled)
    if filled is None:
        return life
    if filled < life.filled:
        return _noting(life, Behind(filled))
    life = attrs.evolve(life, executions=life.executions.counted(filled, seen.average_price))
    owed = life.executions.owed
    return _noting_excess(_noting(life, Owed(owed)) if owed else life)


def _taken_back(life: OrderLife, seen: Snapshot) -> OrderLife:
    """After a count that no execution showed was taken back: the order is told to have ended with less than that."""
    known = life.executions
    counted = life.standing is OrderState.FILLED and known.owed > 0
    if not counted or seen.state not in _ENDED or seen.filled is None or seen.filled >= known.filled:
        return life
    filled = max(seen.filled, known.quantity)
    if not sane(filled) or filled >= life.order.quantity:
        return life
    executions = attrs.evolve(known, reported=filled, reported_average=seen.average_price)
    return _noting(life.moved(OrderState.CANCELED, executions, life.broker_order_ids), Behind(seen.filled))


def _told_by_filled(life: OrderLife, filled: Decimal | None) -> Decimal | None:
    """The quantity behind FILLED: all of it; of an order that ended otherwise what is counted, after a bust nothing."""
    if life.standing not in _ENDED:
        return max(filled or _ZERO, life.order.quantity)
    return None if _was_busted(life) else filled


def _was_busted(life: OrderLife) -> bool:
    return None in life.executions.by_id.values()


def _check_fill(life: OrderLife, event: Event, fill: Fill) -> None:
    order = life.order
    about_it = fill.symbol == order.symbol and fill.side is order.side
    if not (about_it and _counts(fill.quantity) and sane(fill.price)):
        raise BadEvent(life, event, f"a {order.side.value} of {order.symbol} with a positive quantity and a price")


def _counts(quantity: Decimal) -> bool:
    return sane(quantity) and quantity > 0


# The word and the quantities, made to fit.


def _fitted(life: OrderLife, word: OrderState) -> OrderState:
    """The word to stand on when this word is told, given what is filled."""
    if word is OrderState.UNKNOWN:
        return life.standing
    if word in (OrderState.PENDING_CANCEL, OrderState.PENDING_REPLACE):
        word = life.standing if life.standing in _ALIVE else OrderState.WORKING
    filled = life.executions.filled
    whole = filled >= life.order.quantity
    if word is OrderState.FILLED and life.standing in _ENDED and (whole or _was_busted(life)):
        return life.standing  # late fills or a bust came after it: the broker's FILLED says no more than our quantities
    if word.final:
        return word
    if whole:
        return OrderState.FILLED
    if filled and word is not OrderState.SUSPENDED:
        return OrderState.PARTIALLY_FILLED
    return OrderState.WORKING if word is OrderState.PARTIALLY_FILLED else word


def _refitted(life: OrderLife) -> OrderLife:
    """The life after its quantities changed; a final word stays."""
    if life.standing.final and life.state.final:
        return life
    word = OrderState.WORKING if life.standing is OrderState.FILLED else life.standing
    return _stand(life, _fitted(life, word))


def _stand(life: OrderLife, standing: OrderState) -> OrderLife:
    if standing is life.standing:
        return life
    if standing.final and not life.uncertain and (life.canceling or life.change is not None):
        return attrs.evolve(life, standing=standing, canceling=False, change=None)
    return life.moved(standing, life.executions, life.broker_order_ids)


def _joined(life: OrderLife, broker_order_id: str | None) -> OrderLife:
    if broker_order_id is None or broker_order_id in life.broker_order_ids:
        return life
    ids = (*life.broker_order_ids, broker_order_id)[-MAX_BROKER_IDS:]
    return life.moved(life.standing, life.executions, ids)


def _change_of(life: OrderLife) -> Change:
    return life.change or Change(life.order.key)


def _reason(event: Rejected | CancelRefused | ReplaceRefused) -> str:
    return f"{event.code.value}: {event.text[:_REASON]}"


def _noting(life: OrderLife, *facts: Fact) -> OrderLife:
    return attrs.evolve(life, facts=(*life.facts, *facts))


def _noting_excess(life: OrderLife) -> OrderLife:
    filled, quantity = life.executions.filled, life.order.quantity
    return _noting(life, Overfill(EXACT.subtract(filled, quantity))) if filled > quantity else life


_HANDLERS: Final[Mapping[type[Event], Callable[[OrderLife, Any], OrderLife]]] = {
    Sent: _sent,
    CancelRequested: _cancel_requested,
    ReplaceRequested: _replace_requested,
    LostTouch: _lost_touch,
    Reconciled: _reconciled,
    Acknowledged: _acknowledged,
    Held: _word,
    Working: _word,
    Suspended: _word,
    Expired: _word,
    CancelConfirmed: _word,
    Rejected: _rejected,
    CancelRefused: _cancel_refused,
    ReplaceRefused: _replace_refused,
    ReplaceConfirmed: _replace_confirmed,
    Filled: _filled,
    Corrected: _corrected,
    Busted: _busted,
    Snapshot: _snapshot,
}
