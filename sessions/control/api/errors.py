"""Refusals as the control interface tells them: a status, a code, one sentence, and what to do next; never a stack."""

from collections.abc import Iterator
from typing import Final

import attrs
import trio

from brokers.errors import BrokerError
from brokers.lifecycle import LifecycleError
from brokers.listing import UnknownBroker
from brokers.reconciliation import CannotResolve
from brokers.strict_json import InvalidJson
from brokers.symbols import SymbolError
from config.reading import ConfigError
from runtime.errors import CallError, StartFailed
from sessions.control.api.records import Problem
from sessions.control.daemon.arming import NotLive
from sessions.control.daemon.plans import BrokerNotOpen
from sessions.journal import JournalError
from sessions.journal.errors import BackupRefused
from sessions.risk.kill_switch import ResumeRefused
from sessions.sessions import MoveRefused, NotRunning, SessionError, UnknownSession
from sessions.strategy import StrategyError


class Refused(Exception):
    """A request that is answered with no; `status`, `code` and `next` go with the sentence."""

    def __init__(self, status: int, code: str, text: str, next_step: str) -> None:
        self.status, self.code, self.next = status, code, next_step
        super().__init__(text)


@attrs.frozen
class _Way:
    """How one kind of error is told."""

    kind: type[Exception]
    status: int
    code: str
    next: str


_WAYS: Final = (
    _Way(InvalidJson, 400, "bad_request", "correct the fields that are named"),
    _Way(UnknownSession, 404, "unknown_session", "see `pitboss sessions`"),
    _Way(NotRunning, 409, "not_running", "start the session first"),
    _Way(MoveRefused, 409, "not_flat", "flatten it first, or move it with --flatten"),
    _Way(BrokerNotOpen, 409, "broker_not_open", "see `pitboss brokers`"),
    _Way(SessionError, 409, "session_refused", "see `pitboss sessions`"),
    _Way(ConfigError, 422, "bad_settings", "correct the settings that are named; nothing was changed"),
    _Way(StrategyError, 422, "bad_strategy", "correct the strategy or its parameters; nothing was changed"),
    _Way(NotLive, 409, "not_live", "name the broker as live in the configuration first"),
    _Way(ResumeRefused, 409, "resume_refused", "say who resumes, and see that the disk takes files"),
    _Way(CannotResolve, 409, "cannot_resolve", "look the order up at the broker and say what is there"),
    _Way(UnknownBroker, 404, "unknown_broker", "see `pitboss brokers`"),
    _Way(SymbolError, 404, "unknown_symbol", "see `pitboss symbols`"),
    _Way(LifecycleError, 409, "order_refused", "see `pitboss orders`"),
    _Way(BackupRefused, 409, "backup_refused", "name a folder that does not exist, in one that does"),
    _Way(JournalError, 503, "journal", "free or repair the disk of the journal; nothing was sent meanwhile"),
    _Way(StartFailed, 409, "start_failed", "see `pitboss crashes`"),
    _Way(CallError, 503, "not_available", "see `pitboss tree`, and try again"),
    _Way(trio.TooSlowError, 504, "too_slow", "see `pitboss status`; what was asked for may still happen"),
    _Way(OSError, 503, "disk", "see that the folder is there and the disk takes files"),
)
_INTERNAL: Final = _Way(Exception, 500, "internal", "see `pitboss logs` for the id")


def problem_of(error: Exception, error_id: str) -> tuple[int, Problem]:
    """The status and the record of an error; what nobody expected shows nothing but its id."""
    if isinstance(error, Refused):
        return error.status, Problem(error_id, error.code, str(error), error.next)
    if isinstance(error, BrokerError):
        return 409, Problem(error_id, error.code.name.lower(), str(error), "see `pitboss status`")
    way = next((way for way in _WAYS if isinstance(error, way.kind)), _INTERNAL)
    text = "something went wrong here" if way is _INTERNAL else _sentence(error)
    return way.status, Problem(error_id, way.code, text, way.next)


def is_internal(error: Exception) -> bool:
    """Whether an error is one that nobody expected."""
    expected = (Refused, BrokerError, *(way.kind for way in _WAYS))
    return not isinstance(error, expected)


def _sentence(error: Exception) -> str:
    """What an error says; of a start that failed, why it did."""
    return ": ".join(_reasons(error)) if isinstance(error, StartFailed) else str(error)


def _reasons(error: BaseException) -> Iterator[str]:
    while isinstance(error, StartFailed):
        yield error.path
        inner = getattr(error.reason, "error", None)
        if not isinstance(inner, BaseException):
            yield str(error.reason)
            return
        error = inner
    yield str(error)
