"""A ledger's state as plain data and back, without loss: texts, numbers up to 64 bits, lists and dicts only.

Kept are each book's figures before the postings that can still be moved, and these, which are then posted again.
"""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs

from brokers.instruments import Instrument
from brokers.ledger.account import Account, FlowKey
from brokers.ledger.book import Book, Posting, Variation
from brokers.ledger.errors import BadState
from brokers.ledger.facts import FlowKind, Mark, Rate
from brokers.ledger.ledger import Ledger
from brokers.ledger.measure import Digits, Inverse
from brokers.ledger.seen import Print, RecentIds, Seen
from brokers.ledger.tally import Basis, Deal, Score, Tally
from brokers.ledger.terms import AccountTerms
from brokers.sides import Side

_FORMAT = 2

Plain = dict[str, Any]


def dump(ledger: Ledger) -> Plain:
    """The state as data for any JSON writer; what a Seen of one's own remembers is not in it."""
    account = ledger.account
    return {
        "format": _FORMAT,
        "terms": _terms(account.terms),
        "time_ns": account.time_ns,
        "fills": _seen(account.fills),
        "others": _seen(account.others),
        "books": [_book(book) for book in account.books.values()],
        "flows": [[key.kind.value, *key[1:], str(amount)] for key, amount in account.flows.items()],
        "marks": [[m.symbol, m.time_ns, _text(m.bid), _text(m.ask), _text(m.price)] for m in account.marks.values()],
        "rates": [[rate.currency, str(rate.value), rate.time_ns] for rate in account.rates.values()],
    }


def load(
    data: Plain,
    terms: AccountTerms,
    instruments: Mapping[str, Instrument],
    fills: Seen | None = None,
    others: Seen | None = None,
) -> Ledger:
    """The ledger that was dumped; raises BadState when it was another account's, or instruments changed their terms."""
    try:
        _expect("format", data["format"], _FORMAT)
        _expect("terms", data["terms"], _terms(terms))
        ledger = Ledger(
            terms,
            instruments,
            _recent(data["fills"]) if fills is None else fills,
            _recent(data["others"]) if others is None else others,
        )
        _load_account(ledger.account, data)
    except (KeyError, TypeError, ValueError, ArithmeticError, IndexError) as error:
        raise BadState("content", repr(error), f"what dump makes in format {_FORMAT}") from error
    return ledger


def _load_account(account: Account, data: Plain) -> None:
    account.time_ns = data["time_ns"]
    for row in data["books"]:
        account.books[row["symbol"]] = _load_book(account, row)
    for kind, currency, symbol, session, amount in data["flows"]:
        account.flows[FlowKey(FlowKind(kind), currency, symbol, session)] = Decimal(amount)
    for symbol, time_ns, bid, ask, price in data["marks"]:
        account.marks[symbol] = Mark(symbol, time_ns, _number(bid), _number(ask), _number(price))
    for currency, value, time_ns in data["rates"]:
        account.rates[currency] = Rate(currency, Decimal(value), time_ns)


def _terms(terms: AccountTerms) -> Plain:
    return {
        "broker": terms.broker,
        "account": terms.account,
        "currency": terms.currency,
        "marking": terms.marking.value,
        "reorder": terms.reorder,
    }


def _money_rules(book: Book) -> Plain:
    """What of an instrument must not change while a book is kept."""
    instrument = book.instrument
    return {
        "kind": instrument.kind.value,
        "multiplier": str(Fraction(instrument.multiplier)),
        "settlement": instrument.settlement,
        "quantum": str(Fraction(book.measure.unit)) if isinstance(book.measure, Inverse) else None,
    }


def _book(book: Book) -> Plain:
    net, shares, postings = book.movable()
    return {
        "symbol": book.instrument.symbol,
        "rules": _money_rules(book),
        "digits": list(attrs.astuple(book.measure.digits)),
        "time_ns": book.time_ns,
        "forgotten": None if book.forgotten is None else list(book.forgotten),
        "net": _tally(net),
        "shares": [[session, _tally(share)] for session, share in shares.items()],
        "postings": [_posting(posting) for posting in postings],
    }


def _load_book(account: Account, row: Plain) -> Book:
    book = account.book(row["symbol"])
    _expect("rules", row["rules"], _money_rules(book))
    book.load(
        book.measure.counting(Digits(*row["digits"])),
        _tally_from(row["net"]),
        {session: _tally_from(share) for session, share in row["shares"]},
        [_posting_from(posting) for posting in row["postings"]],
    )
    book.time_ns = row["time_ns"]
    book.forgotten = None if row["forgotten"] is None else (row["forgotten"][0], row["forgotten"][1])
    return book


def _tally(tally: Tally) -> list[Any]:
    basis, score = tally.basis, tally.score
    amounts = [tally.quantity, tally.flow, tally.fees, basis.quantity, basis.cost, basis.over, basis.paid]
    counts = [score.trades, score.wins, score.losses]
    sums = [score.won, score.lost, score.realised, score.fees]
    return [[*map(str, amounts)], counts, [*map(str, sums)], [_text(score.best), _text(score.worst)]]


def _tally_from(row: list[Any]) -> Tally:
    amounts, (trades, wins, losses), sums, (best, worst) = row
    quantity, flow, fees, *basis = map(int, amounts)
    won, lost, realised, fees_then = map(Decimal, sums)
    score = Score(trades, wins, losses, won, lost, _number(best), _number(worst), realised, fees_then)
    return Tally(quantity, flow, fees, Basis(*basis), score)


def _posting(posting: Posting) -> list[Any]:
    if isinstance(posting, Variation):
        return [posting.time_ns, posting.id, str(posting.price)]
    amounts = [posting.quantity, posting.price, posting.value, posting.fee, posting.foreign_fee]
    return [posting.time_ns, posting.id, posting.session, *map(str, amounts)]


def _posting_from(row: list[Any]) -> Posting:
    if len(row) == 3:
        return Variation(row[0], row[1], int(row[2]))
    time_ns, id_, session, quantity, price, value, fee, foreign_fee = row
    return Deal(  # without its print, which the memory of ids has
        time_ns,
        id=id_,
        session=session,
        quantity=int(quantity),
        price=int(price),
        value=int(value),
        fee=int(fee),
        foreign_fee=Decimal(foreign_fee),
    )


def _seen(seen: Seen) -> Plain | None:
    if not isinstance(seen, RecentIds):
        return None
    known, full = seen.state()
    return {
        "entries": seen.entries,
        "skew_ns": seen.skew_ns,
        "unsure_ns": seen.unsure_ns,
        "full": full,
        "ids": [
            [id_, p.time_ns, p.name, _text(p.amount), _text(p.at), p.side and p.side.value] for id_, p in known.items()
        ],
    }


def _recent(data: Plain) -> RecentIds:
    seen = RecentIds(data["entries"], data["skew_ns"])
    known = {
        id_: Print(time_ns, name, _number(amount), _number(at), None if side is None else Side(side))
        for id_, time_ns, name, amount, at, side in data["ids"]
    }
    seen.restore(known, data["full"], data["unsure_ns"])
    return seen


def _expect(field: str, value: Any, expected: Any) -> None:
    if value != expected:
        raise BadState(field, value, expected)


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
