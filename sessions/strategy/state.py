"""A strategy's state as one line of JSON for the journal, and back."""

from typing import Any, Final

from brokers.codec import decode, encode
from brokers.strict_json import InvalidJson
from sessions.strategy.errors import StateMismatch
from sessions.strategy.strategy import Strategy

MAX_STATE: Final = 64 * 1024  # characters; it is journalled at each change


class UnfitState(ValueError):
    """A state that would not come back from the journal as it is; `expected` says what would."""

    def __init__(self, expected: str) -> None:
        self.expected = expected
        super().__init__(f"expected {expected}")


def encode_state(strategy: type[Strategy[Any, Any]], state: object) -> str:
    """The state as JSON that reads back equal; raises UnfitState for any other."""
    kind = strategy.state_type
    if type(state) is not kind:
        raise UnfitState(f"a {kind.__name__}, the state that is declared")
    try:
        text = encode(state)
        same = decode(text, kind, max_bytes=len(text.encode())) == state
    except Exception as error:  # a field of another type than declared can raise anything on its way
        raise UnfitState(f"fields that can be journalled as declared: {error}") from error
    if not same:
        raise UnfitState("a state that is equal to itself when it is read back")
    if len(text) > MAX_STATE:
        raise UnfitState(f"a state of at most {MAX_STATE} characters as JSON, this one has {len(text)}")
    return text


def restore_state(strategy: type[Strategy[Any, Any]], text: str) -> Any:
    """The state in a journalled line; raises StateMismatch when the class reads it no longer."""
    try:
        return decode(text, strategy.state_type, max_bytes=4 * MAX_STATE)
    except (InvalidJson, TypeError, ValueError) as error:
        raise StateMismatch(strategy.__qualname__, text, str(error)) from error
