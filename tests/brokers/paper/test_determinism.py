"""P08: one seed is one run, whatever the process and its hash seed."""

import hashlib
import os
import subprocess
import sys

import trio

from brokers.model import Order
from brokers.paper import PaperFaults, PaperSettings
from brokers.sides import Side
from tests.brokers.desk import Desk, scene

FAULTY = PaperSettings(symbols=("ESH26", "AAPL"), faults=PaperFaults().times(20))


def run(seed: int) -> str:
    """The digest of everything that a trading desk hears in a faulty minute, and the simulation's own trace."""

    async def play(desk: Desk) -> str:
        said: list[str] = []

        async def submit(order: Order) -> None:
            try:
                said.append(repr(await desk.submit(order)))
            except Exception as error:  # noqa: BLE001 - a refusal on purpose is part of the trace
                said.append(repr(error))

        for number in range(20):
            side = Side.SELL if number % 2 else Side.BUY
            async with trio.open_nursery() as nursery:  # two at once: which of them comes first is the seed's choice
                nursery.start_soon(submit, desk.order(side, 1, symbol="ESH26"))
                nursery.start_soon(submit, desk.order(side, 2, symbol="ESH26"))
            await trio.sleep(3)
        return "\n".join([*said, *map(repr, desk.heard.take()), repr(desk.exchange.summary("paper-1"))])

    result = scene(play, FAULTY, seed=seed, quiet=False)
    return hashlib.sha256(f"{result.unwrap()}{result.trace_hash}".encode()).hexdigest()


def test_P08_P11_the_same_seed_gives_the_same_run_in_any_process() -> None:
    here = run(7)
    assert run(7) == here
    code = "from tests.brokers.paper.test_determinism import run; print(run(7))"
    environment = {**os.environ, "PYTHONHASHSEED": "4242"}
    there = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert there.stdout.strip() == here


def test_P08_another_seed_gives_another_run() -> None:
    assert run(7) != run(8)
