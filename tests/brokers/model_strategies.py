"""Strategies for the classes of the neutral model, made from their fields, and two small helpers for tests of values."""

import datetime as dt
import enum
import functools
import os
import types
import typing
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import attrs
from hypothesis import strategies as st

from brokers.market import Interval

E = TypeVar("E", bound=Exception)

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))

LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    Decimal: st.builds(
        lambda digits, places: Decimal(digits).scaleb(-places), st.integers(-(10**25), 10**25), st.integers(-5, 30)
    ),
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    int: st.integers(min_value=-(2**63), max_value=2**63 - 1),
    bool: st.booleans(),
    dt.date: st.dates(),
    type(None): st.none(),
    Interval: st.builds("{}{}".format, st.integers(1, 999_999), st.sampled_from("smhdw")).map(Interval.parse),
}


def evolved(value: Any, **fields: Any) -> Any:
    """The value with some fields changed, to nonsense too."""
    return attrs.evolve(value, **fields)


def refusal(expected: type[E], call: Callable[..., object], *arguments: Any) -> E | None:
    """The error of this type that the call raises; None when it returns."""
    try:
        call(*arguments)
    except expected as error:
        return error
    return None


@functools.cache
def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a model class, or of a type that stands in one; not bound by sense, only by type."""
    if kind in LEAVES:
        return LEAVES[kind]
    arguments = typing.get_args(kind)
    if isinstance(kind, types.UnionType):
        return st.one_of(*map(anything, arguments))
    if typing.get_origin(kind) is tuple:
        return st.lists(anything(arguments[0]), max_size=3).map(tuple)
    if issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: anything(hints[field.name]) for field in attrs.fields(kind)})
