"""Frozen values made quickly, for those that come by the thousand a second.

attrs fills a frozen instance through object.__setattr__, a call a field. A maker fills an instance of a subclass that
is not frozen, by plain assignments, and then has it be what it stands for: less than half the time, the same value.
"""

from collections.abc import Callable
from types import new_class
from typing import Any, ParamSpec, TypeVar

import attrs

P = ParamSpec("P")
T = TypeVar("T")


def maker(kind: Callable[P, T]) -> Callable[P, T]:
    """What takes the arguments of a frozen attrs class and gives an instance of just that class, frozen as any other.

    Raises TypeError for a class that works on its instances after they are filled, which would be left out.
    """
    if not (isinstance(kind, type) and attrs.has(kind)) or hasattr(kind, "__attrs_post_init__"):
        raise TypeError(f"expected an attrs class without __attrs_post_init__, got {kind!r}")

    def settle(self: Any) -> None:
        self.__class__ = kind

    thawed = {
        "__slots__": (),
        "__setattr__": object.__setattr__,
        "__delattr__": object.__delattr__,
        "__attrs_post_init__": settle,
        "__doc__": f"A {kind.__name__} while it is filled.",
    }
    bare = new_class(kind.__name__, (kind,), exec_body=lambda body: body.update(thawed))
    made: Callable[P, T] = attrs.define(bare, eq=False, repr=False)
    return made
