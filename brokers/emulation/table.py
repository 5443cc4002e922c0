"""The emulators by broker."""

from collections.abc import Mapping
from typing import Final

from brokers.emulation.emulator import Emulate
from brokers.thinkorswim import emulator as thinkorswim
from brokers.tradestation import emulator as tradestation
from brokers.tradovate import emulator as tradovate

EMULATORS: Final[Mapping[str, Emulate]] = {
    thinkorswim.BROKER: thinkorswim.emulate,
    tradestation.BROKER: tradestation.emulate,
    tradovate.BROKER: tradovate.emulate,
}
