"""TradeStation's streams: orders, positions, quotes and bars, each with its snapshot, its changes and its heartbeat."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import trio

from brokers.emulation.desk import Desk
from brokers.emulation.frames import Emit
from brokers.emulation.house import House
from brokers.emulation.updates import Update
from brokers.market import MarketEvent, Trade
from brokers.model import Position
from brokers.paper.exchange import Cascade
from brokers.tradestation.emulator.bars import Chart, Charts, bar_record
from brokers.tradestation.emulator.book import OrderBook
from brokers.tradestation.emulator.names import Names
from brokers.tradestation.emulator.prices import Candle, QuoteBoard
from brokers.tradestation.emulator.records import position_record
from brokers.tradestation.emulator.words import frame, stamp

T = TypeVar("T")

HEARTBEAT_SECONDS: Final = 5.0
END_SNAPSHOT: Final = frame({"StreamStatus": "EndSnapshot"})
GO_AWAY: Final = frame({"StreamStatus": "GoAway"})
GO_AWAY_MARKET: Final = frame({"Error": "GoAway", "Message": "The server is about to shut down."})
_QUEUE: Final = 10_000

Join = Callable[[Callable[[T], None]], Callable[[], object]]


class Streams:
    """What runs behind each stream."""

    def __init__(self, house: House, desk: Desk, names: Names, book: OrderBook, board: QuoteBoard) -> None:
        self._house = house
        self._desk = desk
        self._names = names
        self._book = book
        self._board = board
        self.charts = Charts(desk, board)
        self._positions: dict[tuple[str, str], str] = {}
        self._next_position = 64_630_792
        desk.hear(self._note_closed)

    # Orders.

    async def orders(self, accounts: Sequence[str], ids: frozenset[str] | None, emit: Emit) -> None:
        """The day's orders, then every change of one; `ids` narrows both."""

        def wanted(account: str, order_id: str) -> bool:
            return account in accounts and (ids is None or order_id in ids)

        with self._inbox(self._book.updates.hear) as inbox:
            stale = self._house.faults.strikes("stale-snapshot") is not None
            write = self._book.write_old if stale else self._book.write
            records = [one for one in self._book.of(accounts) if wanted(one.ticket.account, one.order_id)]
            for snapshot in [frame(write(record)) for record in records]:
                await emit(snapshot)
            await emit(END_SNAPSHOT)
            updates: trio.MemoryReceiveChannel[Update] = inbox

            async def told(update: Update) -> bool:
                if wanted(update.account, update.order_id):
                    await emit(frame(dict(update.frame)))
                    return True
                return False

            await self._follow(updates, told, emit)

    # Positions.

    async def positions(self, accounts: Sequence[str], *, changes: bool, emit: Emit) -> None:
        """What is held, then every change of it: whole records, or with `changes` the changed fields."""
        with self._inbox(self._desk.hear) as inbox:
            shown = {one["PositionID"]: one for account in accounts for one in self.position_records(account)}
            for snapshot in [frame(written) for written in shown.values()]:
                await emit(snapshot)
            await emit(END_SNAPSHOT)
            cascades: trio.MemoryReceiveChannel[Cascade] = inbox

            async def told(cascade: Cascade) -> bool:
                frames = self._moved(cascade, shown, changes=changes) if cascade.account in accounts else []
                for written in frames:
                    await emit(frame(written))
                return bool(frames)

            await self._follow(cascades, told, emit)

    def position_records(self, account: str) -> list[dict[str, Any]]:
        """What an account holds."""
        return [self._position(position) for position in self._desk.exchange.positions(account)]

    def _position(self, position: Position) -> dict[str, Any]:
        key = position.account, position.symbol
        if key not in self._positions:
            self._positions[key] = str(self._next_position)
            self._next_position += 1
        return position_record(
            position,
            self._positions[key],
            self._names.name(position.symbol),
            self._desk.instruments[position.symbol],
            self._board.top(position.symbol),
            self._house.wall_ns(),
        )

    def _note_closed(self, cascade: Cascade) -> None:
        """A position that is opened again is another one."""
        for position in cascade.positions:
            if not position.quantity:
                self._positions.pop((position.account, position.symbol), None)

    def _moved(self, cascade: Cascade, shown: dict[str, dict[str, Any]], *, changes: bool) -> list[dict[str, Any]]:
        frames = []
        for position in cascade.positions:
            if not position.quantity:
                gone = self._gone(position, shown)
                frames += [] if gone is None else [gone]
                continue
            written = self._position(position)
            before = shown.get(written["PositionID"])
            shown[written["PositionID"]] = written
            changed = _changed(before, written, "PositionID") if changes and before is not None else written
            if len(changed) > 1:
                frames.append(changed)
        return frames

    def _gone(self, position: Position, shown: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
        symbol = self._names.name(position.symbol)
        for position_id, written in list(shown.items()):
            if (written["AccountID"], written["Symbol"]) == (position.account, symbol):
                del shown[position_id]
                return {"PositionID": position_id, "Deleted": True}
        return None

    # Quotes.

    async def quotes(self, names: Sequence[str], errors: Iterable[dict[str, str]], emit: Emit) -> None:
        """Each symbol's whole quote, then the fields that change."""
        symbols: dict[str, list[str]] = {}
        for name in names:
            instrument = self._names.instrument(name)
            if instrument is not None:
                symbols.setdefault(instrument.symbol, []).append(name)
        with self._inbox(self._desk.watch) as inbox:
            shown = {name: self._quote(symbol, name) for symbol, same in symbols.items() for name in same}
            for error in errors:
                await emit(frame(error))
            for snapshot in [frame(written) for written in shown.values()]:
                await emit(snapshot)
            events: trio.MemoryReceiveChannel[MarketEvent] = inbox

            async def told(event: MarketEvent) -> bool:
                said = False
                for name in symbols.get(event.symbol, ()):
                    written = self._quote(event.symbol, name)
                    changed = _changed(shown[name], written, "Symbol")
                    shown[name] = written
                    if len(changed) > 1:
                        said = True
                        await emit(frame(changed))
                return said

            await self._follow(events, told, emit)

    def _quote(self, symbol: str, name: str) -> dict[str, Any]:
        return self._board.write(symbol, name, self._skew_ns(), share=True)

    # Bars.

    async def bars(self, symbol: str, chart: Chart, emit: Emit) -> None:
        """History, then the bar that runs each time that it changes, and whole when it closes."""
        with self._inbox(self._desk.watch) as inbox:
            history = self.charts.history(symbol, chart)
            now = self._house.now_ns()
            running = _Running(self.charts.running(symbol, chart, now), self.charts.close_of(symbol, chart, now))
            for bar in history:
                last = bar is history[-1]
                await emit(self._bar(Candle.of(bar), bar.time_ns, live=False, last=last, closed=True))
            if running.candle is not None:
                await emit(self._bar(running.candle, running.close_ns, live=True, last=False, closed=False))
            events: trio.MemoryReceiveChannel[MarketEvent] = inbox

            async def told(event: MarketEvent) -> bool:
                if event.symbol != symbol or not isinstance(event, Trade):
                    return False
                await self._close_bar(symbol, chart, running, event.time_ns, emit)
                running.take(event)
                if running.candle is not None:
                    await emit(self._bar(running.candle, running.close_ns, live=True, last=False, closed=False))
                return True

            await self._follow(events, told, emit)

    async def _close_bar(self, symbol: str, chart: Chart, running: "_Running", now_ns: int, emit: Emit) -> None:
        """Tells a bar that has closed; the first trade after its end is what shows that."""
        if now_ns < running.close_ns:
            return
        bar = self.charts.bar_at(symbol, chart, running.close_ns)
        if bar is not None and running.candle is not None:
            await emit(self._bar(Candle.of(bar), bar.time_ns, live=True, last=False, closed=True))
        running.candle, running.close_ns = None, self.charts.close_of(symbol, chart, now_ns)

    def _bar(self, candle: Candle, close_ns: int, *, live: bool, last: bool, closed: bool) -> bytes:
        return frame(bar_record(candle, close_ns, self._skew_ns(), live=live, last=last, closed=closed))

    # What all have in common.

    def _skew_ns(self) -> int:
        return self._house.wall_ns() - self._house.now_ns()

    @contextmanager
    def _inbox(self, join: "Join[Any]") -> Iterator[Any]:
        """Everything that is heard from now on, in order; a reader that falls far behind hears no more."""
        send, receive = trio.open_memory_channel[Any](_QUEUE)

        def hear(news: object) -> None:
            try:
                send.send_nowait(news)
            except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                send.close()

        leave = join(hear)
        try:
            yield receive
        finally:
            leave()
            send.close()
            receive.close()

    async def _follow(self, inbox: "trio.MemoryReceiveChannel[T]", told: Callable[[T], Any], emit: Emit) -> None:
        """Tells what comes, and a heartbeat whenever five seconds pass without a word."""
        while True:
            with trio.move_on_after(HEARTBEAT_SECONDS) as quiet:
                async for heard in inbox:
                    if await told(heard):
                        quiet.deadline = trio.current_time() + HEARTBEAT_SECONDS
                return
            if self._house.faults.state("mute") is None:
                await emit(frame({"Heartbeat": 1, "Timestamp": stamp(self._house.wall_ns())}))


class _Running:
    """A bar that is being made."""

    def __init__(self, candle: Candle | None, close_ns: int) -> None:
        self.candle = candle
        self.close_ns = close_ns

    def take(self, trade: Trade) -> None:
        """A trade of this bar."""
        added = Candle.of_trade(trade)
        if self.candle is None:
            self.candle = added
        else:
            self.candle.join(added)


def _changed(before: dict[str, Any] | None, after: dict[str, Any], key: str) -> dict[str, Any]:
    """The fields that differ, and the key."""
    known = before or {}
    return {name: value for name, value in after.items() if name == key or known.get(name) != value}
