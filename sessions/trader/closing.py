"""Does for one session what a pulled kill switch wants, again after a crash or a refusal, until nothing is left to do.

Everybody who looks begins with what stands at the broker then, so that it does not matter who began before.
"""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from brokers.account_manager import AccountManager
from brokers.model import OrderState
from runtime import Name
from runtime.errors import CallError
from runtime.world import Clock
from sessions.risk.gate import Origin, RiskGate
from sessions.risk.kill_switch import Mark, Mode
from sessions.trader.blotter import Blotter, Ticket
from sessions.trader.dealer import Dealer

FIRST_SECONDS: Final = 1.0  # between the end of one attempt and the next; each pause is twice the one before
LONGEST_SECONDS: Final = 60.0
WORKS_SECONDS: Final = 30.0  # for as long an order that is open may still do what was wanted
PATIENCE_SECONDS: Final = 120.0  # an attempt waits for ends and executions before it closes
_SECOND_NS: Final = 1_000_000_000
_ASKED: Final = frozenset({OrderState.PENDING_CANCEL, OrderState.UNKNOWN})


@attrs.define(eq=False)
class Closing:
    """What a person wants of one session's orders and positions, and when it was tried last."""

    gate: RiskGate
    account: Name[AccountManager]
    blotter: Blotter
    dealer: Dealer
    holds: Callable[[], bool]
    clock: Clock
    spawn: Callable[..., object]
    _mark: Mark | None = None
    _busy: bool = False
    _tried_ns: int | None = None
    _pause_s: float = FIRST_SECONDS

    def look(self) -> None:
        """Does what the switch demands now, if anything is left to do and due."""
        mark = self.gate.mark
        if mark != self._mark:  # whoever wants something else now does not wait for what was tried before
            self._mark, self._tried_ns, self._pause_s = mark, None, FIRST_SECONDS
        if mark is not None and not self._busy and self._is_due() and self._left(mark):
            self._begin(mark)

    def _is_due(self) -> bool:
        if self._tried_ns is None:
            return True
        pause_s = max(self._pause_s, WORKS_SECONDS) if self.blotter.tickets else self._pause_s
        return self.clock.monotonic_ns() - self._tried_ns >= pause_s * _SECOND_NS

    def _left(self, mark: Mark) -> bool:
        """Whether there is something to do; an order in doubt is waited for, since its end may change what is held."""
        tickets = self.blotter.tickets.values()
        if mark.flatten:
            doubtful = any(ticket.report.state is OrderState.UNKNOWN for ticket in tickets)
            return not doubtful and (bool(tickets) or self.holds())
        return mark.mode is Mode.HALT and any(map(_may_be_canceled, tickets))

    def _begin(self, mark: Mark) -> None:
        if mark.flatten:
            self._busy = True
            self.spawn(self._close)
            return
        for ticket in list(self.blotter.tickets.values()):
            if _may_be_canceled(ticket):
                self.dealer.cancel(ticket, Origin.OPERATOR)
        self._tried()

    async def _close(self) -> None:
        try:
            with trio.move_on_after(PATIENCE_SECONDS):
                await self.account.call(AccountManager.flatten)
        except CallError:
            return  # the session ends; its next instance looks as well
        finally:
            self._busy = False
            self._tried()

    def _tried(self) -> None:
        if self._tried_ns is not None:
            self._pause_s = min(self._pause_s * 2, LONGEST_SECONDS)
        self._tried_ns = self.clock.monotonic_ns()


def _may_be_canceled(ticket: Ticket) -> bool:
    return ticket.report.state not in _ASKED
