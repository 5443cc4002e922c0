"""TradeStation's way to a credential: OAuth 2.0, pulled by every request and every stream as it opens.

A stream that is open outlives its token, so nothing is pushed into it.
"""

import attrs

from brokers.tokens.credentials import LoginId
from brokers.tokens.oauth2 import TRADESTATION, OAuth2
from brokers.tradestation.settings import BROKER, TradeStationSettings


def way(settings: TradeStationSettings) -> OAuth2:
    """The login flow at the configured host."""
    return attrs.evolve(
        TRADESTATION,
        authorize_url=f"{settings.sign_in}/authorize",
        token_url=f"{settings.sign_in}/oauth/token",
    )


def login_of(settings: TradeStationSettings) -> LoginId:
    """Whose credential it is."""
    return LoginId(BROKER, settings.login, settings.environment.value)
