"""All classes of strikes by name."""

from collections.abc import Mapping
from typing import Final

from sessions.control.rehearsal.storm.kinds import Kind
from sessions.control.rehearsal.storm.machine import MACHINE
from sessions.control.rehearsal.storm.wire import WIRE

KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in (*WIRE, *MACHINE)}
