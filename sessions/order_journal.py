"""An account's order log in the journal: each fact is one entry of the account's stream, and reads back as it was.

The kind of an entry names the class of its fact, its key the order, its body the fields as JSON. Facts are noted and
go to disk with company; `when_durable` and `sync` tell when all of them are there. A fact that the journal cannot take
now is kept here, in its place, and until it is recorded they refuse: nothing new leaves the process meanwhile.

A start reads from the newest snapshot on, and so does whoever carries an account into a new month's file.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, get_args

import attrs
import msgspec
from outcome import Error, Outcome

from brokers import order_events, reconciliation
from brokers.codec import tag
from brokers.collector import collector_paused
from brokers.errors import BrokerError, Code, broker_error
from brokers.executions import Executions
from brokers.lifecycle import OrderLife
from brokers.model import Change, Order, OrderGroup, OrderState
from brokers.order_log import Abandoned, Attempted, CashMoved, Happening, Intended, OrderFact, Snapshot
from brokers.reconciliation import Adopted, LateAcceptance, OrderEvent, Remedy
from runtime import Name
from runtime.errors import CallError
from runtime.world import World
from sessions import order_snapshot
from sessions.journal import Entry, Journal, JournalCorrupt, JournalError, Reader, Writer
from sessions.journal.carry import entries
from sessions.journal.reader import CHUNK
from sessions.journal.rows import MAX_NAME

PREFIX: Final = "order/"  # of the streams of all accounts


def order_stream(broker: str, account: str) -> str:
    """Under which name the journal keeps an account's facts."""
    return f"{PREFIX}{broker}/{account}"


_SNAPSHOT: Final = "SELECT max(seq) FROM entries WHERE key = ? AND stream = ? AND kind = ?"
_FACTS: Final = "SELECT seq, kind, body, wall_ns FROM entries WHERE stream = ? AND seq > ? ORDER BY seq LIMIT ?"


class UnknownFact(ValueError):
    """An entry of an order stream that is no fact; `kind` is what it calls itself."""

    def __init__(self, kind: str, problem: str) -> None:
        self.kind = kind
        self.problem = problem
        super().__init__(
            f"expected an entry of a kind of order fact, got {kind!r}: {problem}; the stream was not folded; "
            "was the journal written by a newer version?"
        )


# Facts as entries.


def to_entries(fact: OrderFact, stream: str, monotonic_ns: int) -> tuple[Entry, ...]:
    """The entries that keep a fact: one, or the parts of a snapshot."""
    if type(fact.what) is Snapshot:
        return order_snapshot.to_parts(_body(fact.what), stream, fact.wall_ns, monotonic_ns)
    return (to_entry(fact, stream, monotonic_ns),)


def to_entry(fact: OrderFact, stream: str, monotonic_ns: int) -> Entry:
    """The entry that keeps a fact which is no snapshot."""
    what = fact.what
    kind, key = _name(what)
    return Entry(kind, stream, key, _body(what), fact.wall_ns, monotonic_ns)


def from_entry(kind: str, body: str, wall_ns: int) -> OrderFact:
    """The fact in an entry's kind, body and time; raises UnknownFact."""
    form = _FORMS.get(kind)
    if form is None:
        raise UnknownFact(kind, "no such kind")
    try:
        return OrderFact(wall_ns, form.restore(form.decoder.decode(body)))
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise UnknownFact(kind, str(error)) from error


def read_facts(database: str, stream: str) -> list[OrderFact]:
    """All facts of a stream, oldest first, snapshots left out; blocks; raises JournalError, JournalCorrupt."""
    with Reader(database) as reader, collector_paused():
        return [_fact(database, row) for row in _rows(reader, stream, 0) if row[1] != order_snapshot.KIND]


def read_books(database: str, stream: str) -> list[OrderFact]:
    """The newest snapshot of a stream, if there is one, and all facts since; blocks; raises as read_facts does."""
    with Reader(database) as reader, collector_paused():
        return list(facts_since_snapshot(reader, stream))


def facts_since_snapshot(reader: Reader, stream: str) -> Iterator[OrderFact]:
    """What the books of a stream are folded from; raises JournalError, JournalCorrupt."""
    start = newest_snapshot(reader, stream)
    rows = _rows(reader, stream, max(start - 1, 0))
    if start:
        yield _snapshot(reader.database, rows, start)
    for row in rows:
        yield _fact(reader.database, row)


def carry_books(reader: Reader, stream: str) -> list[Entry]:
    """What a new file must hold of an account, as it stands: its newest snapshot and all entries since."""
    return entries(reader, "WHERE stream = ? AND seq >= ? ORDER BY seq", stream, newest_snapshot(reader, stream))


def orders_in_books(reader: Reader, stream: str) -> set[str]:
    """The keys of all orders that the books of a stream may hold; raises JournalError, JournalCorrupt."""
    keys: set[str] = set()
    for fact in facts_since_snapshot(reader, stream):
        match fact.what:
            case Snapshot(state):
                keys |= {kept.order.key for kept in state.orders}
            case Intended():
                keys |= {order.key for order in fact.what.orders}
            case Adopted(key) | LateAcceptance(key):
                keys.add(key)
    return keys


def newest_snapshot(reader: Reader, stream: str) -> int:
    """The number of the entry with which the newest snapshot begins; 0 where there is none."""
    asked = (stream, stream, order_snapshot.KIND)
    (seq,) = reader.guarded(lambda: reader.db.conn.execute(_SNAPSHOT, asked).fetchone())
    return seq or 0


_Row = tuple[int, str, str, int]  # number, kind, body, wall time


def _rows(reader: Reader, stream: str, after: int) -> Iterator[_Row]:
    """The rows of a stream, without what only the chain needs: all of a start waits for this."""
    while rows := _chunk(reader, stream, after):
        yield from rows
        after = rows[-1][0]


def _chunk(reader: Reader, stream: str, after: int) -> list[_Row]:
    return reader.guarded(  # type: ignore[no-any-return]
        lambda: reader.db.conn.execute(_FACTS, (stream, after, CHUNK)).fetchall()
    )


def _fact(database: str, row: _Row) -> OrderFact:
    seq, kind, body, wall_ns = row
    try:
        return from_entry(kind, body, wall_ns)
    except UnknownFact as error:
        raise JournalCorrupt(database, str(error), seq) from error


def _snapshot(database: str, rows: Iterator[_Row], start: int) -> OrderFact:
    """The snapshot in the next rows."""
    _, _, body, wall_ns = next(rows)
    try:
        more = order_snapshot.parts_in(body) - 1
        bodies = [body for _, kind, body, _ in islice(rows, more) if kind == order_snapshot.KIND]
        return order_snapshot.from_parts([body, *bodies], wall_ns)
    except order_snapshot.BadParts as error:
        raise JournalCorrupt(database, str(error), start) from error


def _name(what: Happening) -> tuple[str, str | None]:
    """The kind of an entry, and the order it is looked up by."""
    if type(what) is OrderEvent:
        return _EVENT_KINDS[type(what.event)], _lookup(what.key)
    if type(what) is Intended:
        group = isinstance(what.request, OrderGroup)
        return _INTENDED_GROUP if group else _INTENDED, _lookup(what.orders[0].key)
    keys = getattr(what, "keys", None) or (getattr(what, "key", None),)
    return f"books.{tag(type(what))}", _lookup(keys[0])


def _lookup(key: str | None) -> str | None:
    """A key by which the journal can be asked; the fact itself holds it whole in any case."""
    return key if key and len(key) <= MAX_NAME and _encodes(key) else None


def _body(what: Happening) -> str:
    if isinstance(what, Adopted | LateAcceptance) and what.life.facts:
        what = attrs.evolve(what, life=attrs.evolve(what.life, facts=()))
    try:
        return msgspec.json.encode(what).decode()
    except UnicodeEncodeError:  # a broker's words may hold half a character, which no file can
        return msgspec.json.encode(_mended(msgspec.to_builtins(what))).decode()


def _mended(value: Any) -> Any:
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case dict():
            return {_mended(key): _mended(item) for key, item in value.items()}
        case list() | tuple():
            return [_mended(item) for item in value]
        case _:
            return value


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# Entries as facts: one decoder a kind, made once.


class _Life(msgspec.Struct, frozen=True):
    """An order's life without what its last event brought to light."""

    order: Order
    standing: OrderState
    canceling: bool
    change: Change | None
    uncertain: bool
    executions: Executions
    broker_order_ids: tuple[str, ...]
    reason: str

    def whole(self) -> OrderLife:
        """The life itself."""
        return OrderLife(
            self.order,
            self.standing,
            self.canceling,
            self.change,
            self.uncertain,
            self.executions,
            self.broker_order_ids,
            self.reason,
        )


class _Adopted(msgspec.Struct, frozen=True):
    key: str
    life: _Life
    session: str | None
    wall_ns: int
    sketched: bool


class _LateAcceptance(msgspec.Struct, frozen=True):
    key: str
    life: _Life
    session: str | None
    wall_ns: int
    remedy: Remedy


class _Intended(msgspec.Struct, frozen=True):
    request: Order
    session: str | None


class _IntendedGroup(msgspec.Struct, frozen=True):
    request: OrderGroup
    session: str | None


@attrs.frozen
class _Form:
    """How the entries of one kind are read."""

    decoder: "msgspec.json.Decoder[Any]"
    restore: Callable[[Any], Happening]


_INTENDED: Final = "books.intended"
_INTENDED_GROUP: Final = "books.intended_group"
_EVENT_KINDS: Final[Mapping[type, str]] = {kind: f"order.{tag(kind)}" for kind in get_args(order_events.Event)}
_READ_APART: Final = (OrderEvent, Adopted, LateAcceptance)


def _event_form(kind: type) -> _Form:
    told = msgspec.defstruct("Told", [("key", str), ("event", kind)], frozen=True)
    return _Form(msgspec.json.Decoder(told), lambda raw: OrderEvent(raw.key, raw.event))


def _intended(raw: _Intended | _IntendedGroup) -> Intended:
    return Intended(raw.request, raw.session)


def _adopted(raw: _Adopted) -> Adopted:
    return Adopted(raw.key, raw.life.whole(), raw.session, raw.wall_ns, raw.sketched)


def _late(raw: _LateAcceptance) -> LateAcceptance:
    return LateAcceptance(raw.key, raw.life.whole(), raw.session, raw.wall_ns, raw.remedy)


def _forms() -> dict[str, _Form]:
    plain = (Attempted, Abandoned, CashMoved, *get_args(reconciliation.Event))
    return {
        **{name: _event_form(kind) for kind, name in _EVENT_KINDS.items()},
        **{
            f"books.{tag(kind)}": _Form(msgspec.json.Decoder(kind), lambda raw: raw)
            for kind in plain
            if kind not in _READ_APART
        },
        _INTENDED: _Form(msgspec.json.Decoder(_Intended), _intended),
        _INTENDED_GROUP: _Form(msgspec.json.Decoder(_IntendedGroup), _intended),
        f"books.{tag(Adopted)}": _Form(msgspec.json.Decoder(_Adopted), _adopted),
        f"books.{tag(LateAcceptance)}": _Form(msgspec.json.Decoder(_LateAcceptance), _late),
    }


_FORMS: Final = _forms()


# The log.


class JournalOrderLog:
    """The OrderLog of one account; its journal is asked for anew at each `load`."""

    def __init__(self, journal: Name[Journal], broker: str, account: str, world: World) -> None:
        self.broker = broker
        self.stream = order_stream(broker, account)
        self._journal = journal
        self._world = world
        self._writer: Writer | None = None
        self._owed: deque[Sequence[Entry]] = deque()  # what the journal has not taken yet, in order

    async def load(self) -> Iterable[OrderFact]:
        """The newest snapshot and all facts since, those of a moment ago included; raises NotRecorded."""
        try:
            self._writer = writer = await self._journal.call(Journal.handle)
            self._settle(writer)
            database = await writer.perform(lambda store: store.database)
            return await self._world.threads.run(lambda: read_books(database, self.stream))
        except (JournalError, CallError) as error:
            raise self._not_recorded(error) from error

    def note(self, fact: OrderFact) -> None:
        """Hands a fact to the journal, or keeps it until that can take it."""
        self._owed.append(to_entries(fact, self.stream, self._world.clock.monotonic_ns()))
        if self._writer is not None:
            try:
                self._settle(self._writer)
            except JournalError:
                return  # `sync` tells whoever would act on it

    def when_durable(self, then: Callable[[BrokerError | None], object]) -> None:
        """Calls `then` when all that was noted is on disk, or with NotRecorded."""
        try:
            writer = self._loaded()
            self._settle(writer)
            writer.submit((), partial(self._told, then))
        except JournalError as error:
            then(self._not_recorded(error))

    async def sync(self) -> None:
        """Returns when all that was noted is on disk; raises NotRecorded."""
        try:
            writer = self._loaded()
            self._settle(writer)
            await writer.commit(())
        except JournalError as error:
            raise self._not_recorded(error) from error

    def _told(self, then: Callable[[BrokerError | None], object], result: Outcome[int]) -> None:
        then(self._not_recorded(result.error) if isinstance(result, Error) else None)

    def _loaded(self) -> Writer:
        if self._writer is None:
            raise JournalError("the log was not loaded")
        return self._writer

    def _settle(self, writer: Writer) -> None:
        """Hands over what is owed; raises JournalError, and then it is still owed."""
        while self._owed:
            writer.note(self._owed[0])
            self._owed.popleft()

    def _not_recorded(self, why: object) -> BrokerError:
        text = f"the facts of {self.stream} could not be recorded: {why}"
        return broker_error(self.broker, Code.NOT_RECORDED, text)
