"""Why a daemon is not well: everything that a person should know of, the gravest first; well is to have no reason."""

from collections.abc import Iterator
from typing import Final

import attrs

from brokers.guards.ladder import Cause
from sessions.control.api.records import SessionRow, Status

READY: Final = "ready"  # a journal that writes
RUNNING: Final = "running"  # a session as it should be


def judged(status: Status) -> Status:
    """The status with its reasons, each once, and the verdict that follows."""
    reasons = tuple(dict.fromkeys((*_of_daemon(status), *_of_parts(status), *status.findings)))
    return attrs.evolve(status, well=not reasons, reasons=reasons)


def _of_daemon(status: Status) -> Iterator[str]:
    if status.halted:
        yield f"trading is stopped: {status.halted}; lift it with `pitboss resume`"
    if status.journal != READY:
        yield f"the journal is {status.journal}: nothing is sent to a broker"


def _of_parts(status: Status) -> Iterator[str]:
    for account in status.accounts:
        if account.unknown_orders:
            orders = "1 order is" if account.unknown_orders == 1 else f"{account.unknown_orders} orders are"
            yield f"account {account.account}: {orders} in doubt; see `pitboss orders --open`"
        if not account.reconciled:
            yield f"account {account.account}: its books are not known to agree with {account.broker}"
    for broker in status.brokers:
        if not broker.open:
            yield f"broker {broker.broker}: not connected: {broker.why_not or 'not yet'}"
        for trouble in broker.troubles:
            yield f"broker {broker.broker}: {trouble}"
    for session in status.sessions:
        yield from _of_session(session)


def _of_session(row: SessionRow) -> Iterator[str]:
    if row.wanted and row.condition != RUNNING:
        yield f"session {row.session}: {row.condition}{': ' if row.why else ''}{row.why}"
    if row.causes:
        yield f"session {row.session}: degraded to {row.rung}: {', '.join(row.causes)}{_way_out(row)}"
    if row.missing:
        yield f"session {row.session}: not ready: {', '.join(row.missing)}"


def _way_out(row: SessionRow) -> str:
    """What a person does about a loss that struck; everything else passes by itself or has a reason of its own."""
    struck = any(cause.startswith(Cause.LOSS_LIMIT.value) for cause in row.causes)
    return f"; the next trading day or `pitboss resume {row.session}` lifts it" if struck else ""
