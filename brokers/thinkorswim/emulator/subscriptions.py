"""What one connection has subscribed to: SUBS replaces, ADD adds, UNSUBS takes away, VIEW picks fields; pure."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from brokers.thinkorswim.emulator.level_one import Numbered, Value

MOST_KEYS: Final = 500
COMMANDS: Final = ("SUBS", "ADD", "UNSUBS", "VIEW")
LEVEL_ONE: Final = ("LEVELONE_EQUITIES", "LEVELONE_FUTURES")
CHARTS: Final[Mapping[str, int]] = {"CHART_EQUITY": 9, "CHART_FUTURES": 7}  # with how many fields
ACTIVITY: Final = "ACCT_ACTIVITY"
SERVED: Final[Mapping[str, int]] = {"LEVELONE_EQUITIES": 52, "LEVELONE_FUTURES": 41, **CHARTS, ACTIVITY: 4}
SUCCESS, SERVICE_NOT_AVAILABLE, SYMBOL_LIMIT, BAD_FORMAT = 0, 11, 19, 21


@attrs.define
class Subscription:
    """The keys and fields of one service, and what has been told of each key."""

    keys: list[str]
    fields: tuple[int, ...]
    told: dict[str, dict[int, Value]] = attrs.field(factory=dict)

    def changes(self, key: str, now: Numbered) -> dict[str, Any]:
        """The fields that differ from what was told, which count as told from then on; all of them the first time."""
        told = self.told.setdefault(key, {})
        changed = {number: now[number] for number in self.fields if number in now and told.get(number) != now[number]}
        told |= changed
        return {str(number): value for number, value in changed.items()}


class Subscriptions:
    """All services of a connection."""

    def __init__(self) -> None:
        self._by_service: dict[str, Subscription] = {}

    def __bool__(self) -> bool:
        return any(one.keys for one in self._by_service.values())

    def get(self, service: str) -> Subscription | None:
        """What is subscribed of a service, None for nothing."""
        found = self._by_service.get(service)
        return found if found is not None and found.keys else None

    def apply(self, service: str, command: str, parameters: Mapping[str, Any]) -> int:
        """Does a command and returns its code; a command that fails changes nothing."""
        if service not in SERVED:
            return SERVICE_NOT_AVAILABLE
        keys, fields = _keys(parameters.get("keys")), _fields(parameters.get("fields"), SERVED[service])
        before = self._by_service.get(service)
        wants_keys, wants_fields = command != "VIEW", command == "VIEW" or (command != "UNSUBS" and before is None)
        if command not in COMMANDS or (wants_keys and not keys) or (wants_fields and not fields):
            return BAD_FORMAT
        after = _after(before, command, keys, fields)
        others = sum(len(one.keys) for name, one in self._by_service.items() if name != service)
        if others + len(after.keys) > MOST_KEYS:
            return SYMBOL_LIMIT
        self._by_service[service] = after
        return SUCCESS


def _after(before: Subscription | None, command: str, keys: list[str], fields: tuple[int, ...]) -> Subscription:
    """A subscription after a command; what has been told of a key that stays is not told again."""
    if before is None:
        return Subscription([] if command == "UNSUBS" else keys, fields)
    match command:
        case "SUBS":
            return Subscription(keys, fields or before.fields)
        case "ADD":
            wanted = [*before.keys, *(key for key in keys if key not in before.keys)]
        case "UNSUBS":
            wanted = [key for key in before.keys if key not in keys]
        case _:
            wanted = before.keys
    told = {key: said for key, said in before.told.items() if key in wanted}
    return Subscription(wanted, fields if command == "VIEW" else before.fields, told)


def _keys(value: Any) -> list[str]:
    """Keys that are separated by commas, each once."""
    if not isinstance(value, str):
        return []
    return list(dict.fromkeys(key.strip() for key in value.split(",") if key.strip()))


def _fields(value: Any, most: int) -> tuple[int, ...]:
    """Field numbers that are separated by commas; those that the service does not have are passed over."""
    if not isinstance(value, str):
        return ()
    numbers = [int(one) for one in value.split(",") if one.strip().isascii() and one.strip().isdigit() and len(one) < 5]
    return tuple(sorted({number for number in numbers if number < most}))
