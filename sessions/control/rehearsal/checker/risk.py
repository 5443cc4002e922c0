"""I16, I17 and I19: who may only cancel adds no risk, a pulled switch stops everything, limits hold at the broker."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

import attrs
import msgspec

from sessions.control.daemon.news_log import RUNG, SWITCH
from sessions.control.rehearsal.checker.invariant import Invariant, Scene
from sessions.control.rehearsal.checker.journalled import ZERO, ToldOrder, fields
from sessions.control.rehearsal.lives import Ended
from sessions.journal import Row

GRACE_NS: Final = 100_000_000  # what is on its way when the word comes
TOLD_NS: Final = 300_000_000  # by then the log tells of a climb: the desk looks four times a second
FULL: Final = "FULL"
ONLY_CANCELS: Final = frozenset({"CANCEL_ONLY", "HALTED"})


@attrs.frozen
class Leaving:
    """A request to place an order at the moment before its first byte leaves."""

    order: ToldOrder
    adds: bool
    monotonic_ns: int


class Placing(Invariant):
    """What leaves to place orders, by the raw records in the journal, and whether it adds to its session's position."""

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._adds: dict[str, bool] = {}

    def leaving(self, row: Row) -> Iterator[Leaving]:
        """The order that leaves by the record of this row, if one does."""
        told, entry = self.scene.told, row.entry
        if entry.kind in ("books.intended", "books.intended_group"):
            said = fields(entry.body)
            order = told.orders[
                (said["request"].get("parent") or said["request"].get("children", [said["request"]])[0])["key"]
            ]
            held = told.shares.get((order.stream, order.session, order.symbol), ZERO)
            self._adds[order.key] = held * order.sign >= 0 or order.quantity > abs(held)
        elif entry.kind == "raw" and entry.key in self._adds:
            said = fields(entry.body)
            order = told.orders[entry.key]
            if (said["kind"], said["method"]) == ("request", "POST") and not order.broker_ids:
                yield Leaving(order, self._adds[entry.key], entry.monotonic_ns)


class NoRiskBelowFull(Placing):
    """A session below the highest rung sends nothing that adds to its position."""

    name = "I16"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._rungs: dict[str, list[tuple[int, str]]] = {}  # by session: since when it stands where
        self._left: list[Leaving] = []

    def line(self, line: str) -> None:
        """Notes where sessions stand."""
        if f'"event": "{RUNG}"' in line or f'"event":"{RUNG}"' in line:
            said = msgspec.json.decode(line)
            rungs = self._rungs.setdefault(said["session"], [])
            rungs.append((self.scene.world.clock.monotonic_ns(), said["rung"]))

    def row(self, row: Row) -> None:
        """Takes in what leaves; it is judged a little later, for the log tells of a climb with the next look only."""
        self._left += [leaving for leaving in self.leaving(row) if leaving.adds]
        self._judge(self.scene.world.clock.monotonic_ns() - TOLD_NS)

    def life_ended(self, ended: Ended) -> None:
        """Nothing more is told."""
        self._judge(self.scene.world.clock.monotonic_ns())

    def _judge(self, until_ns: int) -> None:
        while self._left and self._left[0].monotonic_ns < until_ns:
            leaving = self._left.pop(0)
            at_ns, session = leaving.monotonic_ns, leaving.order.session or ""
            stood = self._stood(session, at_ns - GRACE_NS, at_ns + TOLD_NS)
            if stood and FULL not in stood:
                self.broken(f"order {leaving.order.key} adds risk, and {session} stood on {stood[0]}")

    def _stood(self, session: str, from_ns: int, until_ns: int) -> list[str]:
        """All rungs of a session in a span of time, the one that it came with first."""
        found: list[str] = []
        for since_ns, rung in self._rungs.get(session, ()):
            if since_ns <= from_ns:
                found = [rung]
            elif since_ns <= until_ns:
                found.append(rung)
        return found


class KillSwitchStops(Placing):
    """A tenth of a second after the switch is pulled to a halt nothing more leaves, until it is released."""

    name = "I17"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._halted_ns: int | None = None
        self._released_ns = 0

    def line(self, line: str) -> None:
        """Notes when it is pulled and released."""
        if f'"event": "{SWITCH}"' in line or f'"event":"{SWITCH}"' in line:
            mode = msgspec.json.decode(line)["mode"]
            now_ns = self.scene.world.clock.monotonic_ns()
            if mode == "halt" and self._halted_ns is None:
                self._halted_ns = now_ns
            elif mode == "released":
                self._halted_ns = None

    def row(self, row: Row) -> None:
        """Looks at what leaves."""
        for leaving in self.leaving(row):
            if self._halted_ns is not None and leaving.monotonic_ns > self._halted_ns + GRACE_NS and leaving.adds:
                self.broken(f"order {leaving.order.key} left, and the kill switch was pulled")


class LimitsOfRisk(Invariant):
    """No session adds an order beyond its limit of size, and none comes to hold more than its limit of position."""

    name = "I19"

    def row(self, row: Row) -> None:
        """Looks at intents and executions."""
        match row.entry.kind:
            case "books.intended":
                self._intended(fields(row.entry.body))
            case "order.filled":
                self._filled(row.entry.stream, fields(row.entry.body)["key"])

    def _intended(self, said: dict[str, Any]) -> None:
        settings = self.scene.settings.sessions.get(said["session"] or "")
        limit = None if settings is None else settings.risk.max_order_quantity
        order = self.scene.told.orders[said["request"]["key"]]
        held = self.scene.told.shares.get((order.stream, order.session, order.symbol), ZERO)
        adds = held * order.sign >= 0 or order.quantity > abs(held)
        if limit is not None and adds and order.quantity > limit:
            self.broken(f"{order.session} was let send {order.quantity}, its limit is {limit}")

    def _filled(self, stream: str, key: str) -> None:
        order = self.scene.told.orders.get(key)
        settings = None if order is None else self.scene.settings.sessions.get(order.session or "")
        limit = None if settings is None else settings.risk.max_position
        if order is None or limit is None:
            return
        held = self.scene.told.shares.get((stream, order.session, order.symbol), ZERO)
        if abs(held) > limit and Decimal(order.sign) * held > 0:
            self.broken(f"{order.session} came to hold {held} {order.symbol}, its limit is {limit}")
