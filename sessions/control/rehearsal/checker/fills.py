"""I04, I05 and I06: each execution counts once, positions are their sum, and both sides agree in the end."""

from collections.abc import Callable, Iterator
from decimal import Decimal

from sessions.control.rehearsal.checker.invariant import Invariant, Scene
from sessions.control.rehearsal.checker.journalled import ZERO
from sessions.journal import Row


class EachFillOnce(Invariant):
    """Of no order is more booked than the broker ever executed; at rest exactly what counts there, to the value.

    Where the books had to put a position right that no execution explains, and told a person so, positions tell alone.
    """

    name = "I05"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._brokers = {stream: broker for (broker, _), stream in scene.streams.items()}

    def row(self, row: Row) -> None:
        """Looks at the orders that the row books executions of, against what was executed by now."""
        for move in self.scene.told.moves:
            if move.kind in ("order.filled", "order.corrected"):
                for broker_id in move.order.broker_ids[-1:]:
                    self._at_most(move.order.stream, broker_id)

    def _corrected(self, stream: str, symbol: str) -> bool:
        """Whether the position was put right without an execution that tells why: then orders alone do not add up."""
        fills = self.scene.told.fills.get(stream, {}).values()
        return any(one.id.startswith("correction/") and one.symbol == symbol for one in fills)

    def _at_most(self, stream: str, broker_id: str) -> None:
        fills = self.scene.told.fills.get(stream, {}).values()  # what was made up is taken back in rows of its own
        booked = abs(sum((one.signed for one in fills if one.broker_order_id == broker_id and not one.made_up), ZERO))
        true = self.scene.traded.orders.get((self._brokers.get(stream, ""), broker_id))
        if true is not None and booked > true.ever:
            self.broken(f"{booked} is booked of {true.broker}'s order {broker_id}, which executed {true.ever}")

    def apart(self) -> Iterator[str]:
        """Looks at every order that executed anything."""
        scene = self.scene
        for true in scene.traded.orders.values():
            stream = scene.stream(true.broker, true.account)
            if self._corrected(stream, true.symbol):
                continue
            booked = scene.told.by_order.get((stream, true.key), ZERO) * true.sign
            if booked != true.filled:
                yield f"{booked} is booked of {true.broker}'s order {true.key}, {true.filled} counts there"
                continue
            fills = [one for one in scene.told.fills.get(stream, {}).values() if one.broker_order_id == true.key]
            value = sum((one.signed * one.price for one in fills), ZERO) * true.sign
            if abs(value - true.value) > Decimal("1e-9") * abs(true.value):
                yield f"{true.broker}'s order {true.key} is booked at {value} in all, it cost {true.value}"


class PositionsAreSums(Invariant):
    """When all has settled the fills in the journal come to the position that the broker's executions come to."""

    name = "I04"

    def apart(self) -> Iterator[str]:
        """Compares each account."""
        scene = self.scene
        for (broker, account), stream in scene.streams.items():
            ours, true = scene.told.held(stream), scene.traded.held(broker, account)
            if ours != true:
                yield f"{broker} {account}: the journal's fills come to {_shown(ours)}, the broker's {_shown(true)}"


class BothSidesAgree(Invariant):
    """When all has settled the same orders are open on both sides, and none is in doubt."""

    name = "I06"

    def apart(self) -> Iterator[str]:
        """Compares each account."""
        scene = self.scene
        for (broker, account), stream in scene.streams.items():
            ours = {one.broker_ids[-1] if one.broker_ids else one.key for one in scene.told.open_orders(stream)}
            true = scene.traded.open_orders(broker, account)
            if ours != true:
                yield f"{broker} {account}: open in the journal are {sorted(ours)}, there {sorted(true)}"
            for one in scene.told.open_orders(stream):
                if one.uncertain and not one.escalated:
                    yield f"{broker} {account}: order {one.key} is still in doubt, and no person was asked"


def _shown(held: dict[str, Decimal]) -> str:
    return ", ".join(f"{amount} {symbol}" for symbol, amount in sorted(held.items())) or "nothing"
