"""Ways in which the real server may behave that nobody has settled, and conditions of a login; to be chosen."""

import enum
from typing import Final

import attrs

TWO_FACTOR: Final = (
    "Two-factor authentication is enabled for this user. Please sign in with the Tradovate application.",
    "Verification code is required. Enter the code that was sent to your device.",
)


class OnExpiry(enum.Enum):
    """What happens to an open socket when the token that it was authorized with expires."""

    LENIENT = "lenient"  # nothing
    STRICT = "strict"  # requests are answered with 401 until it is authorized again
    HOSTILE = "hostile"  # it is closed


@attrs.frozen
class Habits:
    """How one emulator behaves."""

    on_expiry: OnExpiry = OnExpiry.LENIENT
    two_factor: str | None = None
    """What a login with a second factor is told; None: the login has none. TWO_FACTOR has two texts."""
    live: bool = False
    """Whether order endpoints want a login from the registered device, as in the live environment."""
    market_data: bool = True
    """Whether the market-data subscription was paid."""
    token_seconds: float = attrs.field(default=90 * 60.0, validator=attrs.validators.gt(0))
    exchange_seconds: float = attrs.field(default=0.02, validator=attrs.validators.ge(0))
    """How long a command is on its way to the exchange after it was answered."""
    fee_seconds: float = attrs.field(default=0, validator=attrs.validators.ge(0))
    """How long after an execution its fee is told and listed; 0: with it."""
