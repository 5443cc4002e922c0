"""How a paper broker behaves: its accounts, fees, venue and, on purpose, its faults."""

import random
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

import attrs

from brokers.instruments import Instrument, Kind
from brokers.market import BarUnit
from brokers.matching import Latency, VenueRules
from brokers.model import Liquidity

MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000
_CENT_MILLIONTH = Decimal("1e-8")  # the places that a fee is rounded to
_SAMPLES = 1_000  # so a share of slow answers is exact to a thousandth


def _share(_: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} is {value!r}, expected a share from 0 to 1")


@attrs.frozen
class PaperFaults:
    """What goes wrong, and how often; the defaults are low, so that no strategy learns that brokers are perfect."""

    reject: float = attrs.field(default=0.002, validator=_share)  # of orders
    thin: float = attrs.field(default=0.05, validator=_share)  # of quotes show a tenth of their size
    slow_ack: float = attrs.field(default=0.01, validator=_share)  # of answers take `slow_ack_ns`
    slow_ack_ns: int = 750 * MILLISECOND_NS
    disconnects_per_hour: float = attrs.field(default=0.5, validator=attrs.validators.ge(0))
    disconnect_ns: int = 3 * SECOND_NS

    @classmethod
    def none(cls) -> "PaperFaults":
        """A broker that never errs: for measurements and for tests of something else."""
        return cls(reject=0, thin=0, slow_ack=0, disconnects_per_hour=0)

    def times(self, factor: float) -> "PaperFaults":
        """The same faults, so many times as often, each share at most 1."""
        return attrs.evolve(
            self,
            reject=min(self.reject * factor, 1),
            thin=min(self.thin * factor, 1),
            slow_ack=min(self.slow_ack * factor, 1),
            disconnects_per_hour=self.disconnects_per_hour * factor,
        )

    def ack_latency(self, usual: Latency, chance: random.Random) -> Latency:
        """The usual latency with the slow answers mixed in, as samples that are drawn with equal odds."""
        if not self.slow_ack:
            return usual
        slow = max(round(self.slow_ack * _SAMPLES), 1)
        return Latency((*chance.choices(usual.samples, k=_SAMPLES - slow), *[self.slow_ack_ns] * slow))


@attrs.frozen
class Fee:
    """What a fill costs: so much a contract and a share of its value; a negative maker share is a rebate."""

    per_contract: Decimal = Decimal(0)
    taker_share: Decimal = Decimal(0)
    maker_share: Decimal = Decimal(0)

    def of(self, instrument: Instrument, quantity: Decimal, price: Decimal, liquidity: Liquidity) -> Decimal:
        """The fee of one fill in the instrument's settlement currency, exact to eight places."""
        share = self.maker_share if liquidity is Liquidity.MAKER else self.taker_share
        if not share:
            return _fee_of_contracts(self.per_contract, quantity)
        if instrument.kind is Kind.INVERSE:
            value = quantity * instrument.multiplier / price
        else:
            value = quantity * instrument.multiplier * abs(price)
        return (self.per_contract * quantity + share * value).quantize(_CENT_MILLIONTH).normalize()


@lru_cache(maxsize=1_024)
def _fee_of_contracts(each: Decimal, quantity: Decimal) -> Decimal:
    """So much a contract: few quantities are traded again and again."""
    return (each * quantity).quantize(_CENT_MILLIONTH).normalize()


FEES: Mapping[Kind, Fee] = {
    Kind.FUTURE: Fee(per_contract=Decimal("2.25")),
    Kind.STOCK: Fee(per_contract=Decimal("0.005")),
    Kind.SPOT: Fee(taker_share=Decimal("0.001"), maker_share=Decimal("0.0008")),
    Kind.PERPETUAL: Fee(taker_share=Decimal("0.0005"), maker_share=Decimal("0.0002")),
    Kind.INVERSE: Fee(taker_share=Decimal("0.0005"), maker_share=Decimal("-0.0001")),
}


@attrs.frozen
class Funding:
    """What holders of a perpetual pay each other: a positive share of the position's value from long to short."""

    share: Decimal = Decimal("0.0001")
    every_ns: int = attrs.field(default=8 * 3600 * SECOND_NS, validator=attrs.validators.gt(0))

    def next_ns(self, now_ns: int) -> int:
        """The next whole multiple of the interval since 1970."""
        return (now_ns // self.every_ns + 1) * self.every_ns


@attrs.frozen
class Dividend:
    """Cash for each share that is held at a moment; who is short pays it."""

    symbol: str
    time_ns: int
    amount: Decimal


@attrs.frozen
class PaperAccount:
    """One account: its id, its currency and what it holds at the start."""

    id: str
    currency: str = "USD"
    deposit: Decimal = Decimal(100_000)


@attrs.frozen
class PaperSettings:
    """A paper broker; `fees` by symbol or root come before those by kind."""

    symbols: tuple[str, ...] = ()  # a root stands for its front contract; empty: a few well-known roots
    accounts: tuple[PaperAccount, ...] = (PaperAccount("paper-1"),)
    rules: VenueRules = VenueRules(standing_ns=None)
    faults: PaperFaults = PaperFaults()
    fees_by_kind: Mapping[Kind, Fee] = attrs.field(factory=lambda: dict(FEES))
    fees: Mapping[str, Fee] = attrs.field(factory=dict)
    funding: Mapping[str, Funding] = attrs.field(factory=dict)  # by symbol or root; others have the usual one
    dividends: tuple[Dividend, ...] = ()
    seed: int = 1
    keep: int = attrs.field(default=10_000, validator=attrs.validators.ge(1))  # fills and finished orders asked for

    def fee(self, instrument: Instrument) -> Fee:
        """The fee that applies to an instrument."""
        for name in (instrument.symbol, instrument.root):
            if name in self.fees:
                return self.fees[name]
        return self.fees_by_kind.get(instrument.kind, Fee())

    def funding_of(self, instrument: Instrument) -> Funding | None:
        """What holders of an instrument pay each other; None where nothing is."""
        if instrument.kind not in (Kind.PERPETUAL, Kind.INVERSE):
            return None
        for name in (instrument.symbol, instrument.root):
            if name in self.funding:
                return self.funding[name]
        return Funding()


BAR_UNITS = frozenset({BarUnit.MINUTE, BarUnit.HOUR, BarUnit.DAY})
