"""The life of an order as a broker tells it, for orders that come into the books by way of a list."""

import attrs

from brokers.executions import Executions
from brokers.lifecycle import OrderLife, advance
from brokers.model import Order
from brokers.order_events import Sent, Snapshot
from brokers.reconciliation.truth import Told


def life_of(order: Order, told: Told, executions: Executions | None = None) -> OrderLife:
    """A life as the broker tells it; what is filled is counted, and its executions follow."""
    report = told.report
    sent = advance(OrderLife(order), Sent())
    life = attrs.evolve(sent, broker_order_ids=report.broker_order_ids, executions=executions or Executions())
    return attrs.evolve(advance(life, Snapshot(report.state, report.filled, report.average_price)), facts=())
