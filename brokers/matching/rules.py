"""The settings of a venue: which of several honest rules it plays by, and how slow the way to it is."""

import enum
import random
from decimal import Decimal

import attrs


class DuplicateKeys(enum.Enum):
    """What a venue does with an order key that the account has used before."""

    REFUSE = "refuse"  # unique as long as the venue remembers; a second order is refused
    RETURN_EXISTING = "return_existing"  # unique; the first order is answered again
    OPEN_ONLY = "open_only"  # unique among open orders only
    ACCEPT = "accept"  # stored and echoed, never compared


class TriggerSource(enum.Enum):
    """The price that stops and trailing stops watch."""

    LAST = "last"  # prints only: a feed without trades triggers nothing
    BID_ASK = "bid_ask"  # sells watch the bid, buys the ask; prints where a symbol has never been quoted
    MARK = "mark"  # the venue's mark price only


class OutsideHours(enum.Enum):
    """What happens to an order that arrives when its session is not open."""

    REJECT = "reject"
    HOLD = "hold"  # until a session comes that the order may trade in


class WithoutPrice(enum.Enum):
    """What happens to a market order when nothing is offered on the other side."""

    WAIT = "wait"
    REJECT = "reject"


def _natural_or_none(_: object, attribute: "attrs.Attribute[int | None]", value: int | None) -> None:
    if value is not None and value < 0:
        raise ValueError(f"{attribute.name} must be None, 0 or more, got {value}")


def _delays(_: object, attribute: "attrs.Attribute[tuple[int, ...]]", value: tuple[int, ...]) -> None:
    if not value or min(value) < 0:
        raise ValueError(f"{attribute.name} needs at least one delay of 0 ns or more, got {value!r}")


@attrs.frozen
class Latency:
    """Delays in nanoseconds as they were recorded; each draw takes one of them, all equally likely."""

    samples: tuple[int, ...] = attrs.field(default=(0,), validator=_delays)

    def draw(self, chance: random.Random) -> int:
        """One delay; a single sample asks nothing of chance."""
        return self.samples[0] if len(self.samples) == 1 else chance.choice(self.samples)


_INSTANT = Latency()
_NOT_BEFORE_THE_ORDER: int | None = 0


@attrs.frozen(kw_only=True)
class VenueRules:
    """How one venue behaves; the defaults are the pessimistic choice everywhere."""

    name: str = "paper"  # the `broker` of the fills
    duplicates: DuplicateKeys = DuplicateKeys.REFUSE
    trigger: TriggerSource = TriggerSource.BID_ASK
    outside_hours: OutsideHours = OutsideHours.REJECT
    without_price: WithoutPrice = WithoutPrice.WAIT
    standing_ns: int | None = attrs.field(default=_NOT_BEFORE_THE_ORDER, validator=_natural_or_none)
    """How old a display may be when an order comes to it: 0 trades only with data at or after the order,
    None with whatever stands. A display that is too old is no price, and the order waits for the next."""
    impact_ticks: int | None = attrs.field(default=None, validator=_natural_or_none)
    """None: what a market order finds no display for waits. Else it fills at once, so many ticks beyond the
    last level shown for each further multiple of the size shown."""
    through_in_full: bool = True
    """Whether a resting order that the market trades through fills whole, or only by the size seen there."""
    traded_share: Decimal = attrs.field(
        default=Decimal(1), validator=[attrs.validators.gt(Decimal(0)), attrs.validators.le(Decimal(1))]
    )
    """The part of a print's size or a bar's volume that the venue's own orders may have."""
    touch_chance: float = attrs.field(default=0.0, validator=[attrs.validators.ge(0.0), attrs.validators.le(1.0)])
    """How likely a trade at an order's price reaches it although others are, or may be, ahead of it."""
    bar_slippage_ticks: int = attrs.field(default=1, validator=attrs.validators.ge(0))
    """How far beyond its stop an order fills that a bar moves through without a gap."""
    legs_wait_for_full_fill: bool = False
    """Whether children sleep until their parent is over, or live as soon as it fills, sized to its fills."""
    refuse_self_cross: bool = False
    """Whether an order is refused that would trade with a resting one of its own account. If not, both
    stand side by side: own orders never fill each other, only the market fills them."""
    order_latency: Latency = _INSTANT  # from our sending a command to its taking effect
    feed_latency: Latency = _INSTANT  # how old market data is when it comes in; commands wait as much longer
    ack_latency: Latency = _INSTANT  # from an event at the venue to its owner's knowing of it
    keep_finished: int = attrs.field(default=10_000, validator=attrs.validators.ge(0))
    keep_finished_ns: int | None = attrs.field(default=None, validator=_natural_or_none)  # None: by number only
