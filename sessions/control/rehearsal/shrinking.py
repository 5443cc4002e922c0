"""Delta debugging: the fewest parts of a whole that still fail, found in a bounded number of tries."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen
class Shrunk(Generic[T]):
    """What is left, how often it was tried, and whether each part of it is known to be needed."""

    parts: tuple[T, ...]
    tries: int
    minimal: bool


def shrunk(whole: Sequence[T], fails: Callable[[tuple[T, ...]], bool], most: int) -> Shrunk[T]:
    """The parts of a failing whole that are needed for it to fail, after at most so many tries.

    Nothing at all is tried first. Then the whole is cut into two pieces, three, and so on: a piece that fails takes its
    place, else what remains without one, else the cuts get finer, until no single part can be left out.
    """
    search = _Search(fails, most)
    parts, pieces = tuple(whole), 2
    if parts and search.fails(()):
        return Shrunk((), search.tries, minimal=True)
    while len(parts) > 1 and not search.spent:
        found = next((one for one in _smaller(parts, pieces) if search.fails(one)), None)
        if found is not None:
            pieces = 2 if len(found) * 2 <= len(parts) else max(pieces - 1, 2)
            parts = found
        elif pieces >= len(parts):
            break
        else:
            pieces = min(pieces * 2, len(parts))
    return Shrunk(parts, search.tries, minimal=not search.spent)


def _smaller(parts: tuple[T, ...], pieces: int) -> Iterator[tuple[T, ...]]:
    """Each piece alone, and then, where that is something else, all pieces but one."""
    cuts = [len(parts) * place // pieces for place in range(pieces + 1)]
    spans = list(pairwise(cuts))
    yield from (parts[begin:end] for begin, end in spans)
    if pieces > 2:
        yield from (parts[:begin] + parts[end:] for begin, end in spans)


class _Search(Generic[T]):
    """Counts the tries; once they are spent nothing fails any more."""

    def __init__(self, fails: Callable[[tuple[T, ...]], bool], most: int) -> None:
        self.tries = 0
        self.spent = False
        self._fails = fails
        self._most = most
        self._known: dict[tuple[T, ...], bool] = {}

    def fails(self, parts: tuple[T, ...]) -> bool:
        """Whether these fail; what was tried before is not tried again."""
        if parts not in self._known:
            if self.tries >= self._most:
                self.spent = True
                return False
            self.tries += 1
            self._known[parts] = self._fails(parts)
        return self._known[parts]
