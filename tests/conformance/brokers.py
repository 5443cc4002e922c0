"""The brokers under test, one line each."""

from brokers import paper, thinkorswim, tradestation, tradovate
from brokers.thinkorswim import ThinkorswimSettings
from brokers.thinkorswim import emulator as thinkorswim_emulator
from brokers.tradestation import TradeStationSettings
from brokers.tradestation import emulator as tradestation_emulator
from brokers.tradovate import TradovateSettings
from brokers.tradovate import emulator as tradovate_emulator
from tests.conformance import candidate as kit

# fmt: off
CANDIDATES = (
    kit.paper(paper.PLAN, "paper-1"),
    kit.emulated(tradestation.PLAN, tradestation_emulator, lambda at: TradeStationSettings(host=at.http, sign_in=at.http), account="SIM2784991F"),
    kit.emulated(tradovate.PLAN, tradovate_emulator, lambda at: TradovateSettings(host=at.http.removesuffix("/v1"), market_host=at.http.removesuffix("/v1")), account="DEMO15460"),
    kit.emulated(thinkorswim.PLAN, thinkorswim_emulator, lambda at: ThinkorswimSettings(api=at.http, streamer=(at.ws or "").removesuffix("/ws")), symbols=("ESH26", "ESM26", "AAPL"), history="AAPL"),
)
# fmt: on
