"""Whatever a client sends is answered; nothing ends the emulator."""

import json
import os
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.tradovate.emulator.words import RefusedError, read_object, stamp
from tests.brokers.tradovate.emulator.words import ACCOUNT, ES_NAME, User, order, played

SEEDS = range(5, 5 + int(os.environ.get("PITBOSS_NIGHTLY", "1")))
STRANGE: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 2.5, 1e300, 10**30, "", "x", "1", "1,2", "Buy", "Limit", "9" * 5_000, [], [1], {}),
    *({"a": 1}, "2025-12-01T14:30:00Z", "0001-01-01", "9999-12-31T23:59:59Z", "\x00", ES_NAME, ACCOUNT, 210_518),
)
ENDPOINTS = (
    *("order/placeOrder", "order/placeOCO", "order/placeOSO", "order/modifyOrder", "order/cancelOrder"),
    *("order/liquidatePosition", "order/item", "order/items", "order/deps", "order/ldeps", "contract/find"),
    *("contract/suggest", "contract/rollContract", "md/subscribeQuote", "md/unsubscribeDOM", "md/getChart"),
    *("md/cancelChart", "user/syncRequest", "cashBalance/getCashBalanceSnapshot", "auth/renewAccessToken"),
    *("authorize", "nothing/here", ""),
)
NAMES = (
    *("orderId", "orderQty", "orderType", "price", "stopPrice", "pegDifference", "timeInForce", "expireTime", "action"),
    *("symbol", "accountId", "accountSpec", "clOrdId", "other", "bracket1", "text", "contractId", "id", "ids", "name"),
    *("masterid", "masterids", "t", "l", "users", "accounts", "entityTypes", "chartDescription", "timeRange"),
    *("subscriptionId", "p-ticket", "forward", "isAutomated"),
)


def body(chance: random.Random) -> dict[str, Any]:
    """An order with a few strange fields, or strange fields alone."""
    legs = {"action": "Sell", "orderType": "Limit", "price": 9_000}
    whole = order(other=dict(legs), bracket1=dict(legs), orderId=210_518, id=1, name=ES_NAME, l=3, t="ES")
    start = whole if chance.random() < 0.7 else {}
    return {**start, **{chance.choice(NAMES): chance.choice(STRANGE) for _ in range(chance.randrange(4))}}


@pytest.mark.parametrize("seed", SEEDS)
def test_any_body_to_any_endpoint_is_answered_on_a_socket_that_stays_open(seed: int) -> None:
    async def play(user: User) -> None:
        chance = random.Random(seed)
        async with user.socket() as sock:
            for _ in range(300):
                answer = await sock.ask(chance.choice(ENDPOINTS), body(chance))
                assert answer["s"] in {200, 400, 401, 404}, answer
        assert len(await user.get("order/list")) > 10

    played(play)


@given(st.binary(max_size=200) | st.from_type(float).map(lambda one: json.dumps({"a": one}).encode()))
def test_a_body_is_an_object_or_refused(data: bytes) -> None:
    found: dict[str, Any] | int
    try:
        found = read_object(data)
    except RefusedError as refused:
        found = refused.status
    assert isinstance(found, dict) or found == 400


@settings(max_examples=50)
@given(st.integers(0, 4_000_000_000_000_000_000))
def test_stamps_keep_their_order_and_their_form(time_ns: int) -> None:
    assert len(stamp(time_ns)) == 24
    assert stamp(time_ns) <= stamp(time_ns + 1_000_000)
