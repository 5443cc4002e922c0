"""All settings as one TOML file: merged, redacted, each key with where its value comes from."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from config.lines import Path
from config.settings.layers import Origin
from config.settings.loading import Loaded
from config.settings.schema import fields, is_table, named_record_of, record_of
from config.settings.secrets import is_secret_name, is_secret_value
from config.settings.writing import escaped, header, toml, toml_key

MASK = "***"


def show(loaded: Loaded, redact: Callable[[str], str] = str) -> str:
    """The settings as TOML that loads to the same settings.

    What looks like a secret is masked though loading refuses it; `redact` may mask more, in each line.
    """
    lines = _lines(loaded.settings, (), loaded)
    return "".join(f"{redact(line)}\n" for line in lines).lstrip("\n")


def _lines(record: Any, path: Path, loaded: Loaded) -> Iterator[str]:
    known = fields(type(record))
    if path:
        yield from ("", header(path))
    for key, field in known.items():
        if not is_table(field) and record_of(field) is None:
            yield _line((*path, key), getattr(record, key), loaded)
    for key, field in known.items():
        value = getattr(record, key)
        if value is None:
            continue
        if record_of(field) is not None:
            yield from _lines(value, (*path, key), loaded)
        elif named_record_of(field) is not None:
            for name, inner in value.items():
                yield from _lines(inner, (*path, key, name), loaded)
        elif is_table(field) and value:
            yield from _entries(value, (*path, key), loaded)


def _entries(table: Mapping[str, Any], path: Path, loaded: Loaded) -> Iterator[str]:
    yield from ("", header(path))
    for key, value in table.items():
        secret = is_secret_name(key)
        yield _line((*path, key), MASK if secret else value, loaded)


def _line(path: Path, value: Any, loaded: Loaded) -> str:
    if value is None:
        return f"# {toml_key(path[-1])} is not set"
    identifier = path[-1] in ("account", "accounts")
    shown = MASK if is_secret_value(value, identifier=identifier) else value
    return f"{toml_key(path[-1])} = {toml(shown)}  # {_words(loaded.origin(path))}"


def _words(origin: Origin) -> str:
    return escaped(str(origin))
