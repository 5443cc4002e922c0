"""What all brokers' emulators share: an exchange, faults to switch on, a log, and the way to serve them.

    emulator = await nursery.start(partial(EMULATORS["tradestation"], world, seed=7, faults=["lose-fill"]))
    print(ready_line(emulator))

`brokers.emulation.table` has the emulators by broker.
"""

from brokers.emulation.catalogue import CATALOGUE, NOT_ON_THE_WIRE, FaultKind, Part, Where
from brokers.emulation.emulator import Emulate, Emulator, ready_line, ready_record
from brokers.emulation.faults import Fault, FaultError, parse_fault, possible_faults
from brokers.emulation.log import Entry, EventLog
from brokers.emulation.switchboard import Switchboard

__all__ = [
    "CATALOGUE",
    "NOT_ON_THE_WIRE",
    "Emulate",
    "Emulator",
    "Entry",
    "EventLog",
    "Fault",
    "FaultError",
    "FaultKind",
    "Part",
    "Switchboard",
    "Where",
    "parse_fault",
    "possible_faults",
    "ready_line",
    "ready_record",
]
