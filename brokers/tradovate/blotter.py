"""What was seen of each order, and the news in what is told next: a pure fold of entity rows into events.

Rows of one frame are taken in together, for the order of their events is not promised: an execution may come before its
order, and the command that carries our key after both. What concerns an order that nobody has described yet waits, and
the socket's reader asks for it.

One execution may have two ids, in the stream and in the lists. It keeps the one it was told under: a row that differs
from a told one in nothing but the id is news only where the exchange counts both.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Final, TypeVar

import attrs
import msgspec

from brokers.errors import Code
from brokers.gateway import OrderNews
from brokers.model import Fill, Order, OrderState
from brokers.order_events import (
    Busted,
    CancelRefused,
    Corrected,
    Event,
    Filled,
    Rejected,
    ReplaceConfirmed,
    ReplaceRefused,
    Snapshot,
)
from brokers.tradovate.answers import REASONS
from brokers.tradovate.symbols import Contracts
from brokers.tradovate.wire import BadPayload
from brokers.tradovate.wire_entities import (
    CommandReportRow,
    CommandRow,
    ExecutionReportRow,
    FeeRow,
    FillRow,
    OrderRow,
    Row,
    VersionRow,
)
from brokers.tradovate.wire_orders import (
    FAILED,
    FINAL,
    Shown,
    fill_of,
    key_in,
    new_terms,
    shown_of,
    version_in_force,
)

T = TypeVar("T")

KEEP_FINISHED: Final = 20_000
MOST_ORDERS: Final = 100_000
MOST_FEES: Final = 20_000
MOST_OF_ONE: Final = 10_000  # versions and commands of one order, and reports on commands that are not known yet
_ZERO: Final = Decimal(0)


@attrs.define(eq=False)
class _Entry:
    """One order: its rows, and how far they were told."""

    row: OrderRow | None = None
    versions: dict[int, VersionRow] = attrs.field(factory=dict)
    commands: dict[int, CommandRow] = attrs.field(factory=dict)
    void: set[int] = attrs.field(factory=set)  # changes that were refused, or are still under way
    fills: dict[int, FillRow] = attrs.field(factory=dict)
    key: str | None = None
    shown: Shown | None = None
    reason: tuple[Code, str] = (Code.ORDER_REJECTED, "")
    waiting: list[Event] = attrs.field(factory=list)  # words about commands, told with the frame
    fresh: dict[int, FillRow] = attrs.field(factory=dict)  # executions that are to be told
    twins: dict[int, FillRow] = attrs.field(factory=dict)  # like a told one, and not counted beside it so far
    told_ids: dict[int, int] = attrs.field(factory=dict)  # an execution's other id -> the one it was told under
    fees: dict[int, Decimal] = attrs.field(factory=dict)  # with which executions were told, those of nought left out
    paid: dict[int, None] = attrs.field(factory=dict)  # executions whose fee has come since they were told
    counted: Decimal | None = None  # the most that the exchange said to be filled

    @property
    def filled(self) -> Decimal:
        """What the active executions come to."""
        return sum((fill.qty for fill in self.fills.values() if fill.active), _ZERO)

    def as_told(self, row: FillRow, ordered: Decimal) -> FillRow | None:
        """The execution under the id it was told by; None for one that seems told already, until it is counted too."""
        told_id = self.told_ids.get(row.id)
        if told_id is None and row.id not in self.fills and self._repeats(row, ordered):
            same = next((told for told in self.fills.values() if _same(told, row)), None)
            alike = [told for told in self.fills.values() if _alike(told, row)] if same is None else []
            if len(alike) == 1 and alike[0].id not in self.told_ids.values():
                told_id = self.told_ids[row.id] = alike[0].id  # corrected before this id of it was told
            elif row.active and (same or alike):
                self.twins[row.id] = row
                return None
            else:
                told_id = None if same is None else same.id
        return row if told_id is None else msgspec.structs.replace(row, id=told_id)

    def _repeats(self, row: FillRow, ordered: Decimal) -> bool:
        """Whether a new row must be of an execution that was told, void by now or not: it is beyond what is counted."""
        most = ordered if self.counted is None else min(self.counted, self.most(ordered))
        return sum((told.qty for told in self.fills.values()), row.qty) > most

    def most(self, ordered: Decimal) -> Decimal:
        """The most that was ever ordered, whether or not a change has taken effect."""
        return max(ordered, *(version.order_qty for version in self.versions.values()))

    def pair(self, row: FillRow, listed: AbstractSet[int]) -> None:
        """Learns the other id of an execution that was told, where the whole list shows it under that alone."""
        if row.id in self.fills or row.id in self.told_ids:
            return
        free = [self.fills[one] for one in sorted(self.fills.keys() - listed - set(self.told_ids.values()))]
        same = (told for told in free if _same(told, row))
        found = next(same, None) or next((told for told in free if _alike(told, row)), None)
        if found is not None:
            self.told_ids[row.id] = found.id


class Blotter:
    """The orders of all accounts of a login; `names` are the accounts by number."""

    def __init__(self, contracts: Contracts, *, keep: int = KEEP_FINISHED) -> None:
        self.begun = False
        self.names: dict[int, str] = {}
        self.bad: list[BadPayload] = []
        """What could not be; whoever takes rows in takes these out."""
        self._contracts = contracts
        self._keep = keep
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._ids: dict[str, int] = {}
        self._orders: dict[int, int] = {}  # command -> order
        self._reports: OrderedDict[int, CommandReportRow] = OrderedDict()  # on commands that are not known yet
        self._fees: OrderedDict[int, Decimal] = OrderedDict()
        self._of_fill: OrderedDict[int, int] = OrderedDict()  # execution, by either id -> order
        self._finished: deque[int] = deque()
        self._pending: dict[int, None] = {}

    # What is known.

    def expect(self, order_id: int, key: str) -> None:
        """Learns the id of an order that we have just placed, whether or not it was seen already."""
        self._name(order_id, self._entry(order_id), key)

    def key_of(self, order_id: int) -> str | None:
        """Our key of an order, where it was told not so long ago."""
        entry = self._entries.get(order_id)
        return None if entry is None else entry.key

    def id_of(self, key: str) -> int | None:
        """The broker's id of an order by our key."""
        return self._ids.get(key)

    def settled(self, order_id: int) -> Shown | None:
        """The last sight of an order that works and of which nothing is being asked; None where there is a doubt."""
        entry = self._entries.get(order_id)
        if entry is None or entry.shown is None or entry.shown.status != "Working":
            return None
        doubtful = any(one in entry.void and not self._failed(entry, one) for one in entry.commands)
        return None if doubtful else entry.shown

    def keyed(self, news: OrderNews) -> OrderNews:
        """The news under our key, which may have become known since they were made."""
        key = self.key_of(int(news.broker_order_id or 0))
        event = news.event
        if isinstance(event, Filled | Corrected):
            event = attrs.evolve(event, fill=attrs.evolve(event.fill, order_key=key))
        return attrs.evolve(news, key=key, event=event)

    def undescribed(self) -> list[int]:
        """Orders that something is waiting to be told about, and whose own rows never came."""
        return list(self._pending)

    def told_ids(self, listed: Iterable[FillRow]) -> dict[int, int]:
        """The id that each execution of a whole list was told under; its own, unless the stream had another."""
        rows = {row.id: row for row in listed}
        told = dict(zip(rows, rows, strict=True))
        for row in rows.values():
            entry = self._entries.get(row.order_id)
            if entry is not None:
                entry.pair(row, rows.keys())
                told[row.id] = entry.told_ids.get(row.id, row.id)
        return told

    def contracts_of(self, rows: Iterable[Row]) -> Iterator[int]:
        """The contracts that rows speak of."""
        return (row.contract_id for row in rows if isinstance(row, OrderRow | FillRow))

    # What is told.

    def take(self, rows: Iterable[Row], now_ns: int) -> tuple[OrderNews, ...]:
        """The news in rows that came together."""
        touched = dict[int, None]()
        for row in rows:
            order_id = self._absorb(row)
            if order_id is not None:
                touched[order_id] = None
        news = [one for order_id in touched for one in self._told(order_id, now_ns)]
        self._forget()
        return tuple(news)

    def begin(self, rows: Iterable[Row], now_ns: int) -> None:
        """Takes in the state of things at the very start, which is no news."""
        self.take(rows, now_ns)
        self.bad.clear()
        self._pending.clear()
        self.begun = True

    def give_up(self, order_id: int) -> None:
        """Lets go of what waits to be told about an order."""
        self._pending.pop(order_id, None)
        entry = self._entry(order_id)
        entry.fresh.clear()
        entry.waiting.clear()

    def _absorb(self, row: Row) -> int | None:
        """Keeps a row; the order that it concerns, if that is known."""
        match row:
            case OrderRow():
                return self._absorb_order(row)
            case VersionRow(order_id=order_id):
                _put(self._entry(order_id).versions, row.id, row)
                return order_id
            case CommandRow(order_id=order_id):
                return self._absorb_command(order_id, row)
            case CommandReportRow():
                return self._absorb_report(row)
            case ExecutionReportRow():
                return self._absorb_word(row)
            case FillRow(order_id=order_id):
                self._entry(order_id).fresh[row.id] = row
                return order_id
            case FeeRow():
                return self._absorb_fee(row)

    def _absorb_order(self, row: OrderRow) -> int:
        entry = self._entry(row.id)
        before = entry.row
        if before is not None and before.ord_status in FINAL and row.ord_status not in FINAL:
            return row.id  # a state of things that is older than its news
        entry.row = row
        answered = before is not None and before.ord_status == "PendingReplace" != row.ord_status
        if answered:  # the change that was under way has been answered, one way or the other
            entry.void -= {one for one in entry.void if not self._failed(entry, one)}
        if row.ord_status in FINAL and (before is None or before.ord_status not in FINAL):
            self._finished.append(row.id)
        return row.id

    def _failed(self, entry: _Entry, command_id: int) -> bool:
        command = entry.commands.get(command_id)
        return command is not None and command.command_status in FAILED

    def _absorb_command(self, order_id: int, row: CommandRow) -> int:
        entry = self._entry(order_id)
        new = row.id not in entry.commands
        _put(entry.commands, row.id, row)
        self._orders[row.id] = order_id
        key = key_in((row,))
        if key is not None:
            self._name(order_id, entry, key)
        if new and row.command_type == "Modify" and row.id not in entry.versions:
            entry.void.add(row.id)
        report = self._reports.pop(row.id, None)
        if report is not None:
            self._absorb_report(report)
        return order_id

    def _absorb_report(self, row: CommandReportRow) -> int | None:
        order_id = self._orders.get(row.command_id)
        if order_id is None:
            _put(self._reports, row.command_id, row, MOST_OF_ONE)
            return None
        entry = self._entry(order_id)
        command = entry.commands[row.command_id]
        if row.command_status in FAILED and command.command_status not in FAILED:
            entry.commands[row.command_id] = _failed_command(command, row.command_status)
            code, text = REASONS.get(row.reject_reason, Code.ORDER_REJECTED), row.text or row.reject_reason
            if command.command_type == "New":
                entry.reason = code, text
            elif command.command_type == "Modify":
                entry.void.add(row.command_id)
                entry.waiting.append(ReplaceRefused(code, text, broker_order_id=str(order_id)))
            else:
                entry.waiting.append(CancelRefused(code, text, broker_order_id=str(order_id)))
        return order_id

    def _absorb_word(self, row: ExecutionReportRow) -> int | None:
        """A word of the exchange; only that it took a change, and what it counts, is told by nothing else."""
        order_id = row.order_id or self._orders.get(row.command_id)
        if row.exec_type not in ("Replaced", "Trade") or order_id is None:
            return None
        entry = self._entry(order_id)
        if row.exec_type == "Trade":
            entry.counted = row.cum_qty if entry.counted is None else max(entry.counted, row.cum_qty or _ZERO)
            return order_id
        entry.void.discard(row.command_id)
        entry.waiting.append(ReplaceConfirmed(broker_order_id=str(order_id)))
        return order_id

    def _absorb_fee(self, row: FeeRow) -> int | None:
        _put(self._fees, row.id, row.total, MOST_FEES)
        order_id = self._of_fill.get(row.id)
        if order_id is not None:
            self._entry(order_id).paid[row.id] = None
        return order_id

    def _name(self, order_id: int, entry: _Entry, key: str) -> None:
        entry.key = key
        self._ids[key] = order_id
        if entry.shown is not None:
            entry.shown = attrs.evolve(entry.shown, order=attrs.evolve(entry.shown.order, key=key))

    def _entry(self, order_id: int) -> _Entry:
        entry = self._entries.get(order_id)
        if entry is None:
            entry = self._entries[order_id] = _Entry()
        return entry

    # News.

    def _told(self, order_id: int, now_ns: int) -> Iterator[OrderNews]:
        """Everything new about one order: executions, then terms, then its word; nothing while it is not described."""
        entry = self._entries[order_id]
        row, version = entry.row, version_in_force(entry.versions.values(), entry.void)
        if row is None or version is None:
            if entry.fresh or entry.waiting:
                self._pending[order_id] = None
            return
        self._pending.pop(order_id, None)
        if row.account_id not in self.names:
            return
        account, symbol = self.names[row.account_id], self._contracts.symbol(row.contract_id)
        if symbol is None:
            entry.fresh.clear()
            entry.waiting.clear()
            return
        try:
            shown = shown_of(account, row, version, symbol, entry.key)
        except BadPayload as bad:
            self.bad.append(bad)
            return
        before, entry.shown = entry.shown, shown
        waiting, entry.waiting = entry.waiting, []
        events = [*self._executions(entry, account, shown.order), *self._late_fees(entry, account, shown.order)]
        events += [*_terms(before, shown, waiting, entry.key), *_word(before, shown, entry)]
        for event in events:
            yield OrderNews(account, entry.key, str(order_id), event, now_ns)

    def _executions(self, entry: _Entry, account: str, order: Order) -> Iterator[Event]:
        fresh, entry.fresh, entry.twins = entry.twins | entry.fresh, {}, {}
        for one in fresh.values():
            row = entry.as_told(one, order.quantity)
            if row is None:
                continue
            known = entry.fills.get(row.id)
            if known == row:
                continue
            try:
                fill = self._fill(row, account, order, entry)
            except BadPayload as bad:
                self.bad.append(bad)
                continue
            entry.fills[row.id] = row
            for id_ in (one.id, row.id):
                _put(self._of_fill, id_, one.order_id, MOST_FEES)
            if fill.fee:
                entry.fees[row.id] = fill.fee
            if known is None:
                yield Filled(fill)
            if not row.active:
                yield Busted(fill.id)
            elif known is not None and (known.qty, known.price, known.active) != (row.qty, row.price, row.active):
                yield Corrected(fill.id, fill)

    def _late_fees(self, entry: _Entry, account: str, order: Order) -> Iterator[Event]:
        """Executions told before their fees came, told again with them."""
        paid, entry.paid = entry.paid, {}
        for id_ in paid:
            told_id, fee = entry.told_ids.get(id_, id_), self._fees.get(id_, _ZERO)
            row = entry.fills.get(told_id)
            if row is not None and row.active and fee != entry.fees.get(told_id, _ZERO):
                entry.fees[told_id] = fee
                fill = fill_of(row, account, order.symbol, entry.key, fee)
                yield Corrected(fill.id, fill)

    def _fill(self, row: FillRow, account: str, order: Order, entry: _Entry) -> Fill:
        if self._contracts.symbol(row.contract_id) != order.symbol:
            raise BadPayload(f"fill {row.id}", f"the contract of its order, {order.symbol}", row)
        most = entry.most(order.quantity)
        if row.qty > most:
            raise BadPayload(f"fill {row.id}", f"at most {most} in one execution", row)
        fee = self._fees.get(row.id) or entry.fees.get(row.id, _ZERO)
        return fill_of(row, account, order.symbol, entry.key, fee)

    def _forget(self) -> None:
        """Forgets the orders that were finished longest ago, and where there are far too many, the oldest."""
        while len(self._finished) > self._keep:
            self._drop(self._finished.popleft())
        while len(self._entries) > MOST_ORDERS:
            self._drop(next(iter(self._entries)))

    def _drop(self, order_id: int) -> None:
        entry = self._entries.pop(order_id, None)
        self._pending.pop(order_id, None)
        if entry is None:
            return
        for command_id in entry.commands:
            self._orders.pop(command_id, None)
        if entry.key is not None:
            self._ids.pop(entry.key, None)


def _same(told: FillRow, row: FillRow) -> bool:
    return msgspec.structs.replace(row, id=told.id, active=told.active) == told


def _alike(told: FillRow, row: FillRow) -> bool:
    """Whether it may be the same execution after a correction, which changes its price and its time."""
    return _same(told, msgspec.structs.replace(row, price=told.price, timestamp=told.timestamp))


def _failed_command(command: CommandRow, status: str) -> CommandRow:
    return CommandRow(
        id=command.id,
        order_id=command.order_id,
        cl_ord_id=command.cl_ord_id,
        command_type=command.command_type,
        command_status=status,
    )


def _terms(before: Shown | None, shown: Shown, waiting: list[Event], key: str | None) -> Iterator[Event]:
    """Answers to commands, with the terms that hold now; terms that changed without a word are told as well."""
    confirmed = False
    for event in waiting:
        confirmed = confirmed or isinstance(event, ReplaceConfirmed)
        if not isinstance(event, ReplaceConfirmed):
            yield event
    change = None
    if before is not None and before.order.type is shown.order.type:
        change = new_terms(key or "", before.order, shown.order)
    if confirmed or (change is not None and shown.status not in FINAL):
        yield ReplaceConfirmed(change if key else None, broker_order_id=shown.order_id)


def _word(before: Shown | None, shown: Shown, entry: _Entry) -> Iterator[Event]:
    if before is not None and before.status == shown.status:
        return
    state = shown.state(entry.filled)
    if state is OrderState.REJECTED:
        yield Rejected(*entry.reason, broker_order_id=shown.order_id)
    elif state is not OrderState.UNKNOWN:
        yield Snapshot(state, broker_order_id=shown.order_id)


def _put(rows: dict[int, T], key: int, value: T, most: int = MOST_OF_ONE) -> None:
    """Keeps a row, and no more than so many."""
    rows[key] = value
    if len(rows) > most:
        del rows[next(iter(rows))]
