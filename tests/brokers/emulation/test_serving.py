"""An emulator as a whole: over loopback, from a seed twice, late by its latency, and gone when it ends."""

import json

import pytest
import trio

from brokers.emulation import FaultError, ready_record
from brokers.emulation.table import EMULATORS
from runtime.real import real_world
from runtime.simulation import SimulatedWorld, simulate
from tests.brokers.emulation.kit import Client, played, running, scene
from tests.brokers.tradestation.emulator.words import ORDERS, PLACE, held, limit, market, order, place, stop


async def busy(client: Client) -> list[str]:
    """A little of everything."""
    async with client.stream(ORDERS) as feed:
        await feed.snapshot()
        bid, ask = await market(client)
        first = await place(client, order(quantity=3))
        exits = [limit("SELL", ask + 20, 2), stop("SELL", bid - 20, 2)]
        await place(client, limit("BUY", ask + 5, 2, OSOs=[{"Type": "BRK", "Orders": exits}]))
        await client.ask("PUT", f"{PLACE}/{first}", {"Quantity": "4"})
        lines = []
        with trio.move_on_after(90):
            while True:
                lines.append((await feed.line()).decode())
    return lines


async def talk(client: Client) -> None:
    """Login, stream, place, fill, replace, cancel, and a broken line."""
    symbol = (await client.get("/v3/marketdata/symbols/@ES"))["Symbols"][0]["Underlying"]
    async with client.stream(ORDERS) as feed:
        await feed.snapshot()
        bid, ask = await market(client, symbol)
        filled = await place(client, limit("BUY", ask + 5, Symbol=symbol))
        assert (await feed.statuses(filled, "FLL"))[-1]["StatusDescription"] == "Filled"
        resting = await place(client, limit("BUY", bid - 200, Symbol=symbol))
        assert (await client.ask("PUT", f"{PLACE}/{resting}", {"Quantity": "2"})).status == 200
        assert (await client.ask("DELETE", f"{PLACE}/{resting}")).status == 200
        assert (await feed.statuses(resting, "OUT"))[-1]["Legs"][0]["QuantityOrdered"] == "2"
        client.emulator.faults.on("reset=after")
        with pytest.raises((EOFError, trio.BrokenResourceError)):
            await client.ask("POST", PLACE, limit("BUY", bid - 200, Symbol=symbol))
        client.emulator.faults.on("refuse-connects=0.2")
        await held(client)
        await trio.sleep(0.05)
        with pytest.raises(OSError, match=r"all attempts to connect|refused"):
            await client.connect()
        await trio.sleep(0.4)
        assert await held(client) == {symbol: "1"}


async def test_the_same_emulator_serves_real_sockets_on_loopback() -> None:
    with trio.fail_after(30):
        await running(real_world(), talk, "tradestation")


def test_the_same_seed_gives_the_same_log_and_the_same_stream() -> None:
    def run(seed: int) -> tuple[list[str], str, str]:
        async def play(client: Client) -> tuple[list[str], str]:
            lines = await busy(client)
            return lines, client.emulator.log.digest

        result = scene(play, "external-order", "update-twice", seed=seed)
        return *result.unwrap(), result.trace_hash

    first = run(3)
    assert first == run(3)
    assert len(first[0]) > 10
    assert first[1] != run(4)[1]


def test_the_latency_counts_each_way_and_streams_are_late_but_not_slow() -> None:
    async def play(client: Client) -> None:
        begun = trio.current_time()
        await client.get("/v3/brokerage/accounts")
        assert trio.current_time() - begun == pytest.approx(0.5, abs=0.01)
        async with client.stream("/v3/marketdata/stream/quotes/@ES") as feed:
            await feed.next()
            begun = trio.current_time()
            for _ in range(40):
                await feed.next()
            assert trio.current_time() - begun < 20, "frames do not wait for one another"

    played(play, latency=0.25)


def test_a_switch_that_cannot_be_ends_the_emulator_before_it_listens() -> None:
    async def main(world: SimulatedWorld) -> None:
        with pytest.raises(FaultError, match="no tickets"):
            await EMULATORS["tradestation"](world, faults=["ticket"])
        await world.network.listen("127.0.0.1", 49152)

    simulate(main, seed=1).unwrap()


def test_the_port_is_free_again_when_the_emulator_has_ended() -> None:
    async def main(world: SimulatedWorld) -> None:
        for _ in range(2):
            async with trio.open_nursery() as nursery:

                async def serve(task_status: trio.TaskStatus[object]) -> None:
                    await EMULATORS["tradestation"](world, port=8123, task_status=task_status)

                emulator = await nursery.start(serve)
                record = ready_record(emulator)
                assert record["http"] == "http://127.0.0.1:8123"
                assert json.loads(json.dumps(record)) == record
                nursery.cancel_scope.cancel()

    simulate(main, seed=1).unwrap()


def test_no_credential_is_ever_logged() -> None:
    async def play(client: Client) -> None:
        await place(client, order())
        text = "\n".join(map(str, client.emulator.log.entries))
        for secret in (client.token, *client.emulator.credentials.values()):
            assert secret not in text

    played(play)
