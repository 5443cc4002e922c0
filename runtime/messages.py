"""The messages of an actor class: its public methods, with what the runtime must know of each."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from runtime.errors import NotAMessage

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__message__"


@attrs.frozen
class Traits:
    """What a method declares about itself as a message."""

    control: bool = False
    safe: bool = False


def message(*, control: bool = False, safe: bool = False) -> Callable[[F], F]:
    """Declares a method's traits: `control` overtakes data, `safe` lets its arguments show in crash reports."""

    def mark(function: F) -> F:
        setattr(function, _MARK, Traits(control=control, safe=safe))
        return function

    return mark


@attrs.frozen(eq=False)
class Message:
    """One method of one concrete actor class, ready to be run."""

    name: str
    function: Callable[..., Any]
    is_async: bool
    control: bool
    safe: bool


class MessageTable(dict[Callable[..., Any], Message]):
    """Looks a method up by its function; a base class's method finds the override."""

    def __init__(self, cls: type, base: type) -> None:
        super().__init__()
        self._cls = cls
        self._base = base

    def find(self, path: str, method: Callable[..., Any]) -> Message:
        """The message for a method; raises NotAMessage naming the actor's path for anything else."""
        found = self.get(method)
        if found is None:
            found = self[method] = self._resolve(path, method)
        return found

    def _resolve(self, path: str, method: Callable[..., Any]) -> Message:
        name = getattr(method, "__name__", "_")
        owned = any(vars(cls).get(name) is method for cls in self._cls.__mro__)
        if name.startswith("_") or not owned or hasattr(self._base, name):
            raise NotAMessage(path, self._cls, method)
        return message_of(getattr(self._cls, name))


def message_of(function: Callable[..., Any]) -> Message:
    """Describes a function as a message."""
    traits: Traits = getattr(function, _MARK, Traits())
    return Message(
        name=function.__name__,
        function=function,
        is_async=inspect.iscoroutinefunction(function),
        control=traits.control,
        safe=traits.safe,
    )
