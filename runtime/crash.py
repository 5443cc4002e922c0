"""Crash reports: the error, the last message and the state, with everything hidden that is not marked safe."""

import traceback
from collections.abc import Mapping
from typing import Any

import attrs

from runtime.messages import Message


@attrs.frozen
class CrashReport:
    """What is known of one failed actor; `state` and `message` are redacted already."""

    path: str
    instance: int
    error: BaseException = attrs.field(eq=False)
    message: str | None
    state: Mapping[str, str]
    waiting: int

    def trace(self) -> str:
        """The traceback as text, without local variables; exception texts are the raiser's to keep clean."""
        return "".join(traceback.format_exception(self.error))


def hidden(value: object) -> str:
    """A value as its type only."""
    return f"<{type(value).__name__}>"


def redact_state(actor: object, safe: frozenset[str]) -> dict[str, str]:
    """The attributes of an actor; only those named in `safe` show their value."""
    names = list(getattr(actor, "__dict__", ()))
    for cls in type(actor).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    shown: dict[str, str] = {}
    for name in names:
        if name.startswith("__") or name == "_cell" or not hasattr(actor, name):
            continue
        value = getattr(actor, name)
        shown[name] = _shortened(repr(value)) if name in safe else hidden(value)
    return shown


def redact_message(message: Message, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """The message as a call; arguments show only where the method is marked safe."""
    show = repr if message.safe else hidden
    parts = [_shortened(show(value)) for value in args]
    parts += [f"{name}={_shortened(show(value))}" for name, value in kwargs.items()]
    return f"{message.name}({', '.join(parts)})"


def _shortened(text: str, most: int = 500) -> str:
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"
