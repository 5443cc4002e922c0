"""What takes a while in a daemon and how far it is, for whoever waits for it: by the id of the command that asked for
it, and for the history that a session loads by `history_of` that session.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from sessions.trader.history import HistoryNews


@attrs.frozen
class Progress:
    """How far something is; without a total nobody knows how much there is to do."""

    what: str
    done: int
    total: int | None


def history_of(session: str) -> str:
    """The key of the history that a session loads."""
    return f"history of {session}"


class Works:
    """Everything that is under way; a thread may advance what it works on."""

    def __init__(self) -> None:
        self._under_way: dict[str, Progress] = {}

    def of(self, key: str) -> Progress | None:
        """How far it is; None for what is over, or takes no while."""
        return self._under_way.get(key)

    @contextmanager
    def begin(self, key: str, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Under way for the length of the block; the function is told how much more is done."""
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self._under_way[key] = Progress(what, done, total)

        advance(0)
        try:
            yield advance
        finally:
            del self._under_way[key]

    def hear(self, news: Any) -> None:
        """Takes in how far a session's history is."""
        assert isinstance(news, HistoryNews)  # noqa: S101 - nothing else is told under its topic
        key = history_of(news.session)
        if news.done < news.total:
            self._under_way[key] = Progress(f"{news.session} loads its history", news.done, news.total)
        else:
            self._under_way.pop(key, None)
