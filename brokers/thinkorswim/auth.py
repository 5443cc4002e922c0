"""Schwab's way to a credential: OAuth 2.0, pulled by every request and by the streamer as it logs in.

A streamer connection outlives the token it logged in with, so nothing is pushed into it. A person has to log in once
a week; the token store says so days ahead.
"""

from typing import Final

import attrs

from brokers.errors import Code, broker_error
from brokers.thinkorswim.settings import BROKER, ThinkorswimSettings
from brokers.tokens.oauth2 import SCHWAB, OAuth2
from brokers.tokens.token_set import Token
from brokers.tokens.token_store import TokenStore
from runtime import Name
from runtime.errors import CallError
from runtime.wire.redaction import Rules

RULES: Final = Rules(fields=frozenset({"authorization"}))  # how the streamer's login names the token


def way(settings: ThinkorswimSettings) -> OAuth2:
    """The login flow at the configured origin."""
    oauth = f"{settings.api}/v1/oauth"
    return attrs.evolve(SCHWAB, authorize_url=f"{oauth}/authorize", token_url=f"{oauth}/token")


@attrs.frozen(eq=False)
class Credentials:
    """The token of the login, read anew for every request and every connection."""

    store: Name[TokenStore]

    async def token(self) -> Token:
        """The token in force; raises BrokerError."""
        try:
            return await self.store.call(TokenStore.token)
        except CallError as error:
            raise broker_error(BROKER, Code.SESSION_EXPIRED, str(error)) from error

    async def token_after(self, refused: Token) -> Token:
        """The token after one that was refused; raises BrokerError."""
        try:
            return await self.store.call(TokenStore.refresh_now, refused.generation)
        except CallError as error:
            raise broker_error(BROKER, Code.SESSION_EXPIRED, str(error)) from error
