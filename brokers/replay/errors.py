"""What can be wrong with recorded data, by file, line or row, and column."""


class ReplayError(Exception):
    """Recorded data that cannot be read as it stands.

    `place` is the line of a CSV file or the row of a Parquet file, both counted from 1; None means the file as a whole.
    """

    def __init__(
        self, file: str, place: str | None, column: str | None, expected: str, got: str, advice: str = ""
    ) -> None:
        self.file = file
        self.place = place
        self.column = column
        self.expected = expected
        self.got = got
        where = ", ".join(part for part in (file, place, column and f"column {column!r}") if part)
        super().__init__(f"{where}: expected {expected}, got {got}; {advice or 'replay stopped there'}")


class MissingExtraError(ImportError):
    """A format whose library is not installed; `extra` is the part of pitboss that brings it."""

    def __init__(self, file: str, extra: str) -> None:
        self.file = file
        self.extra = extra
        super().__init__(
            f"{file} was not opened: its format needs an extra; install it with pip install 'pitboss[{extra}]'"
        )


class BadValueError(ValueError):
    """A cell that does not hold what its column should; a ReplayError tells where."""

    def __init__(self, expected: str, got: object) -> None:
        self.expected = expected
        self.got = "an empty cell" if got is None or got == "" else shortened(got)
        super().__init__(f"expected {expected}, got {self.got}")


class BadCellError(BadValueError):
    """A bad value with its column; `column` is as the file's header has it."""

    def __init__(self, column: str | None, expected: str, got: object) -> None:
        self.column = column
        super().__init__(expected, got)


def shortened(value: object) -> str:
    """A value for a message, at most sixty characters of it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
