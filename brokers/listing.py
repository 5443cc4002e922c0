"""Which brokers there are: those shipped, and those that installed packages add by an entry point.

A package adds a broker with an entry point in the group `pitboss.brokers` whose value is a BrokerPlan; nothing in the
core changes, and nothing is imported until the broker is asked for.
"""

from collections.abc import Awaitable, Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import attrs

from brokers.broker import Broker
from brokers.capability import Capability

GROUP = "pitboss.brokers"

_SHIPPED = (
    EntryPoint("paper", "brokers.paper:PLAN", GROUP),
    EntryPoint("tradestation", "brokers.tradestation:PLAN", GROUP),
    EntryPoint("tradovate", "brokers.tradovate:PLAN", GROUP),
    EntryPoint("thinkorswim", "brokers.thinkorswim:PLAN", GROUP),
)


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

    def __init__(self, entry: EntryPoint, found: object) -> None:
        self.entry = entry
        self.found = found
        super().__init__(
            f"entry point {entry.name} = {entry.value}: expected a BrokerPlan named {entry.name!r}, got {found!r}"
        )


@attrs.frozen
class BrokerPlan:
    """A broker that can be opened: its name, what it can do, and how to start its connection."""

    name: str
    capability: Capability
    open: Callable[..., Awaitable[Broker]]  # (runtime, settings of its own kind)
    settings: type[Any]


def broker_names() -> tuple[str, ...]:
    """All names, the shipped ones first."""
    return tuple(dict.fromkeys(entry.name for entry in _entries()))


def broker_plan(name: str) -> BrokerPlan:
    """The plan of one broker; raises UnknownBroker, BadPlan, or what its import raises."""
    for entry in _entries():
        if entry.name == name:
            plan = entry.load()
            if not isinstance(plan, BrokerPlan) or plan.name != name:
                raise BadPlan(entry, plan)
            return plan
    raise UnknownBroker(name, broker_names())


def configured(names: Iterable[str]) -> tuple[BrokerPlan, ...]:
    """The plans of the brokers a configuration lists, in its order; raises as broker_plan."""
    return tuple(broker_plan(name) for name in dict.fromkeys(names))


def _entries() -> tuple[EntryPoint, ...]:
    return (*_SHIPPED, *entry_points(group=GROUP))
