"""A secret string that shows itself only to those who ask by name."""

import hmac
from typing import Final, SupportsIndex, final

MASK: Final = "***"


@final
class Secret:
    """Wraps a secret: every way to print, format, pickle or dump it gives `***`, only `reveal()` gives the value.

    Equality takes the same time wherever the difference lies. Copies are the object itself. What comes out of a
    pickle is the plain text `***`, so a secret that went through one fails loudly where it is used.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the wire and the vault only."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(Secret)  # a hash of the value would be a fingerprint of it

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> "Secret":
        return self

    def __getstate__(self) -> object:
        return MASK

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[type[str], tuple[str]]:
        return str, (MASK,)
