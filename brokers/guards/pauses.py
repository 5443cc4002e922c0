"""Times during which a broker wants to hear nothing from us, of a whole host or of one category of calls."""

import attrs

HOST = ""  # the category that means all of them
COMMANDS = "commands"  # what places and changes orders, where a room tells it apart
CANCELS = "cancels"


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
