"""Instruments, facts and ledgers in short, for the tests of this folder."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from brokers.instruments import Instrument, Kind
from brokers.ledger import AccountTerms, CashFlow, FlowKind, Ledger, Mark, Marking, RateMissing
from brokers.ledger.scaling import subtract, total
from brokers.model import Fill
from brokers.sides import Side

BROKER, ACCOUNT = "bank", "A1"
D = Decimal
BUY, SELL = Side.BUY, Side.SELL

ES = Instrument("ESZ26", "ES", Kind.FUTURE, "USD", D("0.25"), multiplier=D(50), initial_margin=D(12000))
CL = Instrument("CLZ26", "CL", Kind.FUTURE, "USD", D("0.01"), multiplier=D(1000))
FDAX = Instrument("FDAXZ26", "FDAX", Kind.FUTURE, "EUR", D("0.5"), multiplier=D(25))
STOCK = Instrument("AAPL", "AAPL", Kind.STOCK, "USD", D("0.01"))
SPOT = Instrument("BTC-USD", "BTC", Kind.SPOT, "USD", D("0.01"), lot=D("0.00001"), base="BTC")
PERPETUAL = Instrument("ETH-PERP", "ETH", Kind.PERPETUAL, "USD", D("0.01"), lot=D("0.001"), initial_margin=D("0.1"))
INVERSE = Instrument("XBTUSD", "XBT", Kind.INVERSE, "USD", D("0.5"), base="BTC", initial_margin=D("0.01"))
UNIT = Instrument("ONE", "ONE", Kind.FUTURE, "USD", D("0.01"))  # a point is worth 1, as in the seed

LISTED = {i.symbol: i for i in (ES, CL, FDAX, STOCK, SPOT, PERPETUAL, INVERSE, UNIT)}
SATOSHI = D("0.00000001")


def terms(marking: Marking = Marking.QUOTE, reorder: int = 512, currency: str = "USD") -> AccountTerms:
    return AccountTerms(BROKER, ACCOUNT, currency, marking, {"BTC": SATOSHI}, reorder)


def new_ledger(marking: Marking = Marking.QUOTE, reorder: int = 512) -> Ledger:
    return Ledger(terms(marking, reorder), LISTED)


def fill(id_: int | str, side: Side, quantity: Any, price: Any, symbol: str = "ONE", **more: Any) -> Fill:
    """A fill; numbers become decimals by way of their text, and a numeric id is its time too."""
    time_ns = more.pop("time_ns", int(id_) if str(id_).isdigit() else 1)
    fee = D(str(more.pop("fee", 0)))
    account = more.pop("account", ACCOUNT)
    broker = more.pop("broker", BROKER)
    return Fill(str(id_), broker, account, symbol, side, D(str(quantity)), D(str(price)), time_ns, fee=fee, **more)


def bought(ledger: Ledger, *fills: tuple[Side, Any, Any], symbol: str = "ONE", **more: Any) -> None:
    """Applies fills given as (side, quantity, price), numbered from 1."""
    for number, (side, quantity, price) in enumerate(fills, 1):
        ledger.apply(fill(number, side, quantity, price, symbol, **more))


def marked(symbol: str, bid: Any, ask: Any = None, time_ns: int = 1) -> Mark:
    return Mark(symbol, time_ns, bid=D(str(bid)), ask=D(str(bid if ask is None else ask)))


def flow(id_: str, kind: FlowKind, amount: Any, currency: str = "USD", **more: Any) -> CashFlow:
    time_ns = more.pop("time_ns", 1)
    return CashFlow(id_, BROKER, ACCOUNT, kind, D(str(amount)), currency, time_ns, **more)


def holds(ledger: Ledger) -> bool:
    """Whether the money identity holds in every currency, and the summary is the sum of the statements."""
    return all(identity.holds for identity in ledger.identity()) and _sums_up(ledger)


def _sums_up(ledger: Ledger) -> bool:
    try:
        lines = ledger.converted_statements()
    except RateMissing:
        return _refuses(ledger.summary)
    summary = ledger.summary()
    told = {
        "cash": summary.cash,
        "equity": summary.equity,
        "realised": summary.realised,
        "unrealised": summary.unrealised,
        "fees": summary.fees,
        "initial": summary.margin.initial,
        "maintenance": summary.margin.maintenance,
        "tied": subtract(summary.equity, summary.buying_power),
    }
    return all(figure == total(getattr(line, name).amount for line in lines) for name, figure in told.items())


def _refuses(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except RateMissing:
        return True
    return False


def of(*values: Any) -> tuple[Any, ...]:
    """Several figures to compare at once, decimals with plain numbers too."""
    return values
