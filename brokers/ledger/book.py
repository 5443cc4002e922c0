"""The books of one instrument in one account: the net position, each session's share, and the recent deals in order.

Deals count in the order of (time, id), whatever order they arrive in: the average, and so the split of profit into
realised and unrealised, depends on that order. The recent deals are kept in blocks, each with the books as they were
before it, so that a late deal is put into its place, and a busted one taken out, by going back to the block's start
and posting from there again.
"""

from bisect import insort
from decimal import Decimal

import msgspec

from brokers.instruments import Instrument, Kind
from brokers.ledger.entry import LedgerEntry
from brokers.ledger.errors import BadFact
from brokers.ledger.facts import Settlement
from brokers.ledger.figures import quantity_of
from brokers.ledger.measure import Digits, Factors, Linear, Measure, measure_of, paid_in_full
from brokers.ledger.scaling import SOUND, ZERO, Wholes, multiply, sound, whole
from brokers.ledger.tally import EMPTY, Deal, Tally, settle, trade, widened
from brokers.model import Fill
from brokers.sides import Side

_BUY, _SELL = Side.BUY, Side.SELL
_BLOCK_SIZE = 32


class Variation(msgspec.Struct, frozen=True, gc=False):
    """A daily settlement in whole numbers."""

    time_ns: int
    id: str
    price: int


Posting = Deal | Variation


class Block(msgspec.Struct):
    """Some postings in order, and the books before the first of them."""

    net: Tally
    shares: dict[str | None, Tally]
    postings: list[Posting]


class Book:
    """All that one account holds and held of one instrument."""

    def __init__(self, instrument: Instrument, quantum: Decimal, reorder: int) -> None:
        if instrument.kind is Kind.SPOT and instrument.multiplier != 1:
            raise BadFact(instrument, "multiplier", instrument.multiplier, "1 for spot, which counts the base currency")
        self.instrument = instrument
        self.net = EMPTY
        self._held = EMPTY, ZERO
        self.shares: dict[str | None, Tally] = {}
        self.forgotten: tuple[int, str] | None = None  # time and id of the last posting that can no longer be moved
        self.time_ns = 0  # of the latest fact
        self.settlement = instrument.settlement
        self._own_currency = ("", self.settlement)
        self._in_kind = instrument.base if instrument.kind is Kind.SPOT else None
        self._any_price = instrument.kind is Kind.FUTURE
        self._price_rule = SOUND if self._any_price else f"positive and {SOUND}"
        self._use(measure_of(instrument, quantum))
        self._block_size = min(_BLOCK_SIZE, reorder)
        self._kept = -(-reorder // self._block_size) + 1  # blocks: enough full ones, and the one that fills
        self._blocks: list[Block] = []
        self._open = self._begin_block()

    def deal(self, fill: Fill) -> Deal | None:
        """A fill in whole numbers, None when it is finer than the measure; changes nothing; raises BadFact."""
        amount, at, side = fill.quantity, fill.price, fill.side
        try:
            quantity, price, fee = self._quantities[str(amount)], self._prices[str(at)], self._fees[str(fill.fee)]
        except (ArithmeticError, ValueError):
            raise self._fault(fill) from None
        if type(amount) is not Decimal or type(at) is not Decimal or type(fill.fee) is not Decimal:
            raise self._fault(fill)
        sells = side is _SELL
        if not sells and side is not _BUY:
            raise self._fault(fill)
        if quantity is None or price is None:
            return None
        if sells:
            quantity = -quantity
        if fee != 0 and fill.fee_currency not in self._own_currency:
            return self._deal_with_other_fee(fill, quantity, price)
        if fee is None:
            return None
        value = quantity * price if self._linear else self.measure.value(quantity, price)
        return Deal(fill.time_ns, fill.symbol, amount, at, side, fill.id, fill.session, quantity, price, value, fee)

    def fit(self, fill: Fill) -> Deal:
        """The deal of a fill that may be finer than the measure, which is widened for it."""
        deal = self.deal(fill)
        if deal is not None:
            return deal
        taken = fill.fee if fill.fee_currency == self._in_kind else ZERO
        fee = fill.fee if fill.fee_currency in self._own_currency else multiply(taken, fill.price)
        self._widen(self.measure.digits.holding((fill.quantity, taken), fill.price, fee))
        return self.fit(fill)

    def post(self, deal: Deal, fill: Fill) -> LedgerEntry:
        """Books a deal in its place; cannot fail."""
        session, net, measure = deal.session, self.net, self.measure
        share = self.shares.get(session, EMPTY)
        if deal.time_ns <= self.time_ns:
            in_order = self._place(deal)
            after, share_after = self.net, self.shares[session]
            return LedgerEntry(fill, self.instrument, measure, net, after, share, share_after, False, in_order)
        self.time_ns = deal.time_ns  # what _append does, without its call: nearly all fills come this way
        postings = self._open
        if len(postings) >= self._block_size:
            postings = self._begin_block()
        postings.append(deal)
        self.net = after = trade(net, deal, measure)
        self.shares[session] = share_after = after if share is net else trade(share, deal, measure)
        return LedgerEntry(fill, self.instrument, measure, net, after, share, share_after)

    def settle(self, settlement: Settlement) -> LedgerEntry:
        """Books a daily settlement in its place; raises BadFact for a bad price or a kind that is paid in full."""
        if paid_in_full(self.instrument):
            raise BadFact(settlement, "symbol", settlement.symbol, "of a margined instrument")
        if not self._can_cost(settlement.price):
            raise BadFact(settlement, "price", settlement.price, self._price_rule)
        price = self._prices[str(settlement.price)]
        if price is None:
            self._widen(self.measure.digits.holding((), settlement.price, ZERO))
            return self.settle(settlement)
        net = self.net
        in_order = self._place(Variation(settlement.time_ns, settlement.id, price))
        return LedgerEntry(settlement, self.instrument, self.measure, net, self.net, None, None, False, in_order)

    def take_back(self, fill: Fill, correction_id: str) -> tuple[LedgerEntry, Deal]:
        """Reverses a booked fill: as if it had never been, or by an opposite deal where it can no longer be moved."""
        deal = self.fit(fill)
        net, share = self.net, self.shares.get(fill.session, EMPTY)
        found = [index for index, block in enumerate(self._blocks) if _holds(block, fill.id)]
        if found:
            self._post_again([posting for posting in self._wind_back(found[0]) if not _is_deal(posting, fill.id)])
        else:
            self._place(_opposite(deal, correction_id))
        share_after = self.shares.get(fill.session, EMPTY)
        entry = LedgerEntry(fill, self.instrument, self.measure, net, self.net, share, share_after, True, bool(found))
        return entry, deal

    def held(self) -> Decimal:
        """The net quantity, worked out once for each tally: it is asked for several times an order."""
        tally, quantity = self._held
        if tally is not self.net:
            quantity = quantity_of(self.net, self.measure)
            self._held = self.net, quantity
        return quantity

    def movable(self) -> tuple[Tally, dict[str | None, Tally], list[Posting]]:
        """The net tally and the shares before the postings that can still be moved, and these postings."""
        postings = [posting for block in self._blocks for posting in block.postings]
        return self._blocks[0].net, self._blocks[0].shares, postings

    def load(self, measure: Measure, net: Tally, shares: dict[str | None, Tally], postings: list[Posting]) -> None:
        """Takes over what `movable` told, in its measure."""
        self._use(measure)
        self.net = net = EMPTY if net == EMPTY else net
        self.shares = {session: net if share == net else share for session, share in shares.items()}
        self._blocks = []
        self._open = self._begin_block()
        self._post_again(postings)

    def _use(self, measure: Measure) -> None:
        self.measure = measure
        self._linear = isinstance(measure, Linear)
        digits = measure.digits
        self._quantities = Wholes(digits.quantity, positive=True)
        self._prices = Wholes(digits.price, positive=not self._any_price)
        self._fees = Wholes(digits.fee, positive=False)

    def _fault(self, fill: Fill) -> BadFact:
        """What is wrong with a fill that cannot be booked."""
        if not sound(fill.quantity) or fill.quantity <= ZERO:
            return BadFact(fill, "quantity", fill.quantity, f"positive and {SOUND}")
        if not self._can_cost(fill.price):
            return BadFact(fill, "price", fill.price, self._price_rule)
        if not sound(fill.fee):
            return BadFact(fill, "fee", fill.fee, SOUND)
        return BadFact(fill, "side", fill.side, "a Side")

    def _can_cost(self, price: Decimal) -> bool:
        return sound(price) and (price > ZERO or self._any_price)

    def _deal_with_other_fee(self, fill: Fill, quantity: int, price: int) -> Deal | None:
        """A deal whose fee is taken from the quantity or in a third currency."""
        digits, fee, foreign_fee = self.measure.digits, 0, ZERO
        if fill.fee_currency == self._in_kind:
            taken, worth = whole(fill.fee, digits.quantity), whole(multiply(fill.fee, fill.price), digits.fee)
            if taken is None or worth is None:
                return None
            quantity, fee = quantity - taken, worth
        else:
            foreign_fee = fill.fee
        value = self.measure.value(quantity, price)
        told = fill.time_ns, fill.symbol, fill.quantity, fill.price, fill.side, fill.id, fill.session
        return Deal(*told, quantity, price, value, fee, foreign_fee)

    def _place(self, posting: Posting) -> bool:
        """Posts in the order of (time, id); False when that is before all that can be moved."""
        self.time_ns = max(self.time_ns, posting.time_ns)
        key = _key(posting)
        before = [index for index, block in enumerate(self._blocks) if block.postings and _key(block.postings[0]) < key]
        postings = self._wind_back(before[-1] if before else 0)
        insort(postings, posting, key=_key)
        self._post_again(postings)
        return self.forgotten is None or key > self.forgotten

    def _append(self, deal: Deal, net: Tally, share: Tally) -> None:
        """Posts a deal after all others, given what it meets."""
        postings = self._open if len(self._open) < self._block_size else self._begin_block()
        postings.append(deal)
        self.net = after = trade(net, deal, self.measure)
        # The only session of an instrument has the account's own tally: one computation serves both.
        self.shares[deal.session] = after if share is net else trade(share, deal, self.measure)

    def _post_again(self, postings: list[Posting]) -> None:
        for posting in postings:
            if isinstance(posting, Deal):
                self._append(posting, self.net, self.shares.get(posting.session, EMPTY))
            else:
                open_ones = self._open if len(self._open) < self._block_size else self._begin_block()
                open_ones.append(posting)
                self.net = settle(self.net, posting.price, self.measure)

    def _begin_block(self) -> list[Posting]:
        """Starts a block, lets the oldest go when there are enough, and returns the new one's postings."""
        self._blocks.append(Block(self.net, dict(self.shares), []))
        if len(self._blocks) > self._kept:
            last = _key(self._blocks.pop(0).postings[-1])
            self.forgotten = last if self.forgotten is None else max(last, self.forgotten)
        self._open = self._blocks[-1].postings
        return self._open

    def _wind_back(self, index: int) -> list[Posting]:
        """Takes the books back to before a block and returns its postings and all later ones."""
        first = self._blocks[index]
        postings = [posting for block in self._blocks[index:] for posting in block.postings]
        del self._blocks[index:]
        self.net, self.shares = first.net, first.shares
        self._begin_block()
        return postings

    def _widen(self, digits: Digits) -> None:
        """Moves all tallies and postings to a finer measure."""
        measure, by = self.measure.finer(digits)
        net, shares, postings = self.movable()
        self.load(
            measure,
            widened(net, by),
            {session: widened(share, by) for session, share in shares.items()},
            [_widened(posting, by) for posting in postings],
        )


def _key(posting: Posting) -> tuple[int, str]:
    return posting.time_ns, posting.id


def _is_deal(posting: Posting, fill_id: str) -> bool:
    return isinstance(posting, Deal) and posting.id == fill_id


def _holds(block: Block, fill_id: str) -> bool:
    return any(_is_deal(posting, fill_id) for posting in block.postings)


def _opposite(deal: Deal, correction_id: str) -> Deal:
    return msgspec.structs.replace(
        deal,
        id=correction_id,
        quantity=-deal.quantity,
        value=-deal.value,
        fee=-deal.fee,
    )


def _widened(posting: Posting, by: Factors) -> Posting:
    if isinstance(posting, Variation):
        return msgspec.structs.replace(posting, price=posting.price * by.price)
    return msgspec.structs.replace(
        posting,
        quantity=posting.quantity * by.quantity,
        price=posting.price * by.price,
        value=posting.value * by.value,
        fee=posting.fee * by.fee,
    )
