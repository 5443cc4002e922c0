"""Text for a terminal as a value: a line is made of spans, each with a tone; what is shown cannot steer a terminal."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

Tone: TypeAlias = Literal["", "good", "warn", "bad", "dim", "strong", "alarm"]


class Span(NamedTuple):
    """Some text and how it is meant."""

    text: str
    tone: Tone = ""


class Column(NamedTuple):
    """One column of a table; numbers stand at the right. These, and what is typed again later, are never cut."""

    title: str
    right: bool = False
    whole: bool = False


Cell: TypeAlias = str | tuple[str, Tone]  # a Span, or what makes one
Line: TypeAlias = tuple[Span, ...]

BLANK: Final[Line] = ()
_GAP: Final = "  "
_NARROWEST: Final = 4
_CODES: Final[dict[Tone, str]] = {
    "good": "32",
    "warn": "33",
    "bad": "1;31",
    "dim": "2",
    "strong": "1",
    "alarm": "1;97;41",
}


def line(*cells: Cell) -> Line:
    """The cells side by side."""
    return tuple(map(_span, cells))


def plain(shown: Line) -> str:
    """The line as text."""
    return "".join(printable(span.text) for span in shown).rstrip()


def coloured(shown: Line) -> str:
    """The line with the codes that terminals take for colours."""
    return "".join(map(_coded, shown))


def printable(text: str) -> str:
    """The text with everything that is no character to look at as an escape."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def clipped(text: str, width: int) -> str:
    """The text, cut where it is wider than this."""
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"


def table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], width: int | None = None) -> list[Line]:
    """A heading and the rows in columns; with a width the widest ones give way, and those without content go."""
    spans = [[_safe(_span(cell)) for cell in row] for row in rows]
    if width is not None and spans:
        shown = [place for place, _ in enumerate(columns) if any(row[place].text for row in spans)]
        columns, spans = [columns[place] for place in shown], [[row[place] for place in shown] for row in spans]
    wanted = [
        max(len(column.title), *(len(row[place].text) for row in spans), 0) for place, column in enumerate(columns)
    ]
    widths = wanted if width is None else _fitted(columns, wanted, width)
    heading = [Span(column.title, "dim") for column in columns]
    return [_row(row, columns, widths) for row in (heading, *spans)]


def _fitted(columns: Sequence[Column], wanted: Sequence[int], width: int) -> list[int]:
    widths, room = list(wanted), width - len(_GAP) * (len(wanted) - 1)
    giving = [place for place, column in enumerate(columns) if not (column.whole or column.right)]
    while giving and sum(widths) > room:
        widest = max(giving, key=widths.__getitem__)
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return widths


def _row(row: Sequence[Span], columns: Sequence[Column], widths: Sequence[int]) -> Line:
    spans: list[Span] = []
    for span, column, width in zip(row, columns, widths, strict=True):
        text = clipped(span.text, width)
        spans += [Span(text.rjust(width) if column.right else text.ljust(width), span.tone), Span(_GAP)]
    return tuple(spans[:-1])


def _span(cell: Cell) -> Span:
    return Span(cell) if isinstance(cell, str) else Span(*cell)


def _safe(span: Span) -> Span:
    return Span(printable(span.text), span.tone)


def _coded(span: Span) -> str:
    text = printable(span.text)
    return f"\x1b[{_CODES[span.tone]}m{text}\x1b[0m" if span.tone else text


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
