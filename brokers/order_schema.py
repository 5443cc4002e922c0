"""The published form of an order and of a group of orders: JSON Schema 2020-12, made from the classes themselves.

`order_schema.json` beside this module is what `order_schema_text()` gives; write it anew when the model changes.
"""

import enum
import inspect
import json
import types
from decimal import Decimal
from typing import Any, Final, get_args, get_origin, get_type_hints

import attrs

from brokers.codec import DECIMAL, GREATEST_INT, LEAST_INT, unstructure
from brokers.model import Order, OrderGroup
from brokers.strict_json import MAX_NUMBER

_LEAVES: Final[dict[Any, dict[str, Any]]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": LEAST_INT, "maximum": GREATEST_INT},
    Decimal: {"type": "string", "pattern": f"^{DECIMAL}$", "maxLength": MAX_NUMBER},
    types.NoneType: {"type": "null"},
}


def order_schema() -> dict[str, Any]:
    """The schema of one document: an order or a group."""
    definitions: dict[str, Any] = {}
    documents = [_schema_of(kind, definitions) for kind in (Order, OrderGroup)]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:pitboss:order",
        "title": "Neutral order or order group",
        "oneOf": documents,
        "$defs": dict(sorted(definitions.items())),
    }


def order_schema_text() -> str:
    """The schema as the file keeps it."""
    return json.dumps(order_schema(), indent=2) + "\n"


def _schema_of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind in _LEAVES:
        return _LEAVES[kind]
    if isinstance(kind, types.UnionType):
        return {"anyOf": [_schema_of(part, definitions) for part in get_args(kind)]}
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _schema_of(get_args(kind)[0], definitions)}
    if kind.__name__ not in definitions:
        make = _enum_schema if issubclass(kind, enum.Enum) else _class_schema
        definitions[kind.__name__] = make(kind, definitions)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _enum_schema(kind: type[enum.Enum], _definitions: dict[str, Any]) -> dict[str, Any]:
    return {"description": inspect.getdoc(kind), "enum": [member.value for member in kind]}


def _class_schema(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    fields = attrs.fields(kind)
    return {
        "description": inspect.getdoc(kind),
        "type": "object",
        "properties": {field.name: _schema_of(hints[field.name], definitions) | _default(field) for field in fields},
        "required": [field.name for field in fields if field.default is attrs.NOTHING],
        "additionalProperties": False,
    }


def _default(field: "attrs.Attribute[Any]") -> dict[str, Any]:
    return {} if field.default is attrs.NOTHING else {"default": unstructure(field.default)}
