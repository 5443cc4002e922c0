"""The token of one login as requests and connections need it: read from its store anew each time."""

import attrs

from brokers.errors import Code, broker_error
from brokers.tokens.token_set import Token
from brokers.tokens.token_store import TokenStore
from runtime import Name
from runtime.errors import CallError


@attrs.frozen(eq=False)
class TokenReader:
    """Reads the store of one login of a broker."""

    broker: str
    store: Name[TokenStore]

    async def token(self) -> Token:
        """The token in force; raises BrokerError."""
        try:
            return await self.store.call(TokenStore.token)
        except CallError as error:
            raise broker_error(self.broker, Code.SESSION_EXPIRED, str(error)) from error

    async def next_token(self, refused: Token) -> Token:
        """The token after one that was refused; raises BrokerError."""
        try:
            return await self.store.call(TokenStore.refresh_now, refused.generation)
        except CallError as error:
            raise broker_error(self.broker, Code.SESSION_EXPIRED, str(error)) from error

    def refused(self, token: Token) -> None:
        """Asks for the next token without waiting for it."""
        self.store.cast(TokenStore.refresh_now, token.generation)
