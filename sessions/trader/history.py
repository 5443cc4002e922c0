"""How far the history is that a session loads, told under a topic for whoever shows it."""

from typing import Final

import attrs

HISTORY: Final = ("history",)  # the topic


@attrs.frozen
class HistoryNews:
    """Bars that were asked for, by the clock, and those of them that were answered; both the same at the end."""

    session: str
    done: int
    total: int
