"""What a token store tells those who watch its login."""

from typing import Final

import attrs

from brokers.tokens.credentials import LoginId

_SECOND_NS: Final = 1_000_000_000


@attrs.frozen
class CredentialLost:
    """Told when trading can not rely on the credential any more, and why: cancels only."""

    login: LoginId
    text: str


@attrs.frozen
class CredentialRegained:
    """Told when trading can rely on the credential, also once after each start."""

    login: LoginId


@attrs.frozen
class LoginEnding:
    """Told, days ahead, that a person will have to log in again."""

    login: LoginId
    left_ns: int

    def __str__(self) -> str:
        days, hours = divmod(self.left_ns // (3600 * _SECOND_NS), 24)
        broker = self.login.broker
        return f"{self.login}: the login ends in {days} d {hours} h; run `pitboss login {broker}` before that"


News = CredentialLost | CredentialRegained | LoginEnding
