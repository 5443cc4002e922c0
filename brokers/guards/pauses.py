"""Times during which a broker wants to hear nothing from us, of a whole host or of one category of calls."""

from collections.abc import Iterable, Mapping

import attrs

HOST = ""  # the category that means all of them


@attrs.frozen
class Held:
    """One pause: what it stops, until when, and why."""

    category: str
    until_ns: int
    reason: str


class Pauses:
    """All pauses of one host; a later end replaces an earlier one, never the other way round."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}

    def hold(self, held: Held) -> bool:
        """Begins or extends a pause; False when one that lasts as long is there already."""
        present = self._held.get(held.category)
        if present is not None and present.until_ns >= held.until_ns:
            return False
        self._held[held.category] = held
        return True

    def over(self, category: str, now_ns: int) -> Held | None:
        """The pause that stops calls of this category the longest; None when none does."""
        if not self._held:
            return None
        candidates = [self._held[key] for key in (category, HOST) if key in self._held]
        longest = max(candidates, key=lambda held: held.until_ns, default=None)
        return longest if longest is not None and longest.until_ns > now_ns else None

    def held(self, now_ns: int) -> tuple[Held, ...]:
        """All pauses that are not over."""
        return tuple(held for held in self._held.values() if held.until_ns > now_ns)

    def snapshot(self) -> list[dict[str, str | int]]:
        """All pauses as plain data, for storage over a restart."""
        return [attrs.asdict(held) for held in self._held.values()]

    def restore(self, stored: Iterable[Mapping[str, object]], latest_ns: int) -> None:
        """Takes up stored pauses, none beyond `latest_ns`; raises ValueError, and takes up none, if one is damaged."""
        for held in [_held_of(record) for record in stored]:
            self.hold(attrs.evolve(held, until_ns=min(held.until_ns, latest_ns)))


def _held_of(record: Mapping[str, object]) -> Held:
    """A pause from plain data; raises ValueError when the data is none."""
    match record:
        case {"category": str(category), "until_ns": int(until_ns), "reason": str(reason)}:
            return Held(category, until_ns, reason)
        case _:
            raise ValueError(
                f"a stored pause needs the text category, the integer until_ns and the text reason, "
                f"got {dict(record)!r}; nothing was restored from it"
            )
