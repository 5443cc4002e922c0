"""What is held and what could come of it at worst: by session and symbol, by symbol, and in money."""

from decimal import Decimal
from typing import Final

import attrs

from brokers.instruments import EXACT
from brokers.sides import Side

_ZERO: Final = Decimal(0)
_add, _subtract, _multiply = EXACT.add, EXACT.subtract, EXACT.multiply


@attrs.define(eq=False)
class Total:
    """All sessions' worst positions in a symbol, and what they are worth."""

    symbol: str
    gross: Decimal = _ZERO
    worth: Decimal | None = None  # of one unit
    exposure: Decimal = _ZERO


@attrs.define(eq=False)
class Line:
    """What a session holds of a symbol, and how much the open orders of each side may still fill."""

    session: str
    symbol: str
    total: Total
    held: Decimal = _ZERO
    buys: Decimal = _ZERO
    sells: Decimal = _ZERO
    worst: Decimal = _ZERO  # as it was weighed last

    def worst_with(self, buys: Decimal, sells: Decimal) -> Decimal:
        """The largest position, long or short, that could come of it if so much more could fill."""
        long = _add(_add(self.held, self.buys), buys)
        short = _add(_subtract(self.sells, self.held), sells)
        return max(long, short)

    def hold(self, quantity: Decimal) -> None:
        """Holds so much from now on."""
        self.held = quantity or _ZERO

    def shift(self, side: Side, by: Decimal) -> None:
        """Lets so much more of a side fill, or less."""
        if side is Side.BUY:
            self.buys = _add(self.buys, by) or _ZERO
        else:
            self.sells = _add(self.sells, by) or _ZERO


class Lines:
    """All lines of a book with the sums over them; there are as many as were ever traded."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Line] = {}  # by session and symbol
        self.totals: dict[str, Total] = {}
        self._exposure = _ZERO
        self._unpriced: set[str] = set()

    def line(self, session: str, symbol: str) -> Line:
        """The line of a holding, made with its first order or position."""
        line = self.known.get((session, symbol))
        if line is None:
            line = self.known[session, symbol] = Line(session, symbol, self.total(symbol))
        return line

    def seen(self, session: str, symbol: str) -> Line:
        """A line as it stands, to be read only; an empty one for what was never held or ordered."""
        return self.known.get((session, symbol)) or Line(session, symbol, Total(symbol))

    def total(self, symbol: str) -> Total:
        """The sums of a symbol, made with its first line or price."""
        total = self.totals.get(symbol)
        if total is None:
            total = self.totals[symbol] = Total(symbol)
        return total

    def gross(self, symbol: str) -> Decimal:
        """The worst positions of all sessions in a symbol, added up."""
        total = self.totals.get(symbol)
        return _ZERO if total is None else total.gross

    @property
    def exposure(self) -> Decimal | None:
        """The money value of the worst positions; None while one of them has no price."""
        return None if self._unpriced else self._exposure

    def exposure_with(self, symbol: str, growth: Decimal, worth: Decimal) -> Decimal | None:
        """The same if a symbol's worst position grew, at this worth of one unit; None while another has no price."""
        if self._unpriced and self._unpriced != {symbol}:
            return None
        total = self.totals.get(symbol) or Total(symbol)
        return _add(_multiply(_add(growth, total.gross), worth), _subtract(self._exposure, total.exposure))

    def weigh(self, line: Line) -> None:
        """Brings a line's worst position and all sums over it up to date."""
        held = line.held
        long, short = _add(held, line.buys), _subtract(line.sells, held)
        worst, before = max(long, short), line.worst
        if worst == before:
            return  # as after most fills: what was open is held now
        line.worst = worst
        total = line.total
        total.gross = _add(total.gross, _subtract(worst, before)) or _ZERO
        self._expose(total)

    def price(self, total: Total, worth: Decimal | None) -> None:
        """Has one unit of a symbol be worth so much from now on; None tells nothing."""
        if worth is not None and worth != total.worth:
            total.worth = worth
            self._expose(total)

    def _expose(self, total: Total) -> None:
        worth, exposure = total.worth, _ZERO
        if worth is not None:
            exposure = _multiply(total.gross, worth) or _ZERO
        if self._unpriced or worth is None:
            if worth is None and total.gross:
                self._unpriced.add(total.symbol)
            else:
                self._unpriced.discard(total.symbol)
        self._exposure = _add(self._exposure, _subtract(exposure, total.exposure)) or _ZERO
        total.exposure = exposure
