"""On which line of a TOML text each table and each key stands, those of inline tables included."""

import json
import re

Path = tuple[str, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}' r"|'''(?:[^']|'(?!''))*'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'", re.DOTALL
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[^,\]}#\n]*")


def lines_of(text: str) -> dict[Path, int]:
    """The line of the first mention of every path in a text that is known to be TOML.

    The tables of an array are numbered; the values of an array have no lines of their own.
    """
    return _Scanner(text).lines


class _Scanner:
    """One walk over a text that the TOML parser has accepted."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._line = 1
        self._counts: dict[Path, int] = {}  # of the items in each array of tables
        self._document()

    def _document(self) -> None:
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Path:
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        named = self._key(())
        self._at += brackets
        if brackets == 2:
            self._counts[named] = self._counts.get(named, -1) + 1
        table = self._numbered(named)
        self.lines.setdefault(table, self._line)
        return table

    def _numbered(self, named: Path) -> Path:
        """A table's path with the number of the latest item of each array of tables in it."""
        path: Path = ()
        for size, name in enumerate(named, start=1):
            path += (name,)
            if named[:size] in self._counts:
                path += (str(self._counts[named[:size]]),)
        return path

    def _pair(self, table: Path) -> None:
        path = self._key(table)
        self._at += 1  # the equals sign
        self._value(path)

    def _key(self, table: Path) -> Path:
        """Reads a dotted key and what follows up to its end, and notes each path on the way."""
        path = table
        while True:
            self._skip(_BLANK)
            path += (self._part(),)
            self.lines.setdefault(path, self._line)
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return path
            self._at += 1

    def _part(self) -> str:
        quote = self._text[self._at]
        if quote in "\"'":
            word = self._skip(_STRING)
            return _unescaped(word) if quote == '"' else word[1:-1]
        return self._skip(_BARE)

    def _value(self, path: Path | None) -> None:
        """Skips one value; keys of inline tables are noted below `path`, which is None inside an array."""
        self._skip(_BLANK)
        opening = self._text[self._at]
        if opening in "\"'":
            self._skip(_STRING)
        elif opening == "[":
            self._items(None, "]")
        elif opening == "{":
            self._items(path, "}")
        else:
            self._skip(_PLAIN)

    def _items(self, path: Path | None, closing: str) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._text[self._at] != closing:
            if closing == "]":
                self._value(None)
            elif path is None:
                self._unnoted_pair()
            else:
                self._pair(path)
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _unnoted_pair(self) -> None:
        noted = self.lines
        self.lines = {}
        self._pair(())
        self.lines = noted

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        word = found[0] if found else ""
        self._at += len(word)
        self._line += word.count("\n")
        return word


def _unescaped(word: str) -> str:
    """A basic string without its quotes; JSON knows all of its escapes but the long one."""
    short = re.sub(r"((?:\\\\)*)\\U([0-9a-fA-F]{8})", lambda long: long[1] + chr(int(long[2], 16)), word)
    return str(json.loads(short, strict=False))
