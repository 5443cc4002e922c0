"""What goes over the control socket, as values: commands that come in, records that go out, and one codec for both."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

import attrs

from brokers import codec
from brokers.account_books import SessionResult
from brokers.model import AccountSummary, Fill, OrderReport, OrderState, OrderType, Position, TimeInForce
from brokers.sides import Side

T = TypeVar("T")


# Commands. Each carries an id of the caller's choice: the same id twice has one effect.


@attrs.frozen
class Started:
    """A session that no file knows: where it trades, what it sees, and by which strategy; `params` are KEY=VALUE."""

    broker: str
    account: str
    symbols: tuple[str, ...]
    strategy: str
    data: str = "same"
    interval: str = "1m"
    params: tuple[str, ...] = ()


@attrs.frozen
class Start:
    """Has a session run from now on; `new` describes one that is not configured."""

    id: str
    session: str
    new: Started | None = None


@attrs.frozen
class Stop:
    """Has a session stay down from now on; its orders and its position stay as they are."""

    id: str
    session: str


@attrs.frozen
class Restart:
    """Ends a session and starts it again."""

    id: str
    session: str


@attrs.frozen
class Reload:
    """Reads the configuration again; with a session, that session's strategy and parameters alone."""

    id: str
    session: str | None = None


@attrs.frozen
class Move:
    """Takes a session to another account; one that holds something is refused, or flattened first."""

    id: str
    session: str
    account: str
    broker: str | None = None
    flatten: bool = False


@attrs.frozen
class Submit:
    """Places one order for a session, if risk lets it."""

    id: str
    session: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    reduce_only: bool = False


@attrs.frozen
class Cancel:
    """Asks for the end of one of a session's orders."""

    id: str
    session: str
    key: str


@attrs.frozen
class Modify:
    """Asks for new terms of one of a session's orders, if risk lets them."""

    id: str
    session: str
    key: str
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


@attrs.frozen
class Flatten:
    """Cancels what is open and closes what is held: of a session, or, with the kill switch, of all."""

    id: str
    by: str
    session: str | None = None
    reason: str = ""


@attrs.frozen
class Halt:
    """Pulls the kill switch."""

    id: str
    by: str
    reason: str = ""
    cancel_only: bool = False


@attrs.frozen
class Resume:
    """Lifts the kill switch in somebody's name; with a session or `portfolio`, a day's loss that struck instead."""

    id: str
    by: str
    session: str | None = None
    portfolio: bool = False
    reason: str = ""


@attrs.frozen
class Resolve:
    """A person's word for an order in doubt: its state at the broker, or None when it never got there."""

    id: str
    by: str
    broker: str
    account: str
    key: str
    state: OrderState | None = None
    broker_order_id: str | None = None
    filled: Decimal | None = None
    average_price: Decimal | None = None


@attrs.frozen
class Arm:
    """Lets a live broker trade for a time."""

    id: str
    by: str
    broker: str
    minutes: int | None = None


@attrs.frozen
class Disarm:
    """Takes a live broker's leave away: its sessions take no new risk."""

    id: str
    by: str
    broker: str


@attrs.frozen
class Backup:
    """Copies the journal into a new folder and verifies the copy."""

    id: str
    folder: str


@attrs.frozen
class Shutdown:
    """Ends the daemon; `drain_s` bounds the wait for orders on their way."""

    id: str
    by: str
    drain_s: int | None = None


# Records.


@attrs.frozen
class Problem:
    """Why a request was refused: a code for machines, a sentence, what to do next, and an id that the log knows."""

    id: str
    code: str
    text: str
    next: str


@attrs.frozen
class Done:
    """What a command came to, in a sentence."""

    text: str


@attrs.frozen
class SessionRow:
    """One session: what is wanted, what it does, where it stands on the ladder, and what keeps it from trading.

    `feed_age_ms` is how old the last price is of the symbol that is longest without one; None where no prices come.
    """

    session: str
    broker: str
    account: str
    symbols: tuple[str, ...]
    strategy: str
    wanted: bool
    condition: str
    why: str
    rung: str
    causes: tuple[str, ...]
    missing: tuple[str, ...]
    feed_age_ms: int | None = None


@attrs.frozen
class BrokerRow:
    """One configured broker."""

    broker: str
    kind: str
    login: str
    environment: str
    accounts: tuple[str, ...]
    open: bool
    armed: bool
    attempts: int
    why_not: str
    troubles: tuple[str, ...] = ()


@attrs.frozen
class AccountRow:
    """How one account's books do."""

    broker: str
    account: str
    reconciled: bool
    open_orders: int
    unknown_orders: int
    fills: int
    problems: int
    last_problem: str


@attrs.frozen
class Status:
    """One screen: is it all right, which it is when there are no `reasons` why not."""

    version: str
    epoch: int
    started_ns: int
    time_ns: int
    halted: str
    live: bool
    journal: str
    lag_ms: Decimal
    restarts: int
    sessions: tuple[SessionRow, ...]
    brokers: tuple[BrokerRow, ...]
    accounts: tuple[AccountRow, ...]
    findings: tuple[str, ...]
    well: bool = True
    reasons: tuple[str, ...] = ()


@attrs.frozen
class OrderRow:
    """One order and whose books it stands in."""

    broker: str
    report: OrderReport


@attrs.frozen
class PositionRow:
    """One position and whose books it stands in."""

    broker: str
    position: Position


@attrs.frozen
class ResultRow:
    """What one session's trades in one symbol came to, and in whose books."""

    broker: str
    account: str
    result: SessionResult


@attrs.frozen
class FillRow:
    """One fill."""

    broker: str
    fill: Fill


@attrs.frozen
class EquityRow:
    """One account's money as its broker tells it; `why_not` says why there is none."""

    broker: str
    account: str
    summary: AccountSummary | None
    why_not: str = ""


@attrs.frozen
class TreeRow:
    """One child in the tree, `depth` steps below the root; parents come before their children."""

    depth: int
    id: str
    path: str
    kind: str
    status: str
    instance: int
    waiting: int


@attrs.frozen
class EventRow:
    """One event of the tree."""

    sequence: int
    time_ns: int
    kind: str
    path: str
    instance: int
    reason: str
    detail: str


@attrs.frozen
class CrashRow:
    """One crash, secrets and state left out."""

    sequence: int
    time_ns: int
    path: str
    instance: int
    error: str
    message: str
    trace: str


@attrs.frozen
class SymbolRow:
    """One root of the instrument table."""

    root: str
    kind: str
    currency: str
    tick: Decimal
    multiplier: Decimal
    front: str
    description: str


@attrs.frozen
class CheckRow:
    """One check of the doctor."""

    name: str
    fine: bool
    text: str


@attrs.frozen
class Sample:
    """One value of a figure, and of what."""

    labels: Mapping[str, str]
    value: float


@attrs.frozen
class Metric:
    """One figure with its values; a counter only grows, a gauge goes up and down."""

    name: str
    kind: str
    help: str
    samples: tuple[Sample, ...]


@attrs.frozen
class AuditRow:
    """The journal's last entry after every row was checked."""

    entries: int
    hash: str


def encode(record: object) -> bytes:
    """A record, or a tuple of records, as JSON."""
    return codec.encode(record).encode()


def decode(data: str | bytes, kind: type[T]) -> T:
    """A record from JSON; raises InvalidJson with all that is wrong."""
    return codec.decode(data, kind)


def command_of(kind: type[Any]) -> str:
    """A command's name, as its address ends."""
    return codec.tag(kind)
