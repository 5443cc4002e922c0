"""The `schwab-py` package against the emulated ThinkOrSwim; its requests are led to loopback by a hook of httpx."""

import asyncio
import time
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conformance.sdk.served import need, served

FUTURE, STOCK = "/ES", "AAPL"
pytestmark = pytest.mark.filterwarnings("ignore")  # what others' code warns of is not ours to mend


def test_the_sdk_logs_in_streams_places_replaces_and_cancels() -> None:
    need("schwab", "schwab-py")
    with served("thinkorswim") as ready:
        asyncio.run(asyncio.wait_for(_play(ready), 60))


async def _play(ready: dict[str, Any]) -> None:
    equity_buy_limit: Any = import_module("schwab.orders.equities").equity_buy_limit
    utils: Any = import_module("schwab.utils")

    client = await _client(ready)
    numbers = (await client.get_account_numbers()).json()
    assert [one["accountNumber"] for one in numbers] == ready["accounts"]
    account = numbers[0]["hashValue"]
    await _streams(client, numbers)

    quote = (await client.get_quote(STOCK)).json()[STOCK]["quote"]
    placed = await client.place_order(account, equity_buy_limit(STOCK, 1, f"{quote['bidPrice'] * 0.8:.2f}"))
    assert placed.status_code == 201, placed.text
    first = utils.Utils(client, account).extract_order_id(placed)
    again = await client.replace_order(account, first, equity_buy_limit(STOCK, 2, f"{quote['bidPrice'] * 0.7:.2f}"))
    assert again.status_code == 201, again.text
    second = utils.Utils(client, account).extract_order_id(again)
    assert second != first
    assert (await client.cancel_order(second, account)).status_code == 200
    found = (await client.get_order(second, account)).json()
    assert found["status"] in ("CANCELED", "PENDING_CANCEL")


async def _client(ready: dict[str, Any]) -> Any:
    """A client whose token has ended, so that the first thing is a refresh at the emulator."""
    auth: Any = import_module("schwab.auth")

    said, where = ready["credentials"], urlsplit(ready["http"])
    token = {
        "access_token": "ended",
        "refresh_token": said["refresh_token"],
        "token_type": "Bearer",
        "expires_in": 1800,
        "expires_at": int(time.time()) - 60,
        "scope": "api",
    }
    kept = {"creation_timestamp": int(time.time()), "token": token}
    client = auth.client_from_access_functions(
        said["client_id"], said["client_secret"], lambda: kept, lambda *_a, **_k: None, asyncio=True
    )

    async def home(request: Any) -> None:
        request.url = request.url.copy_with(scheme="http", host=where.hostname, port=where.port)
        request.headers["host"] = where.netloc

    client.session.event_hooks["request"].append(home)
    return client


async def _streams(client: Any, numbers: list[dict[str, str]]) -> None:
    streaming: Any = import_module("schwab.streaming")

    stream = streaming.StreamClient(client, account_id=int(numbers[0]["accountNumber"]))
    heard: list[Any] = []
    await stream.login()
    stream.add_level_one_futures_handler(heard.append)
    await stream.level_one_futures_subs([FUTURE])
    while not heard:
        await stream.handle_message()
    assert heard[0]["content"][0]["key"] == FUTURE
