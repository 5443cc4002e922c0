"""What takes several steps at the broker, each after the one before: flattening, and moving to another contract."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final

import attrs
import trio

from brokers.guards.ladder import Rung
from sessions.bars import rolling
from sessions.risk.gate import Origin
from sessions.strategy import Denied, Picture
from sessions.strategy.decisions import FLATTENING
from sessions.trader.blotter import Blotter
from sessions.trader.dealer import Dealer

STEP_SECONDS: Final = 30.0  # how long a cancel or a market order may take before the move is given up
_ZERO: Final = Decimal(0)


@attrs.frozen
class RollSteps:
    """The steps of a roll that are about the market."""

    subscribe: Callable[[str], Awaitable[None]]
    load: Callable[[str], Awaitable[None]]
    announce: Callable[[str, str], None]
    unsubscribe: Callable[[str], Awaitable[None]]


@attrs.define(eq=False)
class Moves:
    """One session's moves; `stir` wakes those that wait for news of orders."""

    dealer: Dealer
    blotter: Blotter
    picture: Picture
    _waiting: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    _flattening: set[str] = attrs.field(factory=set)

    def stir(self) -> None:
        """Lets those that wait look again."""
        if self._waiting:
            self._waiting.unpark_all()

    def held(self, symbol: str) -> Decimal:
        """What the session holds."""
        return self.dealer.desk.quantity(symbol, self.dealer.session)

    def unhindered(self) -> bool:
        """Whether the session may do everything: no move begins before, for it could not be finished."""
        return self.dealer.gate.rung(self.dealer.session) is Rung.FULL

    async def flatten(self, symbol: str) -> None:
        """Cancels what is open in a contract and closes what is held; a step that hangs is told as a denial."""
        if symbol in self._flattening:
            return
        self._flattening.add(symbol)
        try:
            if not await self._clear(symbol, Origin.STRATEGY):
                why = f"orders of {symbol} are still open after {STEP_SECONDS:g} s: nothing was closed; look at them"
                self.dealer.tell(Denied(FLATTENING + symbol, why))
            elif held := self.held(symbol):
                self.dealer.close(symbol, held, FLATTENING + symbol)
        finally:
            self._flattening.discard(symbol)

    async def roll(self, plan: rolling.RollPlan, steps: RollSteps) -> None:
        """Carries out a plan; a step that fails ends it, so that no position is ever doubled."""
        closed = _ZERO
        for step in plan.steps:
            match step:
                case rolling.CancelOrders(symbol):
                    if not await self._clear(symbol, Origin.OPERATOR):
                        return
                case rolling.Close():
                    closed = await self._close(step)
                case rolling.Open(symbol, side):
                    if closed:
                        await self._until(self.unhindered)  # past that it is denied, and the strategy is told
                        self.dealer.close(symbol, -closed * side.sign, f"roll.{symbol}")
                case _:
                    await _of_market(step, steps)

    async def _close(self, step: rolling.Close) -> Decimal:
        """Closes what is left of a position; returns how much of it was filled."""
        before = self.held(step.symbol)
        left = step.trimmed(before)
        if not left or not self.dealer.close(step.symbol, left.copy_sign(before), _closing(step), Origin.OPERATOR):
            return _ZERO
        await self._until(lambda: self.blotter.tagged(_closing(step)) is None)
        return abs(before - self.held(step.symbol))

    async def _clear(self, symbol: str, origin: Origin) -> bool:
        """Cancels what is open in a contract; whether all of it is gone in time."""
        for ticket in self.blotter.of_symbol(symbol):
            self.dealer.cancel(ticket, origin)
        return await self._until(lambda: not self.blotter.of_symbol(symbol))

    async def _until(self, done: Callable[[], bool]) -> bool:
        with trio.move_on_after(STEP_SECONDS):
            while not done():
                await self._waiting.park()
        return done()


async def _of_market(
    step: rolling.Subscribe | rolling.LoadHistory | rolling.Announce | rolling.Unsubscribe, steps: RollSteps
) -> None:
    match step:
        case rolling.Subscribe(symbol):
            await steps.subscribe(symbol)
        case rolling.LoadHistory(symbol):
            await steps.load(symbol)
        case rolling.Announce(old, new):
            steps.announce(old, new)
        case rolling.Unsubscribe(symbol):
            await steps.unsubscribe(symbol)


def _closing(step: rolling.Close) -> str:
    return FLATTENING + step.symbol
