"""I13, I14 and I25: no secret is shown, nobody live is met, and no broker's facts lie with another's."""

import base64
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote

from sessions.control.rehearsal.checker.invariant import Invariant, Scene
from sessions.control.rehearsal.checker.journalled import fields
from sessions.control.rehearsal.lives import Ended
from sessions.journal import Row

SHORTEST: Final = 6  # what is shorter is found in any text
HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class NoSecretShown(Invariant):
    """No credential and no token stands in a log line or a journal row, as it is or thinly veiled."""

    name = "I13"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._secrets: tuple[str, ...] = ()
        self._veiled: dict[str, str] = {}  # what must not be found, and what to call it

    def line(self, line: str) -> None:
        """Looks at a line."""
        self._look(line, "the log")

    def row(self, row: Row) -> None:
        """Looks at a row."""
        self._look(row.entry.body, f"row {row.seq} of the journal, {row.entry.kind},")

    def _look(self, text: str, where: str) -> None:
        secrets = tuple(self.scene.secrets())
        if secrets != self._secrets:
            self._secrets = secrets
            self._veiled = {veiled: name for secret in secrets for veiled, name in _veils(secret)}
        for veiled, name in self._veiled.items():
            if veiled in text:
                self.broken(f"{where} shows a secret {name}")


def _veils(secret: str) -> Iterator[tuple[str, str]]:
    if len(secret) >= SHORTEST:
        yield secret, "as it is"
        yield base64.b64encode(secret.encode()).decode().rstrip("="), "in base64"
        yield quote(secret, safe=""), "in a URL"
        yield secret[::-1], "reversed"


class NobodyLive(Invariant):
    """No connection is tried to anything but this machine, on which the emulators are."""

    name = "I14"

    def life_ended(self, ended: Ended) -> None:
        """Looks at all that was tried."""
        self._look()

    def at_rest(self) -> None:
        """Looks at all that was tried."""
        self._look()

    def _look(self) -> None:
        for host in sorted(set(self.scene.reached) - HERE):
            self.broken(f"a connection to {host} was tried")


class NothingShared(Invariant):
    """Each fact lies in the stream of its own broker and account, and no order in two of them."""

    name = "I25"

    def row(self, row: Row) -> None:
        """Looks at whose facts the row holds."""
        stream = row.entry.stream
        if not stream.startswith("order/"):
            return
        for move in self.scene.told.moves:
            if move.order.stream != stream:
                self.broken(f"row {row.seq} in {stream} is about {move.order.key}, an order in {move.order.stream}")
        said = fields(row.entry.body)
        event = said.get("event")
        fill = said.get("fill") or (event.get("fill") if isinstance(event, dict) else None)
        if fill is not None and stream != f"order/{fill['broker']}/{fill['account']}":
            self.broken(f"row {row.seq} in {stream} holds a fill of {fill['broker']} {fill['account']}")
