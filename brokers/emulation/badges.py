"""Access tokens by number: the log can tell which one was handed out and which one was used, and shows none."""

import json
from collections.abc import Mapping
from typing import Final

_FIELDS: Final = ("access_token", "accessToken")  # where brokers put it


class Badges:
    """Numbers for tokens, in the order in which they were first seen."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

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
        token = next((said[name] for name in _FIELDS if name in said), None) if isinstance(said, dict) else None
        return self._number(token) if isinstance(token, str) else None

    def _number(self, token: str) -> int:
        return self._numbers.setdefault(token, len(self._numbers) + 1)
