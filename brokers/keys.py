"""Client order keys: 128 bits with the owner's epoch in front, rendered to what a broker's key field takes.

A key is made before its order is journalled, from the epoch and chance alone, never from time. Its bits are
those of a version 4 UUID, so that every rendering of it, the UUID included, passes a broker's checks:

    24 epoch | 24 random | 0100 | 12 random | 10 | 62 random
"""

import functools
import itertools
import random
import string
from typing import Final

import attrs

EPOCH_BITS: Final = 24
_EPOCH_SHIFT = 128 - EPOCH_BITS
_FIXED_MASK = 0xF << 76 | 0x3 << 62
_FIXED_BITS = 0x4 << 76 | 0x2 << 62
_DIGIT = "#"


class InvalidKey(ValueError):
    """A text or number that is no key of ours; `value` came, `expected` says what a key looks like."""

    def __init__(self, value: object, expected: str) -> None:
        super().__init__(f"{value!r} is not a client order key; expected {expected}; its order is not ours")
        self.value = value
        self.expected = expected


@functools.cache
def _pairs(digits: str) -> tuple[str, ...]:
    """All numbers of two digits, in order: every order needs a key, and half of its divisions are enough."""
    return tuple(map("".join, itertools.product(digits, repeat=2)))


@attrs.frozen
class KeyForm:
    """How a key is written: a mask whose `#` are digits, most significant first, out of `digits`."""

    digits: str
    mask: str

    @property
    def length(self) -> int:
        """How many characters a key of this form has, always."""
        return len(self.mask)

    @property
    def characters(self) -> frozenset[str]:
        """Every character that can occur in a key of this form."""
        return frozenset(self.digits) | frozenset(self.mask.replace(_DIGIT, ""))

    def write(self, number: int) -> str:
        """The number's digits laid into the mask, leading zeros included."""
        pairs, laid, wanted = _pairs(self.digits), [], self.mask.count(_DIGIT)
        base = len(pairs)
        for _ in range((wanted + 1) // 2):
            number, pair = divmod(number, base)
            laid.append(pairs[pair])
        laid.reverse()
        text = "".join(laid)[-wanted:]
        if wanted == len(self.mask):
            return text
        digits = iter(text)
        return "".join(next(digits) if place == _DIGIT else place for place in self.mask)

    def read(self, text: str) -> int:
        """The number behind a text of this form; raises InvalidKey."""
        if len(text) != len(self.mask):
            raise InvalidKey(text, f"{len(self.mask)} characters like {self.mask}")
        number = 0
        for place, character in zip(self.mask, text, strict=True):
            if place == _DIGIT:
                digit = self.digits.find(character)
                if digit < 0:
                    raise InvalidKey(text, f"digits out of {self.digits}")
                number = number * len(self.digits) + digit
            elif place != character:
                raise InvalidKey(text, f"characters like {self.mask}")
        return number


_BASE36 = string.digits + string.ascii_lowercase

BASE62 = KeyForm(string.digits + string.ascii_uppercase + string.ascii_lowercase, "#" * 22)
HEX = KeyForm(string.digits + "abcdef", "#" * 32)
UUID = KeyForm(string.digits + "abcdef", "########-####-####-####-############")
TAGGED = KeyForm(_BASE36, "pitboss-" + "#" * 28)  # tells whose it is, and survives a change of case


def _well_formed(_key: object, _field: object, number: int) -> None:
    if not 0 <= number < 1 << 128:
        raise InvalidKey(number, "a number of 128 bits")
    if number & _FIXED_MASK != _FIXED_BITS:
        raise InvalidKey(number, "the version and variant bits of a version 4 UUID")


@attrs.frozen
class Key:
    """One client order key; its text in `Order.key` is the BASE62 form."""

    number: int = attrs.field(validator=_well_formed)

    @classmethod
    def parse(cls, text: str, form: KeyForm = BASE62) -> "Key":
        """Reads a key back from any form; raises InvalidKey for what was not written by us."""
        return cls(form.read(text))

    @property
    def epoch(self) -> int:
        """The owner epoch under which the key was made; a late owner is fenced out by it."""
        return self.number >> _EPOCH_SHIFT

    def render(self, form: KeyForm) -> str:
        """The key as a broker's field takes it."""
        return form.write(self.number)

    def __str__(self) -> str:
        return BASE62.write(self.number)


def new_key(epoch: int, chance: random.Random) -> Key:
    """A fresh key of this owner epoch; raises InvalidKey when the epoch does not fit its 24 bits."""
    if not 0 <= epoch < 1 << EPOCH_BITS:
        raise InvalidKey(epoch, f"an owner epoch from 0 to {(1 << EPOCH_BITS) - 1}")
    number = epoch << _EPOCH_SHIFT | chance.getrandbits(_EPOCH_SHIFT)
    return Key(number & ~_FIXED_MASK | _FIXED_BITS)
