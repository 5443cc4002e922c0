"""Who may pass whom, decided without a clock."""

from brokers.guards.bulkhead import Pool
from brokers.guards.limits import Bucket, RateMeter
from brokers.guards.operation import Kind, Operation, Priority
from brokers.guards.pauses import Held, Pauses
from brokers.guards.queue import Call, Charges, Queue
from brokers.guards.timeline import SECOND_NS

NOW = 1_767_625_200 * SECOND_NS
LATER = NOW + 31 * SECOND_NS
READ = Operation("read", Kind.READ)


def bucket(name: str, left: int, at_ns: int) -> RateMeter:
    """A bucket of two tokens that come back one an hour, so many of them left."""
    meter = Bucket(name, 1, 3600 * SECOND_NS, burst=2, reserve_percent=0).meter()
    meter.take(2 - left, at_ns)
    return meter


def entered(queue: Queue, charges: Charges, priority: Priority = Priority.QUERY, at_ns: int = NOW) -> Call:
    return queue.enter(READ, priority, charges, at_ns)


def test_a_waiting_call_lets_others_use_what_it_does_not_lack() -> None:
    queue, full, empty = Queue(Pauses()), bucket("full", 2, NOW), bucket("empty", 0, NOW)
    both = entered(queue, [(full, 2), (empty, 2)])
    passing = entered(queue, [(full, 1)])
    assert queue.pump(NOW) == [passing]
    assert both.waits()


def test_b14_a_call_that_has_waited_long_keeps_all_it_needs_for_itself() -> None:
    queue, full, empty = Queue(Pauses()), bucket("full", 2, LATER), bucket("empty", 0, LATER)
    entered(queue, [(full, 2), (empty, 2)])
    entered(queue, [(full, 1)], at_ns=LATER)
    assert queue.pump(LATER) == []


def test_b13_a_cancel_keeps_all_it_needs_for_itself() -> None:
    queue, full, empty = Queue(Pauses()), bucket("full", 2, NOW), bucket("empty", 0, NOW)
    entered(queue, [(full, 1)])
    entered(queue, [(full, 2), (empty, 2)], Priority.REDUCE)
    assert queue.pump(NOW) == []


def test_b17_a_call_that_waits_for_a_place_in_a_pool_keeps_nobody_from_the_limits() -> None:
    queue, full, pool = Queue(Pauses()), bucket("full", 1, NOW), Pool("cancels", 1)
    pool.take(1, NOW)
    entered(queue, [(pool, 1), (full, 1)], Priority.REDUCE)
    passing = entered(queue, [(full, 1)])
    assert queue.pump(NOW) == [passing]


def test_b15_a_call_whose_category_is_paused_keeps_nobody_from_the_limits() -> None:
    pauses, full = Pauses(), bucket("full", 1, NOW)
    pauses.hold(Held("accounts", NOW + SECOND_NS, "403"))
    queue = Queue(pauses)
    queue.enter(Operation("accounts", Kind.READ, category="accounts"), Priority.REDUCE, [(full, 1)], NOW)
    passing = entered(queue, [(full, 1)])
    assert queue.pump(NOW) == [passing]
    assert queue.next_ns == NOW + SECOND_NS


def test_the_queue_knows_when_to_look_again() -> None:
    queue = Queue(Pauses())
    entered(queue, [(bucket("empty", 0, NOW), 1)])
    assert queue.pump(NOW) == []
    assert queue.next_ns == NOW + 3600 * SECOND_NS
    assert len(queue.pump(queue.next_ns)) == 1
    assert queue.waiting == 0


def test_a_withdrawn_call_is_passed_over() -> None:
    queue, full = Queue(Pauses()), bucket("full", 1, NOW)
    first, second, third = (entered(queue, [(full, 1)]) for _ in range(3))
    queue.withdraw(second)
    queue.withdraw(first)
    assert queue.pump(NOW) == [third]
    assert queue.waiting == 0
