"""The degradation ladder: what a session may still do, down at once for a cause, up only after reconciliation."""

import enum

import attrs


class Action(enum.Enum):
    """What somebody wants to do at the broker."""

    ADD_RISK = "add risk"
    REDUCE_RISK = "reduce risk"
    CANCEL = "cancel"


class Rung(enum.IntEnum):
    """From all to nothing; the kill path does not ask."""

    FULL = 0
    NO_NEW_RISK = 1
    CANCEL_ONLY = 2
    HALTED = 3

    def permits(self, action: Action) -> bool:
        """Whether the action is allowed here."""
        return action in _PERMITTED[self]


_PERMITTED: dict[Rung, frozenset[Action]] = {
    Rung.FULL: frozenset(Action),
    Rung.NO_NEW_RISK: frozenset({Action.REDUCE_RISK, Action.CANCEL}),
    Rung.CANCEL_ONLY: frozenset({Action.CANCEL}),
    Rung.HALTED: frozenset(),
}


class Cause(enum.Enum):
    """Why a session steps down."""

    STALE_DATA = "market data is stale"
    DATA_STREAM_DOWN = "the market-data stream is down"
    CONNECTION_DEGRADED = "the connection missed a health check"
    SUBMIT_BREAKER_OPEN = "the breaker for submitting is open"
    PAUSED = "the broker told us to stay away"
    HELD_BACK = "pitboss itself holds it back"
    LOOP_LAG = "the event loop lags"
    CLOCK_SKEW = "the clock differs from the broker's"
    LOSS_LIMIT = "the daily loss limit is reached"
    CONNECTION_DOWN = "the connection is down"
    ORDER_STREAM_DOWN = "the order stream is down"
    TOKEN_LOST = "the credential cannot be refreshed"  # noqa: S105  a sentence, not a secret
    BOOKS_DIFFER = "our books differ from the broker's"
    ORDER_UNRESOLVED = "an order's fate could not be proved"
    DATA_IMPOSSIBLE = "the broker sent impossible data"
    JOURNAL_WRITE_FAILED = "the journal could not be written"
    JOURNAL_CORRUPT = "the journal is corrupt"
    OWNER_CHANGED = "another daemon owns the account"
    RESTARTS_SPENT = "the restart budget is spent"
    KILL_SWITCH = "the kill switch was pulled"

    @property
    def rung(self) -> Rung:
        """The highest rung that is allowed while the cause lasts."""
        return _RUNGS[self]


_RUNGS: dict[Cause, Rung] = {
    Cause.STALE_DATA: Rung.NO_NEW_RISK,
    Cause.DATA_STREAM_DOWN: Rung.NO_NEW_RISK,
    Cause.CONNECTION_DEGRADED: Rung.NO_NEW_RISK,
    Cause.SUBMIT_BREAKER_OPEN: Rung.NO_NEW_RISK,
    Cause.PAUSED: Rung.NO_NEW_RISK,
    Cause.HELD_BACK: Rung.NO_NEW_RISK,
    Cause.LOOP_LAG: Rung.NO_NEW_RISK,
    Cause.CLOCK_SKEW: Rung.NO_NEW_RISK,
    Cause.LOSS_LIMIT: Rung.NO_NEW_RISK,
    Cause.CONNECTION_DOWN: Rung.CANCEL_ONLY,
    Cause.ORDER_STREAM_DOWN: Rung.CANCEL_ONLY,
    Cause.TOKEN_LOST: Rung.CANCEL_ONLY,
    Cause.BOOKS_DIFFER: Rung.CANCEL_ONLY,
    Cause.ORDER_UNRESOLVED: Rung.CANCEL_ONLY,
    Cause.DATA_IMPOSSIBLE: Rung.CANCEL_ONLY,
    Cause.JOURNAL_WRITE_FAILED: Rung.CANCEL_ONLY,
    Cause.JOURNAL_CORRUPT: Rung.HALTED,
    Cause.OWNER_CHANGED: Rung.HALTED,
    Cause.RESTARTS_SPENT: Rung.HALTED,
    Cause.KILL_SWITCH: Rung.HALTED,
}


@attrs.frozen
class Raised:
    """A cause has come up, of an instrument, connection or order if it can come up for several."""

    cause: Cause
    about: str = ""


@attrs.frozen
class Cleared:
    """A cause is gone for what it was raised about; of KILL_SWITCH only a person may say so."""

    cause: Cause
    about: str = ""


@attrs.frozen
class Reconciled:
    """Our books agree with the broker's, by a reconciliation that began then."""

    began_ns: int


LadderEvent = Raised | Cleared | Reconciled


@attrs.frozen
class Ladder:
    """A session's rung and the causes that hold it there; a session starts low and is reconciled up."""

    rung: Rung = Rung.NO_NEW_RISK
    causes: frozenset[tuple[Cause, str]] = frozenset()
    changed_ns: int = 0  # when the causes last changed

    def after(self, event: LadderEvent, now_ns: int) -> "Ladder":
        """The ladder after the event."""
        match event:
            case Raised(cause, about):
                if (cause, about) in self.causes:
                    return self
                return Ladder(max(self.rung, cause.rung), self.causes | {(cause, about)}, now_ns)
            case Cleared(cause, about):
                if (cause, about) not in self.causes:
                    return self
                return Ladder(self.rung, self.causes - {(cause, about)}, now_ns)
            case Reconciled(began_ns):
                if began_ns < self.changed_ns:
                    return self  # it may have seen the world before the change
                return attrs.evolve(self, rung=self.allowed)

    @property
    def allowed(self) -> Rung:
        """The rung the causes would allow if the books were known to agree."""
        return max((cause.rung for cause, _ in self.causes), default=Rung.FULL)

    @property
    def reconciliation_lifts(self) -> bool:
        """Whether a reconciliation now would let the session climb."""
        return self.allowed < self.rung
