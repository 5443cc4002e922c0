"""Quick classes are attrs' own in all but the time that they take."""

import copy
import inspect
from decimal import Decimal
from typing import Any

import attrs
import pytest

from runtime.quick import quick


@quick
@attrs.frozen
class Base:
    name: str
    marks: dict[str, int] = attrs.field(factory=dict)
    _hidden: int = 7
    note: str | None = attrs.field(default=None, kw_only=True, eq=False)


@quick
@attrs.frozen
class Derived(Base):
    price: Decimal = Decimal(1)


@attrs.frozen
class Plain:
    name: str
    marks: dict[str, int] = attrs.field(factory=dict)
    _hidden: int = 7
    note: str | None = attrs.field(default=None, kw_only=True, eq=False)


@pytest.mark.parametrize(
    ("args", "named"),
    [(("a",), {}), (("a", {"b": 1}, 2), {"note": "c"}), ((), {"name": "a", "hidden": 3, "marks": {}})],
)
def test_it_takes_what_attrs_takes_and_says_what_attrs_says(args: tuple[Any, ...], named: dict[str, Any]) -> None:
    made, plain = Base(*args, **named), Plain(*args, **named)
    assert repr(made) == repr(plain).replace("Plain", "Base")
    assert attrs.astuple(made) == attrs.astuple(plain)
    assert inspect.signature(Base).parameters.keys() == inspect.signature(Plain).parameters.keys()


def test_it_refuses_the_arguments_that_attrs_refuses() -> None:
    cases: list[tuple[tuple[Any, ...], dict[str, Any]]] = [((), {}), (("a", {}, 1, "b"), {}), (("a",), {"other": 1})]
    for args, named in cases:
        for kind in (Base, Plain):
            with pytest.raises(TypeError):
                kind(*args, **named)


def test_nobody_can_write_to_it() -> None:
    made = Derived("a")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.name = "b"  # type: ignore[misc]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del made.name
    assert type(made) is Derived
    assert not hasattr(made, "__dict__")


def test_each_instance_has_defaults_of_its_own() -> None:
    assert Base("a").marks is not Base("a").marks


def test_equality_and_copies_are_those_of_its_fields() -> None:
    one = Derived("a", {}, 2, Decimal("1.5"), note="x")
    assert one == attrs.evolve(one, note="y") != attrs.evolve(one, price=Decimal(2))
    assert copy.copy(one) == copy.deepcopy(one) == one
    assert one != Base("a", {}, 2)


def test_what_does_more_than_take_its_fields_is_refused() -> None:
    with pytest.raises(TypeError, match="plain field"):

        @quick
        @attrs.frozen
        class Checked:
            size: int = attrs.field(validator=attrs.validators.ge(1))

    with pytest.raises(TypeError, match="__attrs_post_init__"):

        @quick
        @attrs.frozen
        class Busy:
            size: int

            def __attrs_post_init__(self) -> None:
                pass

    with pytest.raises(TypeError, match="slots"):

        @quick
        @attrs.frozen(slots=False)
        class Open:
            size: int
