"""The `tradestation-api-python` package against the emulated TradeStation, told only where it is."""

import asyncio
import gc
import json
from importlib import import_module
from typing import Any

import pytest

from tests.conformance.sdk.served import need, served

SYMBOL, ACCOUNT = "AAPL", "SIM2784990M"
pytestmark = pytest.mark.filterwarnings("ignore")  # what others' code warns of is not ours to mend


def test_the_sdk_logs_in_streams_places_replaces_and_cancels() -> None:
    need("tradestation", "tradestation-api-python")
    with served("tradestation") as ready:
        asyncio.run(asyncio.wait_for(_play(ready), 60))
    gc.collect()  # the client leaves its stream open; it may say so here


async def _play(ready: dict[str, Any]) -> None:
    sdk: Any = import_module("tradestation.client")
    requests: Any = import_module("tradestation.ts_types.order_execution")
    tokens: Any = import_module("tradestation.utils.token_manager")
    said = ready["credentials"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens.TokenManager, "_TOKEN_URL", f"{ready['http']}/oauth/token")
        config = {name: said[name] for name in ("client_id", "client_secret")}
        client = sdk.TradeStationClient(config, refresh_token=said["refresh_token"], environment="Simulation")
        client.http_client.base_url = ready["http"]
        try:
            bid = await _first_bid(client)
            terms: dict[str, Any] = {
                "AccountID": ACCOUNT,
                "Symbol": SYMBOL,
                "Quantity": "1",
                "OrderType": "Limit",
                "TradeAction": "BUY",
                "TimeInForce": {"Duration": "DAY"},
                "Route": "Intelligent",
                "LimitPrice": f"{bid * 0.8:.2f}",
            }
            placed = await client.order_execution.place_order(requests.OrderRequest(**terms))
            order_id = placed.Orders[0].OrderID
            lower = f"{bid * 0.7:.2f}"
            changed = await client.order_execution.replace_order(
                order_id, requests.OrderReplaceRequest(Quantity="2", LimitPrice=lower)
            )
            assert changed.OrderID == order_id
            canceled = await client.order_execution.cancel_order(order_id)
            assert canceled.OrderID == order_id
        finally:
            await client.close()


async def _first_bid(client: Any) -> float:
    accounts = await client.brokerage.get_accounts()
    assert ACCOUNT in [one.AccountID for one in accounts]
    stream = await client.market_data.stream_quotes(SYMBOL)
    while True:
        said = json.loads(await stream.readline())
        if said.get("Bid"):
            return float(said["Bid"])
