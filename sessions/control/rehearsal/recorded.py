"""A recorded market for a rehearsal: the part of a file that is played, checked against what the sessions follow."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Final

import attrs

from brokers.catalogue import Catalogue
from brokers.market import MarketEvent, Quote
from brokers.paper import traded
from brokers.replay import Replay
from config.settings import Settings
from sessions.control.rehearsal.cast import symbols_at
from sessions.control.rehearsal.refusal import NotRehearsable

_SECOND_NS: Final = 1_000_000_000


@lru_cache(maxsize=4)
def recorded(path: Path, seconds: float) -> tuple[MarketEvent, ...]:
    """The first so many seconds of a file; a root in it stands for the contract that was then in front.

    Raises what reading it does: ReplayError, MissingExtraError, OSError.
    """
    events = iter(Replay(path))
    first = next(events, None)
    if first is None:
        return ()
    end = first.time_ns + int(seconds * _SECOND_NS)
    return tuple(_contracts((first, *takewhile(lambda event: event.time_ns <= end, events)), Catalogue.shipped()))


def _contracts(events: Sequence[MarketEvent], catalogue: Catalogue) -> Iterator[MarketEvent]:
    names = dict.fromkeys(event.symbol for event in events)
    contracts = dict(zip(names, traded(catalogue, names, events[0].time_ns), strict=True))
    for event in events:
        contract = contracts[event.symbol]
        yield event if contract == event.symbol else attrs.evolve(event, symbol=contract)


def lasts(events: Sequence[MarketEvent]) -> float:
    """The seconds from its first event to its last."""
    return (events[-1].time_ns - events[0].time_ns) / _SECOND_NS if events else 0.0


def check(file: str, events: Sequence[MarketEvent], settings: Settings) -> None:
    """Refuses a recording without quotes for each symbol that a session follows; raises NotRehearsable."""
    if not events:
        raise NotRehearsable(f"{file}: expected recorded quotes, got an empty file; nothing was rehearsed")
    quoted = dict.fromkeys(event.symbol for event in events if isinstance(event, Quote))
    catalogue = Catalogue.shipped()
    for name in settings.brokers:
        for symbol in symbols_at(settings, name, catalogue, events[0].time_ns):
            if symbol not in quoted:
                found = f"those of {', '.join(quoted)}" if quoted else "none"
                raise NotRehearsable(
                    f"{file}: expected quotes of {symbol}, which a session follows at {name}, got {found}; nothing was "
                    "rehearsed; record quotes of it, or rehearse the sessions that follow what is in the file"
                )
