"""What a login keeps on the shelf: an id and secret fields, read and put back under a version."""

from collections.abc import Mapping
from typing import Protocol

import attrs

from runtime.wire.secret import Secret


@attrs.frozen
class LoginId:
    """Whose credential it is; one token store serves one of these."""

    broker: str
    login: str
    environment: str

    @property
    def store_key(self) -> tuple[str, str, str, str]:
        """The unique name of this login's token store."""
        return ("tokens", self.broker, self.login, self.environment)

    @property
    def stream_key(self) -> tuple[str, str, str, str]:
        """The duplicate key under which this login's live streams register."""
        return ("stream", self.broker, self.login, self.environment)

    def __str__(self) -> str:
        return f"{self.broker}/{self.login} ({self.environment})"


@attrs.frozen
class Credential:
    """One login's secret fields as they were read; `version` counts the puts, 0 before the first."""

    id: LoginId
    fields: Mapping[str, Secret] = attrs.field(factory=dict)
    version: int = 0

    def text(self, name: str) -> str:
        """The field in clear, for the wire only; raises FieldMissing."""
        secret = self.fields.get(name)
        if not secret:
            raise FieldMissing(self.id, name)
        return secret.reveal()


class FieldMissing(LookupError):
    """A credential without a field that its login needs; `login` and `field` say which."""

    def __init__(self, login: LoginId, field: str) -> None:
        super().__init__(
            f"{login}: expected a credential with the field {field!r}, it is missing; nothing was sent; "
            f"run `pitboss keys set {login.broker} --field {field}`"
        )
        self.login = login
        self.field = field


class NoCredential(LookupError):
    """The shelf holds nothing under the id `login`."""

    def __init__(self, login: LoginId) -> None:
        super().__init__(f"{login}: no credential is stored; run `pitboss keys set {login.broker}`, then log in")
        self.login = login


class VersionConflict(Exception):
    """The credential was put back by somebody else since it was read; read it again and repeat."""

    def __init__(self, login: LoginId, expected: int, found: int) -> None:
        super().__init__(f"{login}: expected version {expected} on the shelf, it is {found}; nothing was changed")
        self.login = login
        self.expected = expected
        self.found = found


class CredentialShelf(Protocol):
    """Where credentials rest; the vault, seen from here."""

    async def get(self, login: LoginId, /) -> Credential:
        """The newest credential; raises NoCredential."""
        ...

    async def put(self, credential: Credential, /) -> None:
        """Replaces the version that was read, durable on return; raises VersionConflict when that is not the newest."""
        ...
