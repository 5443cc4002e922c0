"""The ledger of one account: every fact goes in here once, and either all of it is booked or nothing.

A ledger is a fold: the same facts give the same state. It does no I/O and has no clock; the journal keeps the facts,
and `rebuild` makes a ledger from them again. An opening position is a fill at the broker's average, with a deposit of
its cost where it is paid in full.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from brokers.instruments import Instrument, Kind
from brokers.ledger import report
from brokers.ledger.account import Account, FlowKey
from brokers.ledger.entry import LedgerEntry
from brokers.ledger.errors import BadFact, WrongAccount
from brokers.ledger.facts import CashFlow, Correction, Fact, FlowKind, Mark, Rate, Settlement
from brokers.ledger.figures import fees_of, quantity_of
from brokers.ledger.money import summary
from brokers.ledger.scaling import SOUND, ZERO, add, negative, sound
from brokers.ledger.seen import Print, Seen, agree, booked
from brokers.ledger.tally import EMPTY
from brokers.ledger.terms import AccountTerms, Marking
from brokers.model import AccountSummary, Balance, Fill, Position


class Ledger:
    """Exact accounting of one account: net positions, each session's share, cash, and what explains them."""

    def __init__(
        self,
        terms: AccountTerms,
        instruments: Mapping[str, Instrument],
        fills: Seen | None = None,
        others: Seen | None = None,
    ) -> None:
        """`fills` and `others` answer what was booked before; without them memory keeps the recent ids."""
        self.account = Account(terms, instruments)
        if fills is not None:
            self.account.fills = fills
        if others is not None:
            self.account.others = others
        self._broker, self._account = terms.broker, terms.account
        self._books, self._fills = self.account.books, self.account.fills

    def record(self, fact: Fact) -> None:
        """Books any fact; raises LedgerError as its own method does."""
        match fact:
            case Fill():
                self.apply(fact)
            case CashFlow():
                self.post(fact)
            case Settlement():
                self.settle(fact)
            case Correction():
                self.correct(fact)
            case Mark():
                self.mark(fact)
            case Rate():
                self.rate(fact)

    def apply(self, fill: Fill) -> LedgerEntry | None:
        """Books a fill; None when it was booked before; raises LedgerError and books nothing."""
        symbol, id_, time_ns, fills = fill.symbol, fill.id, fill.time_ns, self._fills
        if (
            fill.account != self._account
            or fill.broker != self._broker
            or type(id_) is not str
            or not id_
            or type(time_ns) is not int
            or time_ns < 0
        ):
            self._check(fill)  # says what is wrong
        kept = self._books.get(symbol)
        book = kept or self.account.book(symbol)
        deal = book.deal(fill)
        if deal is None or time_ns <= fills.unsure_ns:
            if booked(fills, id_, fill, _figures(fill)):
                return None
            deal = deal or book.fit(fill)
        known = fills.remember(id_, deal)
        if known is not None:
            agree(known, fill, deal)
            return None
        entry = book.post(deal, fill)
        if kept is None:
            self._books[symbol] = book
        if deal.foreign_fee is not ZERO:
            self._add_flow(_fee_key(fill), negative(deal.foreign_fee))
        return entry

    def post(self, flow: CashFlow) -> bool:
        """Books cash that moved without a trade; False when it was booked before; raises LedgerError."""
        account = self.account
        self._check(flow)
        if not sound(flow.amount):
            raise BadFact(flow, "amount", flow.amount, SOUND)
        if flow.kind is FlowKind.DEPOSIT and flow.amount <= ZERO:
            raise BadFact(flow, "amount", flow.amount, "positive for a deposit")
        if flow.kind is FlowKind.WITHDRAWAL and flow.amount >= ZERO:
            raise BadFact(flow, "amount", flow.amount, "negative for a withdrawal")
        if not flow.currency:
            raise BadFact(flow, "currency", flow.currency, "the name of a currency")
        if flow.symbol is not None:
            account.instrument(flow.symbol)
        key, figures = f"flow/{flow.id}", Print(flow.time_ns, f"{flow.kind.value} {flow.currency}", flow.amount)
        if booked(account.others, key, flow, figures):
            return False
        self._add_flow(FlowKey(flow.kind, flow.currency, flow.symbol, flow.session), flow.amount)
        account.time_ns = max(account.time_ns, flow.time_ns)
        account.others.remember(key, figures)
        return True

    def settle(self, settlement: Settlement) -> LedgerEntry | None:
        """Moves unrealised profit into cash; None when that was done before; raises LedgerError."""
        account = self.account
        self._check(settlement)
        book = account.book(settlement.symbol)
        key = f"settlement/{settlement.id}"
        figures = Print(settlement.time_ns, settlement.symbol, at=settlement.price)
        if booked(account.others, key, settlement, figures):
            return None
        entry = book.settle(settlement)
        account.books[settlement.symbol] = book
        account.others.remember(key, figures)
        return entry

    def correct(self, correction: Correction) -> tuple[LedgerEntry, ...]:
        """Books the reversal of a fill and its replacement, if any; empty when done before; raises LedgerError.

        The original may come later or never: its id is kept, and it will count as booked.
        """
        account, original, replacement = self.account, correction.original, correction.replacement
        self._check(correction)
        figures = _correction_figures(correction)
        if booked(account.others, f"correction/{correction.id}", correction, figures):
            return ()
        known = self._known(original)
        reversed_before = booked(account.others, f"reversal/{original.id}", original, Print(original.time_ns))
        new = None if replacement is None or self._replaced(correction, replacement) else replacement
        entries = [self._reverse(correction)] if known and not reversed_before else []
        self.note(correction)
        entry = None if new is None else self.apply(new)
        return tuple(entries) if entry is None else (*entries, entry)

    def is_reversed(self, fill_id: str) -> bool:
        """Whether a fill was taken back, so that its id counts as booked and nothing stands under it."""
        return self.account.others.get(f"reversal/{fill_id}") is not None

    def note(self, correction: Correction) -> None:
        """Keeps in mind that the original counts as booked and reversed, without booking anything."""
        account, original = self.account, correction.original
        account.books[original.symbol] = book = account.book(original.symbol)
        book.time_ns = max(book.time_ns, correction.time_ns)
        account.fills.remember(original.id, _figures(original))
        account.others.remember(f"reversal/{original.id}", Print(original.time_ns))
        account.others.remember(f"correction/{correction.id}", _correction_figures(correction))

    def mark(self, mark: Mark) -> bool:
        """Takes an instrument's latest quote or mark; False when it is older than the last; raises LedgerError."""
        marks, by_quote = self.account.marks, self.account.terms.marking is Marking.QUOTE
        bid, ask, price = (mark.bid, mark.ask, None) if by_quote else (None, None, mark.price)
        self._check_mark(mark, {"bid": bid, "ask": ask} if by_quote else {"price": price})
        last = marks.get(mark.symbol)
        if last is not None:
            if mark.time_ns < last.time_ns:
                return False
            bid, ask = last.bid if bid is None else bid, last.ask if ask is None else ask
        marks[mark.symbol] = Mark(mark.symbol, mark.time_ns, bid, ask, price)
        return True

    def rate(self, rate: Rate) -> bool:
        """Takes a conversion rate into the account's currency; False when older than the last; raises LedgerError."""
        if not sound(rate.value) or rate.value <= ZERO:
            raise BadFact(rate, "value", rate.value, f"positive and {SOUND}")
        if not rate.currency or rate.currency == self.account.terms.currency:
            raise BadFact(rate, "currency", rate.currency, f"another than {self.account.terms.currency!r}")
        last = self.account.rates.get(rate.currency)
        if last is not None and rate.time_ns < last.time_ns:
            return False
        self.account.rates[rate.currency] = rate
        return True

    def position(self, symbol: str) -> Position:
        """The account's net position, flat if never opened; raises UnknownInstrument."""
        return report.position(self.account, symbol)

    def quantity(self, symbol: str) -> Decimal:
        """The account's net quantity, 0 if never opened; a tenth of the cost of `position`."""
        book = self._books.get(symbol)
        return ZERO if book is None else book.held()

    def session_quantity(self, symbol: str, session: str | None) -> Decimal:
        """A session's share of the net quantity, 0 if it never traded."""
        book = self._books.get(symbol)
        return ZERO if book is None else quantity_of(book.shares.get(session, EMPTY), book.measure)

    def symbols(self) -> tuple[str, ...]:
        """What was ever traded, in order."""
        return tuple(sorted(self._books))

    def positions(self) -> tuple[Position, ...]:
        """All net positions that were ever opened, by symbol."""
        return tuple(report.position(self.account, symbol) for symbol in sorted(self.account.books))

    def notional(self, symbol: str, price: Decimal) -> Decimal:
        """What the net position is worth in settlement currency at a price, negative when short.

        Funding at a rate is minus notional x rate, for linear and inverse alike. Raises UnknownInstrument, BadFact.
        """
        if not sound(price) or (price <= ZERO and self.account.instrument(symbol).kind is not Kind.FUTURE):
            raise BadFact(Mark(symbol, 0, price=price), "price", price, f"positive and {SOUND}")
        return report.notional(self.account, symbol, price)

    def session_positions(self, symbol: str) -> tuple[report.SessionPosition, ...]:
        """The shares of all sessions in one position; their quantities sum to it; raises UnknownInstrument."""
        return report.session_positions(self.account, symbol)

    def session_position(self, symbol: str, session: str | None) -> Position | None:
        """The share of one session, None for one that never traded it; raises UnknownInstrument."""
        return report.session_position(self.account, symbol, session)

    def session_fees(self, symbol: str, session: str | None) -> Decimal:
        """What a session paid for its trades in settlement currency, less rebates; raises UnknownInstrument."""
        book = self.account.book(symbol)
        return fees_of(book.shares.get(session, EMPTY), book.measure)

    def statistics(self, symbol: str) -> report.TradeStatistics:
        """The finished trades of the net position; raises UnknownInstrument."""
        book = self.account.book(symbol)
        return report.statistics(book.net, book.measure)

    def session_statistics(self, symbol: str, session: str | None) -> report.TradeStatistics:
        """The finished trades of one session's share; raises UnknownInstrument."""
        book = self.account.book(symbol)
        return report.statistics(book.shares.get(session, EMPTY), book.measure)

    def statements(self) -> tuple[report.Statement, ...]:
        """The money of each currency, in that currency."""
        return report.statements(self.account)

    def converted_statements(self) -> tuple[report.ConvertedStatement, ...]:
        """The money of each currency in the account's, each figure with its rate and time; raises RateMissing."""
        return report.converted_statements(self.account)

    def identity(self) -> tuple[report.Identity, ...]:
        """For each currency what the account owns, what it earned and what its sessions earned: all equal."""
        return tuple(statement.identity for statement in report.statements(self.account))

    def convert(self, amount: Decimal, currency: str) -> report.Converted:
        """An amount in the account's currency with the rate used and its time; raises RateMissing."""
        return report.convert(self.account, amount, currency)

    def balances(self) -> tuple[Balance, ...]:
        """The cash of each currency."""
        return report.balances(self.account)

    def summary(self) -> AccountSummary:
        """The account's money in its own currency; raises RateMissing."""
        return summary(self.account)

    def _check(self, fact: Fill | CashFlow | Settlement | Correction) -> None:
        if fact.account != self._account or fact.broker != self._broker:
            raise WrongAccount(fact, self._broker, self._account)
        if not fact.id or type(fact.id) is not str:
            raise BadFact(fact, "id", fact.id, "a text that is not empty")
        if type(fact.time_ns) is not int or fact.time_ns < 0:
            raise BadFact(fact, "time_ns", fact.time_ns, "nanoseconds since 1970")

    def _check_mark(self, mark: Mark, prices: dict[str, Decimal | None]) -> None:
        any_price = self.account.instrument(mark.symbol).kind is Kind.FUTURE
        known = 0
        for name, price in prices.items():
            if price is not None:
                known += 1
                if not sound(price) or (price <= ZERO and not any_price):
                    raise BadFact(mark, name, price, SOUND if any_price else f"positive and {SOUND}")
        if not known:
            rule = self.account.terms.marking.value
            raise BadFact(mark, " or ".join(prices), None, f"given where positions are marked by {rule}")

    def _known(self, fill: Fill) -> bool:
        """Whether a fill is booked; raises LedgerError when that cannot be told, or when it cannot be booked."""
        self._check(fill)
        self.account.book(fill.symbol).deal(fill)
        return booked(self.account.fills, fill.id, fill, _figures(fill))

    def _replaced(self, correction: Correction, replacement: Fill) -> bool:
        """Whether the replacement is booked already; raises LedgerError when it cannot be booked."""
        if replacement.id == correction.original.id:
            raise BadFact(correction, "replacement.id", replacement.id, "another id than the original's")
        return self._known(replacement)

    def _reverse(self, correction: Correction) -> LedgerEntry:
        fill = correction.original
        entry, deal = self.account.book(fill.symbol).take_back(fill, correction.id)
        if deal.foreign_fee:
            self._add_flow(_fee_key(fill), deal.foreign_fee)
        return entry

    def _add_flow(self, key: FlowKey, amount: Decimal) -> None:
        self.account.flows[key] = add(self.account.flows.get(key, ZERO), amount)


def rebuild(
    terms: AccountTerms,
    instruments: Mapping[str, Instrument],
    facts: Iterable[Fact],
    fills: Seen | None = None,
    others: Seen | None = None,
) -> Ledger:
    """Folds facts, in whatever order they come, in the order in which they count; raises LedgerError.

    A fill that a correction takes back is left out from the start, so no fact is too old to be put right here.
    """
    facts = list(facts)
    corrections = [fact for fact in facts if isinstance(fact, Correction)]
    taken_back = {correction.original.id for correction in corrections}
    replacements = [fact.replacement for fact in corrections if fact.replacement is not None]
    ledger = Ledger(terms, instruments, fills, others)
    for fact in sorted([*facts, *replacements], key=_place):
        if not (isinstance(fact, Correction) or (isinstance(fact, Fill) and fact.id in taken_back)):
            ledger.record(fact)
    for correction in corrections:
        ledger.note(correction)
    return ledger


def _place(fact: Fact) -> tuple[int, str]:
    return fact.time_ns, "" if isinstance(fact, Mark | Rate) else fact.id


def _figures(fill: Fill) -> Print:
    return Print(fill.time_ns, fill.symbol, fill.quantity, fill.price, fill.side)


def _correction_figures(correction: Correction) -> Print:
    original, replacement = correction.original, correction.replacement
    return Print(correction.time_ns, original.id if replacement is None else f"{original.id} by {replacement.id}")


def _fee_key(fill: Fill) -> FlowKey:
    return FlowKey(FlowKind.FEE, fill.fee_currency, fill.symbol, fill.session)
