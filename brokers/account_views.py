"""Which accounts have moved, and which of them are being asked about: one question an account at a time.

However much moves, no more waits for a broker's quota than one view of each account, and the last one is asked for
after the last move.
"""


class AccountViews:
    """A plain object; its owner has `due` called a moment after `note` or `told` said so, and asks."""

    def __init__(self) -> None:
        self._moved: set[str] = set()
        self._asking: set[str] = set()
        self._soon = False

    def note(self, accounts: set[str]) -> bool:
        """Notes accounts that moved; whether `due` has to be called a moment from now."""
        self._moved |= accounts
        if self._soon or self._moved <= self._asking:
            return False
        self._soon = True
        return True

    def due(self) -> list[str]:
        """The accounts to ask about now; those that are being asked about have their turn afterwards."""
        self._soon = False
        now = sorted(self._moved - self._asking)
        self._moved -= set(now)
        self._asking |= set(now)
        return now

    def told(self, account: str) -> bool:
        """The question about an account has ended; whether `due` has to be called a moment from now."""
        self._asking.discard(account)
        return self.note(set())
