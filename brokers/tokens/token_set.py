"""What a login yields, what of it is handed to streams, and how it lies in a credential's fields."""

from collections.abc import Mapping
from typing import Final

import attrs

from brokers.tokens.credentials import Credential, LoginId
from runtime.wire.secret import Secret

_ACCESS: Final = "access_token"
_REFRESH: Final = "refresh_token"
_EXTRA: Final = "token."
_TIMES: Final = ("issued_ns", "expires_ns", "refresh_expires_ns")
_GENERATION: Final = "generation"
_NOT_BEFORE: Final = "not_before_ns"
_LONGEST_NUMBER: Final = 20


@attrs.frozen
class TokenSet:
    """The fruit of one login or refresh; all times in nanoseconds since 1970 by this machine's wall.

    refresh_expires_ns  when a person has to log in again at the latest; None when nobody says
    extra               further tokens and facts of the broker, such as one for market data
    """

    access: Secret
    refresh: Secret | None
    issued_ns: int
    expires_ns: int
    refresh_expires_ns: int | None = None
    extra: Mapping[str, Secret] = attrs.field(factory=dict)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything in it that must not be seen."""
        return (self.access, *(() if self.refresh is None else (self.refresh,)), *self.extra.values())

    def left_ns(self, wall_ns: int) -> int:
        """How long the access token still lives, never longer than it ever did, however the wall was set."""
        return min(self.expires_ns - wall_ns, self.expires_ns - self.issued_ns)

    def login_left_ns(self, wall_ns: int) -> int | None:
        """How long until a person has to log in again; None when nobody says."""
        return None if self.refresh_expires_ns is None else self.refresh_expires_ns - wall_ns


@attrs.frozen
class Token:
    """What a stream or a request needs; of two tokens of a login, that of the higher generation holds."""

    login: LoginId
    generation: int
    access: Secret
    expires_ns: int
    extra: Mapping[str, Secret] = attrs.field(factory=dict)


@attrs.frozen
class Kept:
    """What the shelf holds for a token store beside the login's own fields."""

    tokens: TokenSet | None = None
    generation: int = 0
    not_before_ns: int = 0  # no attempt to log in before this moment of the wall


def kept_in(credential: Credential) -> Kept:
    """Reads the tokens out of a credential; damaged ones count as none, so that the login is made anew."""
    fields = credential.fields
    issued, expires, ends, generation, not_before = (
        _number(fields.get(name)) for name in (*_TIMES, _GENERATION, _NOT_BEFORE)
    )
    tokens = None
    if (access := fields.get(_ACCESS)) and issued is not None and expires is not None:
        extra = {name.removeprefix(_EXTRA): value for name, value in fields.items() if name.startswith(_EXTRA)}
        tokens = TokenSet(access, fields.get(_REFRESH), issued, expires, ends, extra)
    return Kept(tokens, generation or 0, not_before or 0)


def with_kept(credential: Credential, kept: Kept) -> Credential:
    """The credential with these tokens instead of those it had; the login's own fields stay."""
    fields = {name: value for name, value in credential.fields.items() if not _is_ours(name)}
    if tokens := kept.tokens:
        fields[_ACCESS] = tokens.access
        if tokens.refresh is not None:
            fields[_REFRESH] = tokens.refresh
        times = zip(_TIMES, (tokens.issued_ns, tokens.expires_ns, tokens.refresh_expires_ns), strict=True)
        fields |= {name: Secret(str(time)) for name, time in times if time is not None}
        fields |= {_EXTRA + name: value for name, value in tokens.extra.items()}
    fields[_GENERATION] = Secret(str(kept.generation))
    fields[_NOT_BEFORE] = Secret(str(kept.not_before_ns))
    return attrs.evolve(credential, fields=fields)


def login_fields(credential: Credential) -> tuple[Secret, ...]:
    """The secrets that a person gave: all fields but the tokens and their facts."""
    return tuple(value for name, value in credential.fields.items() if not _is_ours(name))


def login_names(credential: Credential) -> tuple[str, ...]:
    """The names of the fields that a person gave."""
    return tuple(name for name in credential.fields if not _is_ours(name))


def _is_ours(name: str) -> bool:
    return name in (_ACCESS, _REFRESH, *_TIMES, _GENERATION, _NOT_BEFORE) or name.startswith(_EXTRA)


def _number(value: Secret | None) -> int | None:
    text = value.reveal() if value is not None else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None
