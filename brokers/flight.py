"""Requests on their way to a broker, and what becomes of their orders when nobody waits for the answer any more."""

from brokers.account_desk import AccountDesk
from brokers.guards.guard import Admission
from brokers.order_events import LostTouch
from brokers.reconciliation import OrderEvent


class Flight:
    """A request about some orders from the moment it is decided; one that nobody waits for leaves them in doubt."""

    def __init__(self, desk: AccountDesk, keys: tuple[str, ...]) -> None:
        self.desk = desk
        self.keys = keys
        self.entries = [desk.entries[key] for key in keys]
        self.under_way = True
        self.admission: Admission | None = None  # of a request that no task waits for
        for entry in self.entries:
            entry.in_flight += 1

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.land()
        else:
            self.lose()

    def land(self) -> None:
        """Its answer is there."""
        if not self.under_way:
            return
        self.under_way = False
        now_ns = self.desk.clock.monotonic_ns()
        for entry in self.entries:
            entry.in_flight -= 1
            entry.sent_ns = now_ns

    def lose(self) -> None:
        """Nobody waits for its answer any more."""
        if not self.under_way:
            return
        if self.admission is not None:
            self.admission.withdraw()
        self.land()
        for entry in self.entries:
            if not entry.life.state.final:
                self.desk.record(OrderEvent(entry.life.order.key, LostTouch("nobody waits for its answer any more")))
