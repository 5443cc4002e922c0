"""The emulators by broker."""

from collections.abc import Mapping
from typing import Final

from brokers.emulation.emulator import Emulate
from brokers.tradestation import emulator as tradestation

EMULATORS: Final[Mapping[str, Emulate]] = {
    tradestation.BROKER: tradestation.emulate,
}
