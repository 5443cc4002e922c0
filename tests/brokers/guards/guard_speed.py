"""What a guarded call costs in processor time when nothing holds it up: `python -m tests.brokers.guards.guard_speed`."""

import random
import statistics
import sys
import time

import trio

from brokers.guards.guard import Guard
from brokers.guards.host import Host
from brokers.guards.limits import Bucket, Window
from brokers.guards.operation import Charge, Kind, Operation
from brokers.guards.timeline import SECOND_NS

CALLS, ROUNDS = 20_000, 9
LIMITS = (
    Bucket("bucket", 10**9, SECOND_NS),
    Window("weight", 10**9, 60 * SECOND_NS),
    Window("orders", 10**9, 10 * SECOND_NS, per_account=True),
)
OPERATIONS = {
    "no limits": Operation("read", Kind.READ),
    "token bucket": Operation("read", Kind.READ, (Charge("bucket"),)),
    "fixed window": Operation("read", Kind.READ, (Charge("weight"),)),
    "two windows": Operation("order", Kind.SUBMIT, (Charge("weight"), Charge("orders"))),
}


class StopWatch:
    """The machine's clocks."""

    monotonic_ns = staticmethod(time.perf_counter_ns)
    wall_ns = staticmethod(time.time_ns)


async def attempt(_admission: object) -> int:
    return 1


async def plain() -> None:
    for _ in range(CALLS):
        await attempt(None)


async def guarded(guard: Guard, operation: Operation) -> None:
    for _ in range(CALLS):
        await guard.run(operation, attempt, account="a")


async def main() -> None:
    host = Host("acme", LIMITS, clock=StopWatch(), tell=lambda _event: None)
    guard = Guard("acme-1", host, chance=random.Random(1))
    took: dict[str, list[float]] = {name: [] for name in ("not guarded", *OPERATIONS)}
    for _ in range(ROUNDS):
        start = time.process_time()
        await plain()
        took["not guarded"].append(time.process_time() - start)
        for name, operation in OPERATIONS.items():
            start = time.process_time()
            await guarded(guard, operation)
            took[name].append(time.process_time() - start)
    for name, rounds in took.items():
        typical, best = (seconds / CALLS * 1e6 for seconds in (statistics.median(rounds), min(rounds)))
        sys.stdout.write(f"{name:14}{typical:8.2f} us a call, best {best:.2f}\n")


if __name__ == "__main__":
    trio.run(main)
