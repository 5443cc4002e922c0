"""Who hears what, and when."""

from decimal import Decimal

import attrs

from brokers.gateway import LinkNews, News, OrderNews
from brokers.model import Order, OrderState, OrderType
from brokers.news_hub import Quarantined
from brokers.order_events import Filled
from brokers.sides import Side
from brokers.tradestation.hub import Hub
from brokers.tradestation.order_memory import MARGIN_NS, OrderMemory
from brokers.tradestation.wire_orders import Seen

ORDER = Order("1", "ESZ25", Side.BUY, OrderType.MARKET, Decimal(1))
FILLED = Seen("A", ORDER, "FLL", OrderState.FILLED, Decimal(1), Decimal(100), MARGIN_NS + 1, None, "")


def test_f16_a_fill_that_overtakes_the_reply_waits_for_the_order_s_key() -> None:
    memory = OrderMemory(0)
    hub, heard = Hub(memory, lambda _: None), list[News]()
    hub.listen("A", heard.append)
    with hub.placing("A"):
        hub.tell_orders(memory.take(FILLED, 1))
        assert heard == []
        hub.tell_orders(memory.expect("1", attrs.evolve(ORDER, key="key"), 1))
    assert [one.key for one in heard if isinstance(one, OrderNews)] == ["key", "key"]
    fills = [one.event.fill for one in heard if isinstance(one, OrderNews) and isinstance(one.event, Filled)]
    assert [fill.order_key for fill in fills] == ["key"]


def test_news_of_another_account_do_not_wait() -> None:
    memory = OrderMemory(0)
    hub, heard = Hub(memory, lambda _: None), list[News]()
    hub.listen("A", heard.append)
    with hub.placing("B"):
        hub.tell_orders(memory.take(FILLED, 1))
        assert len(heard) == 2


def test_whoever_listens_late_learns_that_the_link_is_down_and_may_leave() -> None:
    hub, heard = Hub(OrderMemory(0), lambda _: None), list[News]()
    hub.orders_link(LinkNews(False, "down", 1))
    leave = hub.listen("A", heard.append)
    assert heard == [LinkNews(False, "down", 1)]
    leave()
    hub.orders_link(LinkNews(True, "up", 2))
    assert len(heard) == 1


def test_what_is_put_aside_is_counted_each_time_and_told_once() -> None:
    told = list[object]()
    hub = Hub(OrderMemory(0), told.append)
    for _ in range(3):
        hub.put_aside("order 1", "it cannot be")
    assert hub.quarantined == 3
    assert told == [Quarantined("tradestation", "order 1", "it cannot be")]
