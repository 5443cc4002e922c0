"""Access tokens by number: the log can tell which one was handed out and which one was used, and shows none."""

import json
from collections.abc import Mapping
from typing import Final

_FIELDS: Final = ("access_token", "accessToken")  # where brokers put it
_BESIDE: Final = ("refresh_token", "id_token", "mdAccessToken")


class Badges:
    """Numbers for tokens, in the order in which they were first seen."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._beside: dict[str, None] = {}  # what was handed out with them and is as secret

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens themselves, for whoever looks for them where they must not be."""
        return (*self._numbers, *self._beside)

    def used(self, headers: Mapping[str, str]) -> int | None:
        """The number of the token that a request comes with; None where it has none."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        return self._number(token) if kind.lower() == "bearer" else None

    def granted(self, body: bytes) -> int | None:
        """The number of the token in a reply; None where there is none."""
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            return None
        if not isinstance(said, dict):
            return None
        self._beside.update({str(said[name]): None for name in _BESIDE if name in said})
        token = next((said[name] for name in _FIELDS if name in said), None)
        return self._number(token) if isinstance(token, str) else None

    def _number(self, token: str) -> int:
        return self._numbers.setdefault(token, len(self._numbers) + 1)
