"""What an account's state says, as frozen values: positions, shares, statistics, statements, identity, summary."""

from decimal import Decimal

import attrs

from brokers.instruments import Kind
from brokers.ledger.account import Account
from brokers.ledger.book import Book
from brokers.ledger.errors import RateMissing
from brokers.ledger.facts import FlowKind, Rate
from brokers.ledger.figures import (
    average_of,
    cash_of,
    cost_of,
    fees_of,
    market_of,
    quantity_of,
    realised_of,
    unrealised_of,
)
from brokers.ledger.measure import Measure, paid_in_full
from brokers.ledger.scaling import add, magnitude, multiply, negative, subtract, total
from brokers.ledger.tally import Tally
from brokers.model import Balance, Margin, Position

_ONE = Decimal(1)


@attrs.frozen
class SessionPosition:
    """One session's share of a position: `position` has the session's own average, beside it the account's.

    The two differ where sessions trade against each other: the account nets, the session does not.
    """

    session: str | None  # None: fills that no session owns
    position: Position
    account_average: Decimal | None


@attrs.frozen
class TradeStatistics:
    """Trades from flat to flat, net of fees in settlement currency; a flip ends one and begins the next."""

    trades: int
    wins: int
    losses: int
    won: Decimal
    lost: Decimal
    best: Decimal | None
    worst: Decimal | None
    fees: Decimal


@attrs.frozen
class Identity:
    """The same change of equity since the beginning, reached in three ways, to the last digit."""

    currency: str
    owned: Decimal  # cash and market value
    earned: Decimal  # realised + unrealised - fees + funding + interest + dividends + deposits - withdrawals
    attributed: Decimal  # the same with what the sessions traded

    @property
    def holds(self) -> bool:
        """Whether all agree."""
        return self.owned == self.earned == self.attributed


@attrs.frozen
class Statement:
    """The money of one currency; `fees` are positive when paid, withdrawals are negative."""

    currency: str
    cash: Decimal
    equity: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    funding: Decimal
    interest: Decimal
    dividends: Decimal
    deposits: Decimal
    withdrawals: Decimal
    margin: Margin
    tied: Decimal  # equity that backs no new trade: initial margin, or the whole value where there is no margin
    identity: Identity


@attrs.frozen
class Converted:
    """An amount in the account's currency, with what it was made of; `rate` is None for the account's own."""

    amount: Decimal
    currency: str
    original: Decimal
    original_currency: str
    rate: Rate | None


@attrs.frozen
class ConvertedStatement:
    """One currency's statement in the account's currency; every figure carries its rate."""

    statement: Statement
    cash: Converted
    equity: Converted
    realised: Converted
    unrealised: Converted
    fees: Converted
    initial: Converted
    maintenance: Converted
    tied: Converted


@attrs.frozen
class _Line:
    """What one book adds to the statement of its settlement currency."""

    cash: Decimal
    market: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    attributed: Decimal
    initial: Decimal
    maintenance: Decimal
    tied: Decimal


def position(account: Account, symbol: str) -> Position:
    """The net position of a symbol, realised before fees; raises UnknownInstrument."""
    book = account.book(symbol)
    return _position(account, book, book.net)


def notional(account: Account, symbol: str, price: Decimal) -> Decimal:
    """What the net position is worth at a price, negative when short; raises UnknownInstrument."""
    book = account.book(symbol)
    worth = book.measure.worth(book.net.quantity, price)
    return negative(worth) if book.instrument.kind is Kind.INVERSE else worth


def session_positions(account: Account, symbol: str) -> tuple[SessionPosition, ...]:
    """The shares in a position, the unowned first, then by name; raises UnknownInstrument."""
    book = account.book(symbol)
    account_average = average_of(book.net, book.measure)
    return tuple(
        SessionPosition(session, _position(account, book, share), account_average)
        for session, share in sorted(book.shares.items(), key=lambda item: item[0] or "")
    )


def session_position(account: Account, symbol: str, session: str | None) -> Position | None:
    """One session's share in a position, None for one that never traded it; raises UnknownInstrument."""
    book = account.book(symbol)
    share = book.shares.get(session)
    return None if share is None else _position(account, book, share)


def statistics(tally: Tally, measure: Measure) -> TradeStatistics:
    """The finished trades of a tally."""
    score = tally.score
    return TradeStatistics(
        trades=score.trades,
        wins=score.wins,
        losses=score.losses,
        won=score.won,
        lost=score.lost,
        best=score.best,
        worst=score.worst,
        fees=fees_of(tally, measure),
    )


def statements(account: Account) -> tuple[Statement, ...]:
    """One statement for each currency that the account has or had anything in, by name."""
    currencies = {account.terms.currency}
    currencies.update(key.currency for key in account.flows)
    currencies.update(book.instrument.settlement for book in account.books.values())
    return tuple(_statement(account, currency) for currency in sorted(currencies))


def balances(account: Account) -> tuple[Balance, ...]:
    """The cash of each currency, by name."""
    name, time_ns = account.terms.account, account.latest_ns()
    return tuple(Balance(name, line.currency, line.cash, time_ns) for line in statements(account))


def convert(account: Account, amount: Decimal, currency: str) -> Converted:
    """The amount at the latest rate; raises RateMissing."""
    own = account.terms.currency
    if currency == own:
        return Converted(amount, own, amount, currency, None)
    rate = account.rates.get(currency)
    if rate is None:
        raise RateMissing(currency, own)
    return Converted(multiply(amount, rate.value), own, amount, currency, rate)


def converted_statements(account: Account) -> tuple[ConvertedStatement, ...]:
    """All statements in the account's currency; raises RateMissing."""
    return tuple(_converted(account, statement) for statement in statements(account))


def _converted(account: Account, statement: Statement) -> ConvertedStatement:
    def into(amount: Decimal) -> Converted:
        return convert(account, amount, statement.currency)

    return ConvertedStatement(
        statement=statement,
        cash=into(statement.cash),
        equity=into(statement.equity),
        realised=into(statement.realised),
        unrealised=into(statement.unrealised),
        fees=into(statement.fees),
        initial=into(statement.margin.initial),
        maintenance=into(statement.margin.maintenance),
        tied=into(statement.tied),
    )


def _position(account: Account, book: Book, tally: Tally) -> Position:
    symbol = book.instrument.symbol
    mark = account.mark_price(symbol, tally.quantity)
    marked = account.marks.get(symbol)
    return Position(
        account=account.terms.account,
        symbol=symbol,
        quantity=book.held() if tally is book.net else quantity_of(tally, book.measure),
        average_price=average_of(tally, book.measure),
        mark=mark,
        unrealised=unrealised_of(tally, book.measure, mark),
        realised=realised_of(tally, book.measure),
        currency=book.settlement,
        time_ns=book.time_ns if marked is None else max(book.time_ns, marked.time_ns),
    )


def _line(account: Account, book: Book) -> _Line:
    net, measure, in_full = book.net, book.measure, paid_in_full(book.instrument)
    mark = account.mark_price(book.instrument.symbol, net.quantity)
    unrealised = unrealised_of(net, measure, mark)
    value = add(cost_of(net, measure), unrealised)
    initial, maintenance = _margin(book, value)
    return _Line(
        cash=cash_of(net, measure, in_full=in_full),
        market=market_of(net, measure, mark, in_full=in_full),
        realised=realised_of(net, measure),
        unrealised=unrealised,
        fees=fees_of(net, measure),
        attributed=_attributed(book, value, _ONE if mark is None else mark),
        initial=initial,
        maintenance=maintenance,
        tied=magnitude(value) if in_full and not book.instrument.initial_margin else initial,
    )


def _attributed(book: Book, value: Decimal, price: Decimal) -> Decimal:
    """What the sessions earned: their flows, less fees, and the open value; quantity that nobody owns shows up."""
    shares = book.shares.values()
    flow = multiply(Decimal(sum(share.flow for share in shares)), book.measure.unit)
    unowned = sum(share.quantity for share in shares) - book.net.quantity
    open_value = add(value, book.measure.worth(unowned, price))
    return subtract(add(flow, open_value), total(fees_of(share, book.measure) for share in shares))


def _margin(book: Book, value: Decimal) -> tuple[Decimal, Decimal]:
    """Initial and maintenance margin: per contract for dated futures, a share of the value otherwise."""
    instrument = book.instrument
    extent = magnitude(quantity_of(book.net, book.measure) if instrument.kind is Kind.FUTURE else value)
    return multiply(extent, instrument.initial_margin), multiply(extent, instrument.maintenance_margin)


def _statement(account: Account, currency: str) -> Statement:
    books = [book for book in account.books.values() if book.instrument.settlement == currency]
    lines = [_line(account, book) for book in books]
    flows = {
        kind: total(amount for key, amount in account.flows.items() if key[:2] == (kind, currency)) for kind in FlowKind
    }
    flowed = total(flows.values())
    realised, unrealised = total(line.realised for line in lines), total(line.unrealised for line in lines)
    trade_fees = total(line.fees for line in lines)
    cash = add(flowed, total(line.cash for line in lines))
    equity = add(cash, total(line.market for line in lines))
    return Statement(
        currency=currency,
        cash=cash,
        equity=equity,
        realised=realised,
        unrealised=unrealised,
        fees=subtract(trade_fees, flows[FlowKind.FEE]),
        funding=flows[FlowKind.FUNDING],
        interest=flows[FlowKind.INTEREST],
        dividends=flows[FlowKind.DIVIDEND],
        deposits=flows[FlowKind.DEPOSIT],
        withdrawals=flows[FlowKind.WITHDRAWAL],
        margin=Margin(total(line.initial for line in lines), total(line.maintenance for line in lines)),
        tied=total(line.tied for line in lines),
        identity=Identity(
            currency,
            owned=equity,
            earned=total([realised, unrealised, negative(trade_fees), flowed]),
            attributed=add(flowed, total(line.attributed for line in lines)),
        ),
    )
