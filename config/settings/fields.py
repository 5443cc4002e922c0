"""How a setting is declared: a sentence, a default, and a check whose wording stands in refusals and manual."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs

from config.reading import UnfitValue

Value = Any
if TYPE_CHECKING:
    Field = attrs.Attribute[Any]
else:
    Field = attrs.Attribute  # generic for type checkers only

SENTENCE: Final = "sentence"
CHECK: Final = "check"
RESTART: Final = "restart"
BY_NAME: Final = "by_name"


@attrs.frozen
class Check:
    """What fits a setting: `wording` completes "expected ...", `fits` decides; an unset value always fits."""

    wording: str
    fits: Callable[[Value], bool]

    def __call__(self, _: object, attribute: Field, value: Value) -> None:
        """Refuses what does not fit, as a validator of attrs."""
        if value is not None and not self.fits(value):
            raise UnfitValue(self.wording, plain(value), attribute.name)


@attrs.frozen
class Each:
    """A check of every item of an array, of which there are at least `least` and no two the same."""

    item: Check
    least: int = 0

    @property
    def wording(self) -> str:
        """The words of the item's check with those of the array."""
        return f"an array{' of at least one' if self.least else ''}, each {self.item.wording}"

    def __call__(self, _: object, attribute: Field, value: tuple[Value, ...]) -> None:
        """Refuses the array or the first item that does not fit, as a validator of attrs."""
        if len(value) < self.least:
            raise UnfitValue(self.wording, plain(value), attribute.name)
        for place, item in enumerate(value):
            if not self.item.fits(item):
                raise UnfitValue(self.item.wording, plain(item), attribute.name)
            if item in value[:place]:
                raise UnfitValue("each item once", plain(item), attribute.name)


@attrs.frozen
class Entries:
    """A check of the keys and the values of a table."""

    key: Check
    value: Check

    @property
    def wording(self) -> str:
        """The words of both checks."""
        return f"a table from {self.key.wording} to {self.value.wording}"

    def __call__(self, _: object, attribute: Field, table: Mapping[str, Value]) -> None:
        """Refuses the first key or value that does not fit, as a validator of attrs."""
        for key, value in table.items():
            if not self.key.fits(key):
                raise UnfitValue(self.key.wording, key, attribute.name)
            if not self.value.fits(value):
                raise UnfitValue(self.value.wording, plain(value), f"{attribute.name}.{key}")


def setting(
    sentence: str,
    default: Value = attrs.NOTHING,
    check: Check | Each | Entries | None = None,
    *,
    factory: Callable[[], Value] | None = None,
    restart: bool = False,
    by_name: bool = False,
    converter: Callable[[Value], Value] | None = None,
) -> Any:
    """One field of a settings record.

    `restart` says that a reload cannot change it; `by_name` that a variable can name one entry of the table.
    """
    return attrs.field(
        default=attrs.Factory(factory) if factory is not None else default,
        validator=check,
        converter=converter,
        metadata={SENTENCE: sentence, CHECK: check, RESTART: restart, BY_NAME: by_name},
    )


def plain(value: Value) -> Value:
    """A value as TOML would hold it."""
    if isinstance(value, Decimal):
        return str(value)
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def within(low: int, high: int) -> Check:
    """A number from `low` to `high`."""
    return Check(f"{low} to {high}", lambda value: low <= value <= high)


def matching(pattern: str, wording: str) -> Check:
    """A text that is matched whole by the pattern."""
    compiled = re.compile(pattern)
    return Check(wording, lambda text: compiled.fullmatch(text) is not None)


_MOST = Decimal("1e15")

AMOUNT: Final = Check('a number above "0" and at most "1e15"', lambda value: 0 < value <= _MOST)
NAME: Final = matching(
    r"(?=.{1,40}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*",
    "a name of small letters and digits, such as es-trend: at most 40, words joined by single hyphens",
)
IDENTIFIER: Final = matching(r"[A-Za-z][A-Za-z0-9_]{0,63}", "a name of letters, digits and underscores")
SYMBOL: Final = matching(
    r"[A-Z0-9][A-Z0-9./-]{0,23}", "a symbol of capital letters, digits, dot, slash and hyphen, such as ES or BTC-USD"
)
ACCOUNT: Final = matching(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", "an account id of letters, digits and . _ : -")
LOGIN: Final = matching(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", "a login name of letters, digits and . _ @ + -")
INTERVAL: Final = matching(r"[1-9][0-9]{0,5}[smhdw]", "an interval such as 30s, 1m, 15m, 4h or 1d")
STRATEGY: Final = matching(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", "module:Class, such as ema_cross:EmaCross")
PLACE: Final = Check(
    "a path that begins with / or ~/",
    lambda text: text.startswith(("/", "~/")) and text.isprintable() and len(text) <= 1024,
)
