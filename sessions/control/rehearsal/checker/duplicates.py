"""I01 and I02: no order twice, and nothing sent that was not on disk before."""

from collections import Counter
from collections.abc import Callable

from brokers.emulation import log
from brokers.emulation.log import Entry
from sessions.control.rehearsal.checker.invariant import Invariant, Scene
from sessions.control.rehearsal.checker.traded import PLACING


class OneOrderPerIntent(Invariant):
    """A broker takes at most one order under each of our keys, by whatever field the key comes."""

    name = "I01"

    def entry(self, broker: str, entry: Entry) -> None:
        """Looks at each order that was taken."""
        if entry.kind != log.ACCEPTED or entry.facts["client"] is None:
            return
        client = entry.facts["client"]
        orders = self.scene.traded.orders
        others = [one.key for one in orders.values() if (one.broker, one.client) == (broker, client)]
        if len(others) > 1:
            self.broken(f"{broker} took orders {', '.join(others)} under the one key {client}")


class WrittenBeforeSent(Invariant):
    """A request to place orders arrives only for intents on disk, and no more often than attempts are there."""

    name = "I02"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._arrived: Counter[str] = Counter()

    def entry(self, broker: str, entry: Entry) -> None:
        """Looks at each request."""
        if entry.kind != log.ARRIVED:
            return
        for key in entry.facts.get(PLACING, ()):
            self._arrived[key] += 1
            order = self.scene.told.orders.get(key)
            if order is None:
                self.broken(f"{broker} was sent the order {key}, of which the journal held nothing")
            elif order.attempts < self._arrived[key]:
                self.broken(
                    f"{broker} was sent the order {key} {self._arrived[key]} times, "
                    f"the journal held {order.attempts} attempts"
                )
