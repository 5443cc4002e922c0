"""Real httpx in a simulated world that breaks: whatever happens, an order arrives at most once and is never misjudged."""

from collections import Counter
from typing import Any

import attrs
import pytest
import trio

from runtime.simulation import Conditions, FaultPlan, SimulatedWorld, chance, simulate, uniform
from runtime.wire.capture import Exchange, Kind, Recorder
from runtime.wire.delivery import Delivery, Sent
from runtime.wire.http import HttpClient
from runtime.wire.http_messages import Fault, HttpFailure, HttpRequest, HttpSettings
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor
from tests.runtime.wire.peers import HOST, NIGHTLY, OK, URL, Arrival, HttpPeer

STORM = FaultPlan(
    points={
        "network.refused": chance(0.05),
        "network.timeout": chance(0.02),
        "network.unknown_host": chance(0.02),
        "network.tls": chance(0.02),
        "network.reset": chance(0.04),
        "network.end": chance(0.04),
        "network.stall": chance(0.02),
        "network.delay": chance(0.02),
    }
)
ORDERS = 60


@attrs.define
class Tally:
    """What the client believes of each order, and what the server knows."""

    believed: dict[str, str] = attrs.field(factory=dict)
    arrived: Counter[str] = attrs.field(factory=Counter)
    records: list[Exchange] = attrs.field(factory=list)
    faults: Counter[Fault] = attrs.field(factory=Counter)


async def one_order(world: SimulatedWorld, client: HttpClient, tally: Tally, key: str) -> None:
    delivery = Delivery()
    told: Sent | None = None
    request = HttpRequest("POST", f"{URL}/orders", body=key.encode(), intent_key=key)
    with trio.move_on_after(world.chance.choice([0.1, 1, 5, 60])):
        try:
            await client.send(request, delivery)
            tally.believed[key] = "answered"
        except HttpFailure as failure:
            told = failure.sent
            tally.faults[failure.fault] += 1
    assert told in (None, delivery.sent)
    tally.believed.setdefault(key, delivery.sent.value)


async def storm(world: SimulatedWorld) -> Tally:
    tally = Tally()

    async def answer(stream: trio.abc.Stream, arrival: Arrival) -> bool:
        tally.arrived[arrival.body.decode()] += 1
        await trio.sleep(world.chance.expovariate(2))
        await stream.send_all(OK)
        return world.chance.random() < 0.1

    async def trader(client: HttpClient, name: int) -> None:
        for number in range(ORDERS // 3):
            await one_order(world, client, tally, f"{name}-{number}")
            await trio.sleep(world.chance.expovariate(1))

    world.network.shape(
        outward=Conditions(latency=uniform(0.01, 0.3), most_per_read=100),
        inward=Conditions(latency=uniform(0.01, 0.3), most_per_read=30),
    )
    redactor = Redactor()
    recorder = Recorder("c1", world.clock, redactor, tally.records.append)
    limits = HttpSettings(connections=2, connect_seconds=3, total_seconds=8)
    async with trio.open_nursery() as nursery:
        peer = HttpPeer(answer)
        nursery.start_soon(trio.serve_listeners, peer.serve, await world.network.listen(HOST, 443))
        async with HttpClient(
            world.network, AllowList(URL), redactor, settings=limits, recorder=recorder
        ) as client, trio.open_nursery() as traders:  # fmt: skip
            for name in range(3):
                traders.start_soon(trader, client, name)
            for _ in range(3):
                await trio.sleep(15)
                await world.network.swizzle()
        await trio.sleep(120)  # whatever is still under way arrives
        nursery.cancel_scope.cancel()
    return tally


@pytest.mark.parametrize("seed", range(8 * NIGHTLY))
def test_f01_f06_i01_i21_a_storm_never_doubles_an_order_nor_hides_one(seed: int) -> None:
    result = simulate(storm, seed=seed, faults=STORM)
    tally = result.unwrap()
    assert len(tally.believed) == ORDERS
    assert max(tally.arrived.values()) == 1
    for key, belief in tally.believed.items():
        if belief == "answered":
            assert tally.arrived[key] == 1
        if belief == "nothing":
            assert tally.arrived[key] == 0
    kinds: dict[int, list[Kind]] = {}
    for record in tally.records:
        kinds.setdefault(record.number, []).append(record.kind)
    assert len(kinds) == ORDERS
    assert all(pair in ([Kind.REQUEST, Kind.ANSWER], [Kind.REQUEST, Kind.FAILURE]) for pair in kinds.values())
    answered = [belief for belief in tally.believed.values() if belief == "answered"]
    assert 0 < len(answered) < ORDERS  # it was a storm, and there was life in it


def test_r01_the_same_seed_gives_the_same_storm() -> None:
    runs: list[Any] = [simulate(storm, seed=7, faults=STORM) for _ in range(2)]
    assert runs[0].trace_hash == runs[1].trace_hash
    assert runs[0].unwrap().believed == runs[1].unwrap().believed
