"""What can be wrong with a strategy; each harms its own session only.

StrategyError
    BadStrategy         the class is not written as a strategy must be
    LoadError           it was not found, or could not be imported
    ParameterError      its parameters are missing, unknown, or of another type
    StateMismatch       the state that was kept is not what the class declares now
    StrategyFailed      `wants` or `decide` raised
    BadDecision         `decide` answered with what is no decision
    StrategyTooSlow     `decide` held up the loop
"""

from typing import Final

import attrs

_SHOWN: Final = 200


class StrategyError(Exception):
    """Anything wrong with a strategy."""


class BadStrategy(StrategyError, TypeError):
    """A class that cannot be a strategy; `problem` says why."""

    def __init__(self, strategy: str, problem: str) -> None:
        self.strategy = strategy
        self.problem = problem
        super().__init__(f"strategy class {strategy}: {problem}")


class LoadError(StrategyError):
    """A strategy that could not be loaded; `reference` is what was asked for, and nothing was changed."""

    def __init__(self, reference: str, problem: str, advice: str) -> None:
        self.reference = reference
        self.problem = problem
        self.advice = advice
        super().__init__(f"strategy {reference!r} was not loaded: {problem}; {advice}")


@attrs.frozen
class ParameterProblem:
    """One refused parameter."""

    key: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.key}: expected {self.expected}, got {self.got}"


class ParameterError(StrategyError, ValueError):
    """Parameters that were refused whole; `problems` holds everything that is wrong."""

    def __init__(self, strategy: str, problems: tuple[ParameterProblem, ...]) -> None:
        self.strategy = strategy
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"parameters of {strategy} were refused, correct these:\n{lines}")


class StateMismatch(StrategyError, ValueError):
    """A kept state that the strategy's class cannot read."""

    def __init__(self, strategy: str, state: str, problem: str) -> None:
        self.strategy = strategy
        self.state = state
        self.problem = problem
        super().__init__(
            f"the kept state of {strategy} does not fit its class any more: {problem}; "
            "give new fields a default, or start the session with a new state"
        )


class StrategyFailed(StrategyError):
    """A strategy's own code raised; the error is the cause, `event` what it was told, None while it was set up."""

    def __init__(self, strategy: str, event: object, error: BaseException) -> None:
        self.strategy = strategy
        self.event = event
        doing = "while it said what it wants" if event is None else f"deciding on {shown(event)}"
        super().__init__(f"strategy {strategy} raised {type(error).__name__}: {shown(error)}, {doing}")


class BadDecision(StrategyError, TypeError):
    """An answer that is no decision; none of the answers to that event was carried out."""

    def __init__(self, strategy: str, event: object, value: object, expected: str) -> None:
        self.strategy = strategy
        self.event = event
        self.value = value
        self.expected = expected
        super().__init__(
            f"strategy {strategy} answered {shown(event)} with {shown(value)}; expected {expected}; nothing was done"
        )


class StrategyTooSlow(StrategyError):
    """A strategy that held up everything else for too long."""

    def __init__(self, strategy: str, event: object, took_ns: int, rule: str) -> None:
        self.strategy = strategy
        self.event = event
        self.took_ns = took_ns
        super().__init__(
            f"strategy {strategy} took {took_ns / 1e6:.1f} ms to decide on {shown(event)}, the rule is {rule}; "
            "move heavy work out of decide, or widen the rule"
        )


def shown(value: object) -> str:
    """A value for one line of a message; one that cannot be shown is named by its type."""
    try:
        text = str(value) if isinstance(value, BaseException) else repr(value)
    except Exception:  # noqa: BLE001  # a strange value must not hide the error that is being told
        text = f"<{type(value).__name__} that cannot be shown>"
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


class StrategyInsists(StrategyError):
    """A strategy that answers every denial with what is denied again; its orders come before the market for ever."""

    def __init__(self, strategy: str, event: object, times: int) -> None:
        self.strategy = strategy
        self.event = event
        super().__init__(
            f"strategy {strategy} was denied {times:,} times and heard of nothing else, last {shown(event)}; "
            "do not answer a denial with the same again"
        )
