"""What an emulator accepts, as the credential of a login that a daemon keeps."""

from collections.abc import Mapping
from typing import Final

from brokers.emulation.emulator import Emulator
from brokers.tokens.credentials import Credential, LoginId
from brokers.tokens.logins import LOGINS, login_plan
from brokers.tokens.token_set import Kept, TokenSet, with_kept
from runtime.wire.secret import Secret

_FIELDS: Final[Mapping[str, str]] = {"name": "username", "deviceId": "device_id"}  # where a login plan has other names
_SECOND_NS: Final = 1_000_000_000


def accepted_by(emulator: Emulator, login: str, wall_ns: int) -> Credential:
    """The credential of a login; its tokens, where the broker has refresh tokens, have just ended."""
    kind = emulator.broker
    environment = "paper" if "paper" in login_plan(kind).ways else "live"  # without a simulated one there is one login
    said = {_FIELDS.get(name, name): Secret(value) for name, value in emulator.credentials.items()}
    fields = {field.name: said[field.name] for field in LOGINS[kind].fields}
    refresh = said.get("refresh_token")
    tokens = None
    if refresh is not None:
        tokens = TokenSet(Secret("ended"), refresh, wall_ns - 2 * _SECOND_NS, wall_ns - _SECOND_NS)
    return with_kept(Credential(LoginId(kind, login, environment), fields), Kept(tokens, 1))
