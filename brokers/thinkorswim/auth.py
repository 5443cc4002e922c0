"""Schwab's way to a credential: OAuth 2.0, pulled by every request and by the streamer as it logs in.

A streamer connection outlives the token it logged in with, so nothing is pushed into it. A person has to log in once
a week; the token store says so days ahead.
"""

from typing import Final

import attrs

from brokers.thinkorswim.settings import ThinkorswimSettings
from brokers.tokens.oauth2 import SCHWAB, OAuth2
from runtime.wire.redaction import Rules

RULES: Final = Rules(fields=frozenset({"authorization"}))  # how the streamer's login names the token


def way(settings: ThinkorswimSettings) -> OAuth2:
    """The login flow at the configured origin."""
    oauth = f"{settings.api}/v1/oauth"
    return attrs.evolve(SCHWAB, authorize_url=f"{oauth}/authorize", token_url=f"{oauth}/token")
