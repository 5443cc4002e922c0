"""Order updates on their way to the streams, with what goes wrong on that way: doubled, swapped, lost, untrue."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from brokers.emulation.switchboard import Switchboard

Frame = dict[str, Any]
Lie = Callable[[str, Frame], Frame]


@attrs.frozen
class Update:
    """One message about an order, in the broker's words."""

    account: str
    order_id: str
    frame: Mapping[str, Any]
    fills: bool  # whether it is the first to tell an execution


Hear = Callable[[Update], None]


class Updates:
    """Hands updates to those who listen."""

    def __init__(self, faults: Switchboard, lie: Lie) -> None:
        self._faults = faults
        self._lie = lie
        self._hearers: dict[Hear, None] = {}
        self._held: dict[str, Update] = {}

    def hear(self, hear: Hear) -> Callable[[], None]:
        """Hands all updates to hear; the returned function ends that."""
        self._hearers[hear] = None

        def leave() -> None:
            self._hearers.pop(hear, None)

        return leave

    def tell(self, update: Update) -> None:
        """Tells an update, unless and as often as the switches want it."""
        held = self._held.pop(update.order_id, None)
        if held is None and self._faults.strikes("out-of-order") is not None:
            self._held[update.order_id] = update
            return
        for one in (update, held):
            if one is not None:
                self._tell_one(one)

    def _tell_one(self, update: Update) -> None:
        if self._faults.strikes("lose-update") or (update.fills and self._faults.strikes("lose-fill")):
            return
        lie = self._faults.strikes("lie")
        if lie is not None:
            update = attrs.evolve(update, frame=self._lie(lie.value, dict(update.frame)))
        twice = self._faults.strikes("update-twice") or (update.fills and self._faults.strikes("fill-twice"))
        for _ in range(2 if twice else 1):
            for hear in tuple(self._hearers):
                hear(update)
