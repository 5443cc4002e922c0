"""The base class of strategies: typed parameters, declared state, and one pure method that decides.

    class Follower(Strategy[FollowerParameters, FollowerState]):
        def wants(self) -> Wants: ...
        def decide(self, event: Event, view: View[FollowerState]) -> Decisions: ...

A strategy holds its parameters and nothing else. What it has to remember it declares as a frozen attrs class with
defaults, reads from `view.state` and replaces by deciding `Keep(state)`. So an answer depends on event, view and state
alone: the same in paper, rehearsal and live, before a restart and after it.
"""

import abc
from typing import Any, ClassVar, Generic, NoReturn, TypeVar, get_args, get_origin

import attrs

from sessions.strategy.decisions import Decisions
from sessions.strategy.errors import BadStrategy
from sessions.strategy.events import Event
from sessions.strategy.view import View
from sessions.strategy.wants import Wants

P = TypeVar("P")
S = TypeVar("S")


@attrs.frozen
class NoState:
    """The state of a strategy that has to remember nothing."""


class Strategy(abc.ABC, Generic[P, S]):
    """What a strategy is made of; a subclass names the classes of its parameters and its state."""

    parameters: P
    parameters_type: ClassVar[type[Any]]
    state_type: ClassVar[type[Any]]

    def __init__(self, parameters: P) -> None:
        object.__setattr__(self, "parameters", parameters)

    def __init_subclass__(cls, **options: Any) -> None:
        """Reads both classes from the base; raises BadStrategy for what cannot be set or kept."""
        super().__init_subclass__(**options)
        for base in getattr(cls, "__orig_bases__", ()):
            origin = get_origin(base)
            named = get_args(base)
            if isinstance(origin, type) and issubclass(origin, Strategy) and not _open(named):
                cls.parameters_type, cls.state_type = _declared(cls.__qualname__, *named)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name}: a strategy keeps nothing on itself; decide Keep(state)")

    @abc.abstractmethod
    def wants(self) -> Wants:
        """The market data and timers to be told of, by the parameters alone."""

    @abc.abstractmethod
    def decide(self, event: Event, view: View[S]) -> Decisions:
        """What to do about an event: decisions in order, one decision, or None."""

    @classmethod
    def first_state(cls) -> S:
        """The state of a strategy that never ran."""
        state: S = cls.state_type()
        return state


def _open(named: tuple[Any, ...]) -> bool:
    """Whether a base leaves its classes for a subclass to name."""
    return any(isinstance(name, TypeVar) for name in named)


def _declared(strategy: str, *named: Any) -> tuple[type[Any], type[Any]]:
    """Both classes, held against what they must be."""
    if len(named) != 2:
        raise BadStrategy(strategy, f"expected Strategy[Parameters, State], got {len(named)} classes")
    for kind in named:
        if not (isinstance(kind, type) and attrs.has(kind) and _frozen(kind)):
            raise BadStrategy(strategy, f"{kind!r} must be a class made by attrs.frozen")
    parameters, state = named
    needed = [field.name for field in attrs.fields(state) if field.init and field.default is attrs.NOTHING]
    if needed:
        raise BadStrategy(strategy, f"{state.__name__} must begin by itself: give {', '.join(needed)} a default")
    return parameters, state


def _frozen(kind: type[Any]) -> bool:
    bare = object.__new__(kind)
    try:
        for field in attrs.fields(kind):
            setattr(bare, field.name, None)
    except attrs.exceptions.FrozenInstanceError:
        return True
    return not attrs.fields(kind)
