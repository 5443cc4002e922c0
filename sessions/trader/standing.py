"""Where one session stands on the ladder: down at once with each cause, up only by a reconciliation after it."""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from brokers.account_books import AccountBooks, Agreement
from brokers.guards.alerts import Alert, Dedup
from brokers.guards.ladder import LadderEvent, Raised, Reconciled, Rung
from runtime import Name, World
from runtime.errors import CallError
from sessions.risk.gate import RiskGate
from sessions.trader import causes

PROOF_SECONDS: Final = 60.0  # the longest that one reconciliation is waited for
AGAIN_SECONDS: Final = 1.0


@attrs.define(eq=False)
class Standing:
    """One session's place; `alert` is given what a person should know, each thing once in a while."""

    session: str
    account: str
    gate: RiskGate
    books: Name[AccountBooks]
    world: World
    spawn: Callable[..., object]
    alert: Callable[[Alert], object]
    _escalated: tuple[str, ...] = ()
    _proving: bool = False
    _dedup: Dedup = attrs.field(factory=Dedup)

    @property
    def rung(self) -> Rung:
        """What the session may do now, kill switch included."""
        return self.gate.rung(self.session)

    def step(self, event: LadderEvent) -> None:
        """Moves the session on its ladder."""
        before = self.gate.ladder(self.session).causes
        self.gate.tell(self.session, event, self.world.clock.wall_ns())
        if isinstance(event, Raised) and self.gate.ladder(self.session).causes != before:
            self.tell_person(event.cause.name, f"{event.cause.value} {event.about}".strip())
        self.climb()

    def climb(self) -> None:
        """Asks for a reconciliation where that would lift the session."""
        if self.gate.ladder(self.session).reconciliation_lifts and not self._proving:
            self._proving = True
            self.spawn(self._prove)

    def agreement(self, news: Agreement) -> None:
        """Takes in what a reconciliation came to."""
        before, self._escalated = self._escalated, news.escalated
        for event in causes.of_agreement(news, before):
            self.step(event)
        for alert in news.alerts:
            self.tell_person(alert.concern.value, f"{alert.subject}: {alert.text}")

    def tell_person(self, cause: str, text: str) -> None:
        """Sends an alert, unless the same one went out a moment ago."""
        alert = self._dedup.raised(cause, self.account, f"session {self.session}: {text}", self.world.clock.wall_ns())
        if alert is not None:
            self.alert(alert)

    def owe_alerts(self) -> None:
        """Sends what was only counted meanwhile."""
        for alert in self._dedup.due(self.world.clock.wall_ns()):
            self.alert(alert)

    async def reconciled(self) -> None:
        """Waits for a whole reconciliation that begins after now, and lifts the session if the books agree."""
        began_ns = self.world.clock.wall_ns()
        await self.books.call(AccountBooks.enlist, self.session)
        await self.books.call(AccountBooks.enlist, self.session)  # the first may have begun before
        news = await self.books.call(AccountBooks.agreed)
        self.agreement(news)
        if news.agreed:
            self.step(Reconciled(began_ns))

    async def _prove(self) -> None:
        try:
            while self.gate.ladder(self.session).reconciliation_lifts:
                with trio.move_on_after(PROOF_SECONDS):
                    await self.reconciled()
                if self.gate.ladder(self.session).reconciliation_lifts:
                    await trio.sleep(AGAIN_SECONDS)
        except CallError:
            return  # the books ended, and the session starts anew with them
        finally:
            self._proving = False
