"""Frozen attrs values at half the price, for those that are made for every tick and every order.

    @quick
    @attrs.frozen
    class Fill: ...

attrs writes each field of a frozen class by a call of object.__setattr__. Here a new instance is for a moment of a
class that may be written to, so that plain assignments fill it, and it is frozen before anybody has seen it.
"""

from typing import Any, Final, TypeVar

import attrs

T = TypeVar("T")

_WRITTEN: Final = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}


def quick(cls: type[T]) -> type[T]:
    """The frozen, slotted attrs class with a faster __init__; raises TypeError for a class that has more to do there.

    A class derived from it needs both decorators again, as it needs attrs' for fields of its own.
    """
    fields = attrs.fields(cls)  # type: ignore[arg-type]  # asked before the class is known to be attrs'
    _check(cls, fields)
    names: dict[str, Any] = {
        "_as": object.__setattr__,
        "_Whole": cls,
        "_Draft": type(cls.__name__, (cls,), dict(_WRITTEN)),
        "_NOTHING": attrs.NOTHING,
    }
    code = compile(_source(fields, names), f"<quick {cls.__module__}.{cls.__qualname__}>", "exec")
    exec(code, names)  # noqa: S102 - as attrs itself makes its methods, from names of fields only
    made = names["__init__"]
    made.__qualname__, made.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    made.__annotations__ = cls.__init__.__annotations__
    cls.__init__ = made  # type: ignore[method-assign]
    return cls


def _check(cls: type, fields: "tuple[attrs.Attribute[Any], ...]") -> None:
    if "__slots__" not in vars(cls):
        raise TypeError(f"{cls.__qualname__}: expected a class with slots")
    for hook in ("__attrs_pre_init__", "__attrs_post_init__"):
        if hasattr(cls, hook):
            raise TypeError(f"{cls.__qualname__}: expected no {hook}; leave out @quick")
    for field in fields:
        if not field.init or field.validator is not None or field.converter is not None:
            raise TypeError(f"{cls.__qualname__}.{field.name}: expected a plain field; leave out @quick")


def _source(fields: "tuple[attrs.Attribute[Any], ...]", names: dict[str, Any]) -> str:
    plain = [_parameter(field, names) for field in fields if not field.kw_only]
    named = [_parameter(field, names) for field in fields if field.kw_only]
    lines = [f"def __init__({', '.join(['self', *plain, *(['*', *named] if named else [])])}):"]
    lines += [
        f"  if {field.alias} is _NOTHING: {field.alias} = {_made(field, names)}"
        for field in fields
        if isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]  # a class, for all that its stub says
    ]
    lines.append("  _as(self, '__class__', _Draft)")
    lines += [f"  self.{field.name} = {field.alias}" for field in fields]
    lines.append("  self.__class__ = _Whole")
    return "\n".join(lines)


def _parameter(field: "attrs.Attribute[Any]", names: dict[str, Any]) -> str:
    if field.default is attrs.NOTHING:
        return str(field.alias)
    if isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
        return f"{field.alias}=_NOTHING"
    names[f"_default_{field.name}"] = field.default
    return f"{field.alias}=_default_{field.name}"


def _made(field: "attrs.Attribute[Any]", names: dict[str, Any]) -> str:
    factory: Any = field.default
    if factory.takes_self:
        raise TypeError(f"{field.name}: expected a default that does not look at other fields; leave out @quick")
    names[f"_factory_{field.name}"] = factory.factory
    return f"_factory_{field.name}()"
