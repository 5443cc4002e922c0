"""Short words for what a client says to the TradeStation emulator."""

import json
from decimal import Decimal
from typing import Any

from tests.brokers.emulation.kit import Answer, Client

FUTURES, STOCKS = "SIM2784991F", "SIM2784990M"
ES = "ESH26"  # the front contract when simulated time begins
ORDERS = f"/v3/brokerage/stream/accounts/{FUTURES}/orders"
PLACE = "/v3/orderexecution/orders"


def order(action: str = "BUY", quantity: int = 1, **changed: Any) -> dict[str, Any]:
    """A market order for ES unless told otherwise."""
    return {
        "AccountID": FUTURES,
        "Symbol": ES,
        "Quantity": str(quantity),
        "OrderType": "Market",
        "TradeAction": action,
        "TimeInForce": {"Duration": "DAY"},
        **changed,
    }


def limit(action: str, price: Decimal, quantity: int = 1, **changed: Any) -> dict[str, Any]:
    return order(action, quantity, OrderType="Limit", LimitPrice=str(price), **changed)


def stop(action: str, price: Decimal, quantity: int = 1, **changed: Any) -> dict[str, Any]:
    return order(action, quantity, OrderType="StopMarket", StopPrice=str(price), **changed)


async def market(client: Client, symbol: str = ES) -> tuple[Decimal, Decimal]:
    """Bid and ask."""
    (quote,) = (await client.get(f"/v3/marketdata/quotes/{symbol}"))["Quotes"]
    return Decimal(quote["Bid"]), Decimal(quote["Ask"])


async def place(client: Client, body: dict[str, Any]) -> str:
    """Places an order that must be taken; its id."""
    answer = await client.ask("POST", PLACE, body)
    assert answer.status == 200, answer
    assert not answer.json["Errors"], answer
    return str(answer.json["Orders"][-1]["OrderID"])


async def refused(client: Client, body: dict[str, Any]) -> str:
    """Places an order that must be refused inside a reply of success; what is said."""
    answer = await client.ask("POST", PLACE, body)
    assert answer.status == 200, answer
    assert answer.json["Orders"] == []
    (error,) = answer.json["Errors"]
    assert error["Error"] == "FAILED"
    return str(error["Message"])


async def far_bid(client: Client, below: int = 200) -> Decimal:
    """A price that no seller will meet soon."""
    bid, _ = await market(client)
    return bid - below


async def read(client: Client, order_id: str) -> Any:
    """The record of an order as a query tells it."""
    found = await client.get(f"/v3/brokerage/accounts/{FUTURES}/orders/{order_id}")
    assert found["Errors"] == [], found
    return found["Orders"][0]


async def held(client: Client, account: str = FUTURES) -> dict[str, str]:
    """What the account holds by symbol."""
    found = await client.get(f"/v3/brokerage/accounts/{account}/positions")
    return {one["Symbol"]: one["Quantity"] for one in found["Positions"]}


def error(answer: Answer) -> tuple[int, str, str]:
    """An error as status and its two words."""
    found = json.loads(answer.body)
    return answer.status, found["Error"], found["Message"]
