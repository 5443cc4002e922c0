"""Tradovate's way to a credential: a password once, renewals of a live token, and each new token pushed into sockets.

The broker keeps two sessions of a user, and a third login ends the first: so a token is renewed long before its end,
and a login is the last resort. Both sockets of a login live in the one session.
"""

import attrs

from brokers.tokens.credentials import LoginId
from brokers.tokens.password import TRADOVATE_DEMO, PasswordLogin
from brokers.tokens.token_set import Token
from brokers.tradovate.settings import BROKER, TradovateSettings
from runtime.wire.secret import Secret


def way(settings: TradovateSettings) -> PasswordLogin:
    """The login flow at the configured host."""
    return attrs.evolve(
        TRADOVATE_DEMO,
        login_url=f"{settings.origin}/v1/auth/accessTokenRequest",
        renew_url=f"{settings.origin}/v1/auth/renewAccessToken",
        app_id=settings.app_id,
        app_version=settings.app_version,
        human_texts=settings.human_texts,
    )


def login_of(settings: TradovateSettings) -> LoginId:
    """Whose credential it is."""
    return LoginId(BROKER, settings.login, settings.environment.value)


def market_access(token: Token) -> Secret:
    """What authorizes the market-data socket: a token of its own where there is one."""
    return token.extra.get("md_access_token") or token.access


def user_id(token: Token) -> int | None:
    """The user behind a token, where the login told."""
    said = token.extra.get("user_id")
    text = "" if said is None else said.reveal()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
