"""The manual of all settings, made from the schema that reads them."""

import typing
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import attrs

from config.lines import Path
from config.settings.environment import variable_of
from config.settings.fields import CHECK, Field, plain
from config.settings.schema import (
    Settings,
    fields,
    is_table,
    named_record_of,
    needs_restart,
    record_of,
    sentence,
    value_type,
)
from config.settings.writing import toml

_HEAD: Final = """\
# Configuration

The daemon reads TOML. Without any file it starts with a paper broker on a synthetic market and no session.

```toml
[brokers.paper]
kind = "paper"
accounts = ["paper-1"]

[sessions.es-trend]
broker = "paper"
account = "paper-1"
symbols = ["ES"]
strategy = "ema_cross:EmaCross"
params = { fast = 9, slow = 21 }

[sessions.es-trend.risk]
max_position = "2"
```

## Which value counts

1. The default of the key.
2. Each file, from left to right. Tables are merged key by key; any other value, arrays too, replaces the one before.
3. Environment variables.

`pitboss config show` prints the result with the origin of each key. `pitboss config check` prints every problem: file,
line, key, what was expected and what came. One problem is enough, and nothing is loaded.

## Environment variables

`PITBOSS__` and the key in capitals, two underscores between its steps; the hyphen in the name of a broker or session
becomes one underscore:

| variable | value | sets |
|---|---|---|
@VARIABLES@

Text is taken as it is, arrays of text may be separated by commas, anything else is written as in TOML. One entry of
`params` or `hosts` is set by its name in small letters; other tables are given as a whole.

## Rules

* The file belongs to you or root, and nobody else may read or change it (`chmod 600`). The folder around it must not
  be open to changes by others. A link is followed if it is yours or root's and leads to such a file.
* No secrets. Keys named like one and values that look like one are refused, also in variables; `pitboss keys set`
  keeps them encrypted.
* Names of brokers and sessions are small letters and digits joined by single hyphens. `same` and `none` are no names
  for brokers.
* Exact numbers are written in quotes: `"0.25"`. Whole ones need none.
* `environment = "live"` and the accounts of a live broker are stated in a file, never in a variable. Even then no
  order moves real money before a person arms the account with `pitboss arm`.
* A reload applies what changed. Keys marked *restart* wait for the next start of the daemon.
"""

_EXAMPLES: Final = (
    (("daemon", "log_level"), "debug"),
    (("sessions", "es-trend", "symbols"), "ES,NQ"),
    (("sessions", "es-trend", "autostart"), "false"),
    (("sessions", "es-trend", "params", "fast"), "12"),
    (("sessions", "es-trend", "risk", "max_position"), "3"),
    (("sessions", "es-trend", "risk", "max_position_of"), '{ES = "1"}'),
)


def manual() -> str:
    """The page about configuration, in Markdown."""
    rows = "\n".join(f"| `{variable_of(path)}` | `{value}` | `{'.'.join(path)}` |" for path, value in _EXAMPLES)
    return _HEAD.replace("@VARIABLES@", rows) + "".join(f"{line}\n" for line in _tables(Settings, ()))


def _tables(record: type[Any], path: Path) -> Iterator[str]:
    """A section for the record, where it has keys of its own, and for each record within."""
    known = fields(record)
    keys = [field for field in known.values() if record_of(field) is None and named_record_of(field) is None]
    if keys:
        yield from ("", f"## `[{'.'.join(path)}]`", "", _introduction(record), "")
        yield from ("| key | value | default | meaning |", "|---|---|---|---|")
        yield from map(_row, keys)
    for key, field in known.items():
        named = named_record_of(field)
        inner = named or record_of(field)
        if inner is not None:
            yield from _tables(inner, (*path, key, "NAME") if named else (*path, key))


def _introduction(record: type[Any]) -> str:
    return (record.__doc__ or "").strip()


def _row(field: Field) -> str:
    meaning = sentence(field) + (" *restart*" if needs_restart(field) else "")
    return f"| `{field.name}` | {_cell(_value(field))} | {_cell(_default(field))} | {_cell(meaning)} |"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _value(field: Field) -> str:
    """The type of a key and its limits, in words."""
    kind = value_type(field)
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f"`{word}`" for word in typing.get_args(kind))
    check = field.metadata[CHECK]
    return _NAMES.get(kind, "") + (check.wording if check is not None else "")


_NAMES: Final[dict[Any, str]] = {int: "integer, ", bool: "`true` or `false`", str: "", Decimal: ""}


def _default(field: Field) -> str:
    default: Any = field.default
    if getattr(default, "takes_self", False):
        return "by its neighbours"
    if hasattr(default, "factory"):
        default = default.factory()
    if default is attrs.NOTHING:
        return "must be stated"
    if default is None:
        return "not set"
    return "none" if is_table(field) and not default else f"`{toml(plain(default))}`"
