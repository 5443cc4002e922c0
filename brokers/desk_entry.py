"""One order in an account's books, as the desk keeps it, as reconciliation sees it, and as a snapshot holds it."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import attrs

from brokers import reconciliation as found
from brokers.desk_state import KeptOrder
from brokers.instruments import EXACT
from brokers.ledger import RecentIds
from brokers.lifecycle import OrderLife
from brokers.order_events import Event, Filled, Snapshot


@attrs.define(eq=False)
class Entry:
    """One order in the books."""

    life: OrderLife
    session: str | None
    sent_ns: int = 0  # the last moment at which a request about it can have left
    sent_wall_ns: int = 0
    touched_ns: int = 0
    attempts: int = 0
    in_flight: int = 0  # requests whose end somebody waits for
    survived: bool = False
    escalated: str = ""
    sketched: bool = False
    cancel_sent: bool = False
    changed_wall_ns: int = 0  # when we learned the last of it; of a former life only when it was sent

    @classmethod
    def restored(cls, kept: KeptOrder, now_ns: int) -> "Entry":
        """The entry in the books of the next life, which begins now."""
        return cls(
            kept.life(),
            kept.session,
            sent_ns=now_ns if kept.attempts else 0,
            sent_wall_ns=kept.sent_wall_ns,
            touched_ns=now_ns,
            attempts=kept.attempts,
            escalated=kept.escalated,
            sketched=kept.sketched,
            changed_wall_ns=kept.sent_wall_ns,
        )

    def excess(self, event: Event) -> str:
        """Why what was told cannot be all of this order's: it would be more than was ever ordered of it."""
        life = self.life
        executions, kind = life.executions, type(event)
        if kind is Filled:
            fill = event.fill  # type: ignore[union-attr]  # the kind was asked for
            counted = (
                executions.quantity if fill.id in executions.by_id else EXACT.add(executions.quantity, fill.quantity)
            )
        elif kind is Snapshot and event.filled is not None:  # type: ignore[union-attr]  # the kind was asked for
            counted = event.filled  # type: ignore[union-attr]  # the kind was asked for
        else:
            return ""
        most, change = life.order.quantity, life.change
        if change is not None and change.quantity is not None:
            most = max(most, change.quantity)
        if self.sketched or counted <= most or counted <= life.filled:
            return ""
        return f"expected at most {most} to be executed, got {counted}"

    def kept(self) -> KeptOrder:
        """What of the entry outlives the process."""
        life = self.life
        return KeptOrder(
            life.order,
            life.standing,
            life.canceling,
            life.change,
            life.uncertain,
            life.executions,
            life.broker_order_ids,
            life.reason,
            self.session,
            self.sent_wall_ns,
            self.attempts,
            self.escalated,
            self.sketched,
        )

    def claim(self) -> found.Claim:
        """The entry as reconciliation sees it."""
        return found.Claim(
            self.life,
            self.session,
            self.sent_ns,
            self.sent_wall_ns,
            self.touched_ns,
            self.attempts,
            self.in_flight,
            self.survived,
            self.life.order.expires_ns,
            self.escalated,
            self.sketched,
        )


class KnownFills(AbstractSet[str]):
    """The ids of the fills that the ledger remembers."""

    def __init__(self, ids: RecentIds) -> None:
        self._ids = ids

    def __contains__(self, id_: object) -> bool:
        return isinstance(id_, str) and self._ids.get(id_) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> AbstractSet[Any]:
        return frozenset(it)
