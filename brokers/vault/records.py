"""What the vault keeps: credentials as named secrets, under an id that every ciphertext is bound to."""

import json
from collections.abc import Mapping
from typing import Final

import attrs

from brokers.capability import Environment
from brokers.strict_json import is_text, shown
from runtime.wire.secret import Secret

KIND: Final = "credential"
NONE_YET: Final = 0


class InvalidCredential(ValueError):
    """A credential or id that cannot be stored; `field` names the part, whose value shows only where it is public."""

    def __init__(self, field: str, expected: str, got: str) -> None:
        super().__init__(f"{field}: expected {expected}, got {got}; nothing was stored")
        self.field = field
        self.expected = expected
        self.got = got


def _named(_: object, field: "attrs.Attribute[str]", value: object) -> None:
    if not isinstance(value, str) or not value or not is_text(value):
        raise InvalidCredential(field.name, "text that is not empty", shown(value))


@attrs.frozen
class CredentialId:
    """Whose credential it is; `account` is None where one login serves all its accounts."""

    broker: str = attrs.field(validator=_named)
    login: str = attrs.field(validator=_named)
    account: str | None = attrs.field(validator=attrs.validators.optional(_named))
    environment: Environment

    def __str__(self) -> str:
        account = f" account {self.account}" if self.account is not None else ""
        return f"{self.broker} login {self.login}{account} ({self.environment.value})"

    @property
    def name(self) -> tuple[str, ...]:
        """The id as the words that a sealed record is bound to."""
        account = () if self.account is None else (self.account,)
        return (KIND, self.environment.value, self.broker, self.login, *account)

    @classmethod
    def of(cls, name: tuple[str, ...]) -> "CredentialId":
        """The id behind such words."""
        _, environment, broker, login, *account = name
        return cls(broker, login, account[0] if account else None, Environment(environment))


def _secrets(_: object, __: object, fields: object) -> None:
    if not isinstance(fields, dict) or not fields:
        raise InvalidCredential("fields", "at least one named secret", f"a {type(fields).__name__} of none")
    for name, secret in fields.items():
        if not isinstance(name, str) or not name:
            raise InvalidCredential("fields", "names that are not empty", shown(name))
        if not isinstance(secret, Secret):
            raise InvalidCredential(f"fields.{name}", "a Secret", f"a {type(secret).__name__}; its value is not shown")


def _copied(fields: Mapping[str, Secret]) -> dict[str, Secret]:
    return dict(fields)


@attrs.frozen
class Credential:
    """The secrets of one id; `version` is the one that they were read at or follow, `NONE_YET` for a first one."""

    id: CredentialId
    fields: Mapping[str, Secret] = attrs.field(converter=_copied, validator=_secrets)
    version: int = NONE_YET


def to_plain(fields: Mapping[str, Secret]) -> bytes:
    """The secrets in the clear, for sealing only."""
    return json.dumps({name: secret.reveal() for name, secret in sorted(fields.items())}).encode()


def from_plain(plain: bytes) -> dict[str, Secret]:
    """The secrets behind what `to_plain` made."""
    return {name: Secret(value) for name, value in json.loads(plain).items()}
