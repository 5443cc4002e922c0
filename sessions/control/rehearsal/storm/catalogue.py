"""All classes of strikes by name."""

from collections.abc import Mapping
from typing import Final

from sessions.control.rehearsal.storm.actors import ACTORS
from sessions.control.rehearsal.storm.commands import COMMANDS
from sessions.control.rehearsal.storm.kinds import Kind
from sessions.control.rehearsal.storm.machine import MACHINE
from sessions.control.rehearsal.storm.market import MARKET
from sessions.control.rehearsal.storm.storage import STORAGE
from sessions.control.rehearsal.storm.wire import WIRE

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind for kind in (*WIRE, *MACHINE, *STORAGE, *ACTORS, *MARKET, *COMMANDS)
}
