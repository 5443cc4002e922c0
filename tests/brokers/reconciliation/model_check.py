"""O09: an explicit-state model checker of one order's submission: every interleaving of sends, losses, delays, crashes.

The broker takes a request within D ticks or never, and shows an order L ticks later at the latest. What our side may
do is decided by the product's own functions: `may_resend`, `counted`, `proves` and `settle`.
"""

import enum
from collections import deque
from collections.abc import Iterator
from functools import cache

import attrs

from brokers.capability import KeyClass
from brokers.errors import Code, DuplicateKey, broker_error
from brokers.outcome import Accepted, Exists, Outcome, Rejected, settle
from brokers.reconciliation import Attempts, Intent, Misses, may_resend
from brokers.reconciliation.absences import counted, proves
from tests.brokers.reconciliation.play import keys_of, order

D, L, HORIZON = 2, 1, 9
ATTEMPTS, CRASHES = 2, 2
ORDER = order()


class Retry(enum.Enum):
    """What is done about an attempt without a result."""

    BY_RULE = "as may_resend allows, with proof otherwise"
    NEVER = "prove, then stop"
    PROVED = "prove, then send again"
    NEW_KEY = "send again at once under a new key"
    SAME_KEY = "send again at once under the same key, and believe every answer"


@attrs.frozen
class Policy:
    """One way to submit; the defaults are ours."""

    retry: Retry = Retry.BY_RULE
    quiet: int = D + L
    write_ahead: bool = True


class At(enum.IntEnum):
    """Where our process stands."""

    PREPARED = 0
    SENDING = 1  # the SENT row is committed, the request is not out
    WAITING = 2
    DOUBT = 3
    DOWN = 4
    DONE = 5


class Row(enum.IntEnum):
    """What the journal says of the order."""

    PREPARED = 0
    SENT = 1
    ACCEPTED = 2
    NONE = 3  # rejected, never sent or proved absent


@attrs.frozen(slots=True, cache_hash=True)
class State:
    """One state of us, the wire and the broker; `net` holds (deadline, key), `orders` (key, visible from, open)."""

    t: int = 0
    at: At = At.PREPARED
    row: Row = Row.PREPARED
    attempts: int = 0
    sent: int = 0
    net: tuple[tuple[int, int], ...] = ()
    answer: str = ""
    orders: tuple[tuple[int, int, bool], ...] = ()
    crashes: int = CRASHES


def violation(state: State) -> str | None:
    """What is wrong in a state: the journal and the broker must agree for ever once the journal has decided."""
    if len(state.orders) > 1:
        return "duplicate"
    if state.row is Row.NONE and state.orders:
        return "lost"
    return "phantom" if state.row is Row.ACCEPTED and not state.orders else None


def check(policy: Policy, kind: KeyClass, *, until: frozenset[str] = frozenset()) -> tuple[int, set[str]]:
    """How many states there are, and the kinds of violations in them; stops once those given are found."""
    start = State()
    seen, ahead, found = {start}, deque([start]), set[str]()
    while ahead and not (until and until <= found):
        state = ahead.popleft()
        wrong = violation(state)
        if wrong is not None:
            found.add(wrong)
            continue
        for after in (*ours(state, policy, kind), *theirs(state, kind)):
            if after not in seen:
                seen.add(after)
                ahead.append(after)
    return len(seen), found


def ours(state: State, policy: Policy, kind: KeyClass) -> Iterator[State]:
    """What our process may do next, a crash included."""
    match state.at:
        case At.PREPARED if policy.write_ahead:
            yield _committed(state)
        case At.PREPARED:
            yield _posted(attrs.evolve(state, attempts=state.attempts + 1), policy)
        case At.SENDING:
            yield _posted(state, policy)
        case At.WAITING:
            yield attrs.evolve(state, at=At.DOUBT, answer="")
            if state.answer:
                yield _answered(state, policy)
        case At.DOUBT:
            yield from _doubting(state, policy, kind)
        case At.DOWN:
            yield _restarted(state, policy)
    if state.crashes and state.at not in (At.DONE, At.DOWN):
        yield attrs.evolve(state, at=At.DOWN, crashes=state.crashes - 1, answer="")


def _committed(state: State) -> State:
    return attrs.evolve(state, at=At.SENDING, row=Row.SENT, attempts=state.attempts + 1)


def _posted(state: State, policy: Policy) -> State:
    key = state.attempts if policy.retry is Retry.NEW_KEY else 0
    if not policy.write_ahead:
        key = CRASHES - state.crashes  # a process that finds no row makes the order anew
    return attrs.evolve(
        state,
        at=At.WAITING,
        sent=state.t,
        net=tuple(sorted((*state.net, (state.t + D, key)))),
        answer="",
    )


def _answered(state: State, policy: Policy) -> State:
    believing = policy.retry in (Retry.SAME_KEY, Retry.NEW_KEY)
    row = decided(state.answer, only_attempt=believing or state.attempts == 1)
    if row is None:
        return attrs.evolve(state, at=At.DOUBT, answer="")
    return attrs.evolve(state, at=At.DONE, row=row, answer="")


@cache
def decided(answer: str, *, only_attempt: bool) -> Row | None:
    """What an answer decides about the order; None: nothing."""
    outcomes: dict[str, Outcome] = {
        "taken": Accepted("41"),
        "known": Exists(DuplicateKey("bank", Code.DUPLICATE_KEY, "known"), "41"),
        "refused": Rejected(broker_error("bank", Code.ORDER_REJECTED, "no")),
    }
    match settle(outcomes[answer], only_attempt=only_attempt):
        case Accepted() | Exists():
            return Row.ACCEPTED
        case Rejected():
            return Row.NONE
    return None


def _doubting(state: State, policy: Policy, kind: KeyClass) -> Iterator[State]:
    again = _committed(state)
    more = state.attempts < ATTEMPTS
    if policy.retry in (Retry.NEW_KEY, Retry.SAME_KEY):
        if more:
            yield again
        elif policy.retry is Retry.NEW_KEY:
            yield attrs.evolve(state, at=At.DONE, row=Row.NONE)
        return
    if any(visible <= state.t for _, visible, _ in state.orders):
        yield attrs.evolve(state, at=At.DONE, row=Row.ACCEPTED)
        return
    by_rule = policy.retry is Retry.BY_RULE
    if by_rule and more and allowed(Intent.UNKNOWN, kind, state.t - state.sent):
        yield again
    if absent(state.t, state.sent + policy.quiet):
        yield attrs.evolve(state, at=At.DONE, row=Row.NONE)
        proved = by_rule and allowed(Intent.NOT_ACCEPTED, kind, state.t - state.sent)
        if more and (proved or policy.retry is Retry.PROVED):
            yield again


@cache
def allowed(intent: Intent, kind: KeyClass, age: int) -> bool:
    return may_resend(intent, Attempts(ORDER, age), ORDER, keys_of(kind)) is None


@cache
def absent(now: int, quiet_from: int) -> bool:
    misses = counted(Misses(), listed_ns=now, targeted_ns=now, from_ns=quiet_from)
    return proves(misses, query=True, listings=1)


def _restarted(state: State, policy: Policy) -> State:
    """A new process: what it finds in the journal is all that it knows."""
    if state.row is Row.SENT:
        return attrs.evolve(state, at=At.DOUBT, sent=state.t)
    if policy.write_ahead:
        return attrs.evolve(state, at=At.DONE, row=Row.NONE)
    return attrs.evolve(state, at=At.PREPARED, attempts=0)


def theirs(state: State, kind: KeyClass) -> Iterator[State]:
    """What the wire, the broker and time may do next."""
    for index, (_, key) in enumerate(state.net):
        rest = state.net[:index] + state.net[index + 1 :]
        yield attrs.evolve(state, net=rest)  # lost on the way
        for answer, orders in _taken(state, key, kind):
            yield attrs.evolve(state, net=rest, orders=orders)  # the answer is lost
            if state.at is At.WAITING and not state.answer:
                yield attrs.evolve(state, net=rest, orders=orders, answer=answer)
    for index, (key, visible, is_open) in enumerate(state.orders):
        if is_open:
            others = state.orders[:index] + state.orders[index + 1 :]
            yield attrs.evolve(state, orders=tuple(sorted((*others, (key, visible, False)))))
    if state.t < HORIZON and all(deadline > state.t for deadline, _ in state.net):
        yield attrs.evolve(state, t=state.t + 1)


def _taken(state: State, key: int, kind: KeyClass) -> Iterator[tuple[str, tuple[tuple[int, int, bool], ...]]]:
    """How the broker takes a request: known key, refusal, or a new order that shows up to L later."""
    enforced = {KeyClass.UNIQUE: (True, False), KeyClass.UNIQUE_WHILE_OPEN: (True,)}.get(kind, ())
    if any(known == key and is_open in enforced for known, _, is_open in state.orders):
        yield "known", state.orders
        return
    yield "refused", state.orders
    for visible in range(state.t, state.t + L + 1):
        yield "taken", tuple(sorted((*state.orders, (key, visible, True))))
