"""Which brokers there are: those shipped, and those that installed packages add by an entry point.

A package adds a broker with an entry point in the group `pitboss.brokers` whose value is a BrokerPlan; nothing in the
core changes, and nothing is imported until the broker is asked for.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, Final

import attrs

from brokers.broker import Broker
from brokers.capability import Capability

GROUP = "pitboss.brokers"

_SHIPPED: Final = {
    "paper": "brokers.paper:PLAN",
    "tradestation": "brokers.tradestation:PLAN",
    "tradovate": "brokers.tradovate:PLAN",
    "thinkorswim": "brokers.thinkorswim:PLAN",
}


class UnknownBroker(LookupError):
    """A broker that is neither shipped nor installed."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(
            f"no broker is named {name!r}; there are {', '.join(self.known)}; "
            f"install the package that adds it by an entry point in {GROUP}"
        )


class BadPlan(TypeError):
    """An entry point that does not lead to a BrokerPlan of its own name."""

    def __init__(self, name: str, value: str, found: object) -> None:
        self.name = name
        self.value = value
        self.found = found
        super().__init__(f"entry point {name} = {value}: expected a BrokerPlan named {name!r}, got {found!r}")


@attrs.frozen
class BrokerPlan:
    """A broker that can be opened: its name, what it can do, and how to start its connection."""

    name: str
    capability: Capability
    open: Callable[..., Awaitable[Broker]]  # (runtime, settings of its own kind)
    settings: type[Any]


def broker_names() -> tuple[str, ...]:
    """All names, the shipped ones first."""
    return (*_SHIPPED, *(name for name in _installed() if name not in _SHIPPED))


def broker_plan(name: str) -> BrokerPlan:
    """The plan of one broker; raises UnknownBroker, BadPlan, or what its import raises."""
    value = _SHIPPED.get(name) or _installed().get(name)
    if value is None:
        raise UnknownBroker(name, broker_names())
    module, _, attribute = value.partition(":")
    plan = getattr(import_module(module), attribute)
    if not isinstance(plan, BrokerPlan) or plan.name != name:
        raise BadPlan(name, value, plan)
    return plan


def _installed() -> Mapping[str, str]:
    """What other packages add; to know it, each package that is installed is looked at."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - a daemon with shipped brokers starts without it

    return {entry.name: entry.value for entry in entry_points(group=GROUP)}
