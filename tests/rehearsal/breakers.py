# ruff: noqa: ARG005 - what stands in for a function has its parameters
"""Ways to break a daemon in one place, for mutants."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import wraps
from types import FunctionType
from typing import Any, Final
from unittest.mock import patch
from zlib import crc32

import attrs
import trio

from brokers import outcome, reconciliation
from brokers.account_books import AccountBooks
from brokers.account_desk import AccountDesk
from brokers.account_manager import AccountManager
from brokers.connection import Connection
from brokers.errors import Certainty, Code, broker_error
from brokers.gateway import AccountNews, OrderNews
from brokers.guards.ladder import Rung
from brokers.order_events import CancelConfirmed, Filled
from brokers.outcome import NotSent, Unknown
from brokers.reconciliation.draft import Draft
from brokers.reconciliation.events import NotAccepted
from brokers.tokens.reader import TokenReader
from brokers.tokens.token_store import TokenStore
from sessions.control.api.once import Once
from sessions.health import Health
from sessions.journal import Journal
from sessions.journal.capture import JournalCapture
from sessions.journal.store import Store
from sessions.journal.writer import Writer
from sessions.order_journal import JournalOrderLog

Broken = Callable[[], AbstractContextManager[Any]]
UNLIMITED: Final = 10**9
_SETTLED: Final = 40.0  # seconds after which a run is under way


def instead(where: Any, name: str, made: Callable[[Any], Any]) -> Broken:
    """Replaces an attribute by what is made of the one that is there."""

    def broken() -> AbstractContextManager[Any]:
        new, old = made(getattr(where, name)), getattr(where, name)
        return patch.object(where, name, wraps(old)(new) if isinstance(old, FunctionType) else new)

    return broken


def value(where: Any, name: str, new: Any) -> Broken:
    """Replaces an attribute."""
    return lambda: patch.object(where, name, new)


def both(*breaks: Broken) -> Broken:
    """Several replacements that are one mistake."""

    @contextmanager
    def broken() -> Iterator[None]:
        with ExitStack() as stack:
            for one in breaks:
                stack.enter_context(one())
            yield

    return broken


# Orders.


def unsynced(_: Any) -> Any:
    def at_once(self: JournalOrderLog, then: Any) -> None:
        then(None)

    return at_once


def retried(place: Any) -> Any:
    async def again(self: Connection, *request: Any) -> Any:
        found = await place(self, *request)
        return await place(self, *request) if isinstance(found, Unknown) else found

    return again


def sent_twice(place: Any) -> Any:
    async def twice(self: Connection, *request: Any) -> Any:
        await place(self, *request)
        return await place(self, *request)

    return twice


def blind_resend(hear: Any) -> Any:
    """A stream that is up again is taken for a reason to send again what has no answer."""

    def resend(self: AccountBooks, news: Any) -> None:
        hear(self, news)
        if type(news).__name__ == "LinkNews" and news.up:
            for entry in list(self.desk.open.values()):
                if entry.life.uncertain and entry.session is not None:
                    self.spawn(self.connection.place, self.account, entry.life.order)

    return resend


def not_noted(kind: type, every: int = 1) -> Callable[[Any], Any]:
    def made(note: Any) -> Any:
        count = itertools.count(1)

        def forgetful(self: JournalOrderLog, fact: Any) -> None:
            if not (isinstance(fact.what, kind) and next(count) % every == 0):
                note(self, fact)

        return forgetful

    return made


def noted_twice(kind: type) -> Callable[[Any], Any]:
    def made(note: Any) -> Any:
        def eager(self: JournalOrderLog, fact: Any) -> None:
            note(self, fact)
            if isinstance(fact.what, kind):
                note(self, fact)

        return eager

    return made


def doubt_is_refusal(unclear: Any) -> Any:
    """A 5xx is taken for a no."""

    def refused(broker: str, seen: Any, evidence: Any) -> Any:
        text = unclear(broker, seen, evidence).error.text
        return outcome.Rejected(broker_error(broker, Code.API_ERROR, text), evidence)

    return refused


def silence_is_not_sent(_: Any) -> Any:
    def not_sent(broker: str, seen: Any, evidence: Any) -> Any:
        return NotSent(broker_error(broker, seen.code, seen.text, certainty=Certainty.DEFINITE), evidence)

    return not_sent


def without(*kinds: type) -> Callable[[Any], Any]:
    """A reconciliation whose findings of these kinds are dropped."""

    def made(reconcile: Any) -> Any:
        def blind(*args: Any) -> Any:
            found = reconcile(*args)
            return attrs.evolve(found, events=tuple(one for one in found.events if not isinstance(one, kinds)))

        return blind

    return made


def without_words(*words: str) -> Callable[[Any], Any]:
    """A reconciliation whose findings about orders with these events are dropped."""

    def made(reconcile: Any) -> Any:
        def blind(*args: Any) -> Any:
            found = reconcile(*args)
            kept = tuple(one for one in found.events if type(getattr(one, "event", None)).__name__ not in words)
            return attrs.evolve(found, events=kept)

        return blind

    return made


def absent_at_once(_: Any) -> Any:
    def unconfirmed(draft: Draft, claim: Any, misses: Any) -> Any:
        draft.emit(NotAccepted(claim.key))
        return misses

    return unconfirmed


def nothing_kept(_: Any) -> Any:
    async def load(self: JournalOrderLog) -> Any:
        self._writer = await self._journal.call(Journal.handle)
        return ()

    return load


def any_step(_: Any) -> Any:
    return lambda life, wanted, event: None


def cancelled_when_asked(proceed: Any) -> Any:
    """A cancel that is about to be sent is held for done."""

    def done(self: AccountManager, entry: Any, *rest: Any) -> Any:
        self.desk.record(reconciliation.OrderEvent(entry.life.order.key, CancelConfirmed()))
        return proceed(self, entry, *rest)

    return done


# Fills.


def some_fills_lost(happen: Any) -> Any:
    """Of three executions one is dropped, however often it is told."""

    def forgetful(self: AccountDesk, key: str, event: Any, now_ns: int) -> bool:
        if type(event) is Filled and crc32(event.fill.id.encode()) % 3 == 0:
            return False
        return bool(happen(self, key, event, now_ns))

    return forgetful


def booked_again(hear: Any) -> Any:
    """Every execution of the stream is taken for two."""

    def twice(self: AccountBooks, news: Any) -> None:
        hear(self, news)
        if isinstance(news, OrderNews) and isinstance(news.event, Filled):
            fill = attrs.evolve(news.event.fill, id=f"{news.event.fill.id}/again")
            hear(self, attrs.evolve(news, event=Filled(fill)))

    return twice


def books_deaf(hear: Any) -> Any:
    """The books hear no news of orders, and never look by themselves."""

    def deaf(self: AccountBooks, news: Any) -> None:
        if isinstance(news, AccountNews):
            hear(self, news)

    return deaf


def looks_no_more(look: Any) -> Any:
    """The books compare themselves with the broker for the first half minute only."""

    def early(self: AccountBooks) -> None:
        if trio.current_time() < _SETTLED:
            look(self)

    return early


def free_of_fees(apply: Any) -> Any:
    return lambda self, fill: apply(self, fill.attributed(fill.fee * 0, fill.session))


def a_tick_off(apply: Any) -> Any:
    return lambda self, fill: apply(self, attrs.evolve(fill, price=fill.price + 1))


def corrections_ignored(_: Any) -> Any:
    return lambda self, entry, before, event: None


def any_id(_: Any) -> Any:
    count = itertools.count(1)
    return lambda kind, *content: f"{kind}/{next(count):020d}"


# The journal.


def constant_hash(_: Any) -> Any:
    return lambda self, previous, seq, entry: b"\1" * 32


def tail_cut(connect: Any) -> Any:
    """A start throws away the last rows, as if they were torn."""

    def cut(self: Store, **how: Any) -> Any:
        clean = connect(self, **how)
        if self.head.seq > 50:
            self._connection().execute("DROP TRIGGER IF EXISTS entries_no_delete")
            self._connection().execute("DELETE FROM entries WHERE seq > ?", (self.head.seq - 5,))
            self.head = self._checked_tail()
        return clean

    return cut


def some_notes_lost(note: Any) -> Any:
    count = itertools.count(1)

    def forgetful(self: Writer, entries: Any) -> None:
        if next(count) % 10:
            note(self, entries)

    return forgetful


def commands_unrecorded(take: Any) -> Any:
    def blind(self: JournalCapture, exchange: Any) -> None:
        if exchange.intent_key is None:
            take(self, exchange)

    return blind


def backwards(to_entries: Any) -> Any:
    return lambda fact, stream, monotonic_ns: to_entries(fact, stream, (1 << 62) - monotonic_ns)


# Logins, limits, secrets.


def first_token_for_ever(_: Any) -> Any:
    kept: dict[int, Any] = {}

    async def token(self: TokenReader) -> Any:
        if id(self) not in kept:
            kept[id(self)] = await self.store.call(TokenStore.token)
        return kept[id(self)]

    return token


def exchanged_twice(exchange: Any) -> Any:
    async def twice(self: TokenStore, ticket: int, tokens: Any) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(exchange, self, ticket, tokens)
            nursery.start_soon(exchange, self, ticket, tokens)

    return twice


def as_it_is(_: Any) -> Any:
    return lambda self, text, *rest: text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def headers_as_they_are(_: Any) -> Any:
    return lambda self, headers: tuple((str(name), str(value)) for name, value in headers)


def own_hosts(settings_of: Any) -> Any:
    return lambda plan, settings: settings_of(plan, attrs.evolve(settings, hosts={}))


# Risk and supervision.


def always_up(_: Any) -> Any:
    return lambda self, seat: Rung.FULL


def lets_all_pass(_: Any) -> Any:
    """A check that breaks is taken for a yes."""
    return lambda self, case, session: None


def slow_answer(positions: Any) -> Any:
    """The books wait for something inside of a message."""

    async def slow(self: AccountBooks) -> Any:
        if trio.current_time() < 2 * _SETTLED:
            await trio.sleep(140)
        return positions(self)

    return slow


def leaking(start: Any) -> Any:
    """A task that nobody's nursery holds."""

    async def leak(self: AccountBooks) -> None:
        trio.lowlevel.spawn_system_task(trio.sleep_forever, name="a leak")
        await start(self)

    return leak


def crashing(look: Any) -> Any:
    """Health falls over what it sees."""

    async def crash(self: Health) -> Any:
        if trio.current_time() > _SETTLED:
            raise RuntimeError("broken on purpose")
        return await look(self)

    return crash


def unstartable(start: Any) -> Any:
    """Health cannot start when a run is under way."""

    async def fall(self: Health) -> None:
        if trio.current_time() > _SETTLED:
            await trio.sleep(0.2)
            raise RuntimeError("broken on purpose")
        await start(self)

    return fall


def endless(restart: Any) -> Any:
    """A supervisor without a budget."""

    def again(self: Any, child_id: str, reason: Any, now: float) -> Any:
        self.window.clear()
        return restart(self, child_id, reason, now)

    return again


def boundless(host: Any) -> Any:
    """A host whose limits are out of the way."""
    return lambda name, limits, **rest: host(name, tuple(attrs.evolve(one, amount=UNLIMITED) for one in limits), **rest)


def hurried(init: Any) -> Any:
    """Books that look ten times a second."""

    def made(self: AccountBooks, *args: Any, **named: Any) -> None:
        init(self, *args, **named)
        self.policy = attrs.evolve(self.policy, poll_ns=100_000_000)

    return made


def deaf_to_the_switch(_: Any) -> Any:
    """The gate asks the ladder alone."""
    return lambda self, seat: seat.ladder.rung


def forgetful_of_commands(perform: Any) -> Any:
    """Every command is a new one."""

    async def anew(self: Once, key: str, *args: Any, **named: Any) -> Any:
        self._places.pop(key, None)
        return await perform(self, key, *args, **named)

    return anew
