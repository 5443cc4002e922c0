"""What attrs compiles, kept between runs as Python keeps byte code: it is a third of what a start costs.

attrs writes `__init__`, `__eq__` and the like of every class as text and compiles it, at each start again. Inside the
block it is handed what the same text came to before; one that was never seen is compiled as ever. The file lies beside
the byte code and under its rules: another Python has another one, nothing is written where Python may not write, and
whoever could change it could change the byte code as well.
"""

import contextlib
import importlib
import importlib.util
import marshal
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Final

_WRITERS: Final = ("attr._make", "runtime.quick")  # the modules that compile what they wrote
_SALT: Final = re.compile(r"^ +-?\d+,$", re.MULTILINE)  # attrs mixes a number into hashes, another one in each run
_MAGIC: Final = importlib.util.MAGIC_NUMBER
_UNREADABLE: Final = (OSError, EOFError, ValueError, TypeError)

_Texts = dict[tuple[str, str], CodeType]  # by name and text, without the number that differs and does not matter


class KeptCode:
    """Compiled texts as a file has them."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _read(file)
        self._asked: _Texts = {}

    def compile(self, source: str, filename: str, mode: str) -> CodeType:
        """As the builtin of this name; raises SyntaxError."""
        key = (filename, _SALT.sub("", source))
        code = self._known.get(key)
        if code is None:
            code = compile(source, filename, mode)
        self._asked[key] = code
        return code

    def save(self) -> None:
        """Keeps what was asked for this time and nothing else; a place that takes no files is left as it is."""
        if self._asked.keys() == self._known.keys():
            return
        fresh = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            fresh.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(_MAGIC + marshal.dumps(self._asked))
            fresh.replace(self._file)


@contextlib.contextmanager
def code_kept(file: Path | None = None) -> Iterator[KeptCode]:
    """For classes that this thread makes in the block; nobody else may make one meanwhile."""
    kept = KeptCode(_beside_byte_code() if file is None else file)
    try:
        for name in _WRITERS:
            vars(importlib.import_module(name))["compile"] = kept.compile
        yield kept
    finally:
        for name in _WRITERS:
            vars(sys.modules[name]).pop("compile", None)
    if not sys.dont_write_bytecode:
        kept.save()


def _beside_byte_code() -> Path:
    return Path(importlib.util.cache_from_source(__file__)).with_suffix(".attrs")


def _read(file: Path) -> _Texts:
    try:
        data = file.read_bytes()
        return marshal.loads(data[len(_MAGIC) :]) if data.startswith(_MAGIC) else {}  # noqa: S302 - as byte code
    except _UNREADABLE:
        return {}
