"""The switches of a running emulator: which faults are on, and whether one strikes this time."""

from collections.abc import Iterable

import attrs

from brokers.emulation.catalogue import Part, Where
from brokers.emulation.faults import Fault, parse_fault
from brokers.emulation.log import FAULT, EventLog


@attrs.define
class _Switch:
    fault: Fault
    chances: int = 0
    strikes: int = 0

    def strikes_now(self) -> bool:
        self.chances += 1
        spent = self.fault.times is not None and self.strikes >= self.fault.times
        if spent or self.chances <= self.fault.skip:
            return False
        self.strikes += 1
        return True


class Switchboard:
    """Faults that are on; they can be switched on and off while the emulator runs."""

    def __init__(self, parts: Iterable[Part], log: EventLog) -> None:
        self.parts = frozenset(parts)
        self._log = log
        self._switches: dict[str, list[_Switch]] = {}

    def on(self, text: str) -> Fault:
        """Switches a fault on; raises FaultError."""
        fault = parse_fault(text, self.parts)
        self._switches.setdefault(fault.kind.name, []).append(_Switch(fault))
        return fault

    def off(self, name: str) -> None:
        """Switches off whatever is on under that name."""
        self._switches.pop(name, None)

    def strikes(self, name: str, where: Where | None = None) -> Fault | None:
        """The fault of that name that strikes this time, if one does; asking is a chance for it."""
        for switch in self._switches.get(name, ()):
            if (where is None or where in switch.fault.where) and switch.strikes_now():
                self._log.put(FAULT, name=name, value=switch.fault.value, where=where and where.value)
                return switch.fault
        return None

    def state(self, name: str) -> Fault | None:
        """The fault of that name if it is on: for those that are a state of things, not an event."""
        switches = self._switches.get(name)
        return switches[-1].fault if switches else None

    @property
    def struck(self) -> dict[str, int]:
        """How often each fault that is on has struck."""
        return {name: sum(switch.strikes for switch in all_of) for name, all_of in self._switches.items()}
