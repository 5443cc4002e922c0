"""The emulator as a whole: over loopback, from a seed twice, late by its latency, and silent about credentials."""

import json

import pytest
import trio

from brokers.catalogue import Catalogue
from brokers.emulation import FaultError, ready_record
from brokers.thinkorswim.emulator import ACCOUNTS, APP, emulate
from brokers.thinkorswim.emulator.names import listed
from runtime.real import real_world
from runtime.simulation import SimulatedWorld, simulate
from tests.brokers.thinkorswim.emulator.kit import Client, limit, located, order, played, running, scene


async def talk(client: Client) -> list[str]:
    """Login, stream, place, fill, replace and cancel."""
    async with client.socket() as socket:
        await socket.watch_account()
        assert (await socket.ask("LEVELONE_FUTURES", "SUBS", keys="/ES", fields="0,1,2,3,8"))["code"] == 0
        (quote,) = await socket.data("LEVELONE_FUTURES")
        assert quote["key"] == "/ES"
        lines = [json.dumps(quote, default=str)]
        bid, ask = await client.market()
        await client.place(limit("BUY", ask + 5))
        lines += await socket.types("OrderFillCompleted")
        resting = await client.place(limit("BUY", bid - 50))
        new = located(await client.ask("PUT", f"{client.of()}/orders/{resting}", limit("BUY", bid - 51)))
        assert (await client.ask("DELETE", f"{client.of()}/orders/{new}")).status == 200
        for _ in range(2):
            lines += await socket.types("OrderUROutCompleted")
        lines += [str(await socket.data("LEVELONE_FUTURES")) for _ in range(5)]
    assert (await client.held())["AAPL"] >= 10
    return lines


async def test_the_same_emulator_serves_real_sockets_on_loopback() -> None:
    world = real_world()
    front = listed(Catalogue.shipped(), world.clock.wall_ns())[0]
    with trio.fail_after(30):
        lines = await running(world, talk, symbols=(front, "AAPL"))
    assert lines.count("OrderUROutCompleted") == 2


def test_the_same_seed_gives_the_same_log_and_the_same_stream() -> None:
    def run(seed: int) -> tuple[list[str], str, str]:
        async def play(client: Client) -> tuple[list[str], str]:
            return await talk(client), client.emulator.log.digest

        result = scene(play, "external-order@1", "update-twice@8", seed=seed)
        return *result.unwrap(), result.trace_hash

    first = run(3)
    assert first == run(3)
    assert first[1] != run(4)[1]


def test_the_latency_counts_each_way_for_requests_and_commands() -> None:
    async def play(client: Client) -> None:
        begun = trio.current_time()
        await client.get("/trader/v1/accounts")
        assert trio.current_time() - begun == pytest.approx(0.5, abs=0.01)
        async with client.socket() as socket:
            begun = trio.current_time()
            await socket.ask("LEVELONE_FUTURES", "SUBS", keys="/ES", fields="0,1,2,3,8")
            assert trio.current_time() - begun == pytest.approx(0.51, abs=0.01)
            await socket.data("LEVELONE_FUTURES")
            begun = trio.current_time()
            for _ in range(20):
                await socket.data("LEVELONE_FUTURES")
            assert trio.current_time() - begun < 12, "messages do not wait for one another"

    played(play, latency=0.25)


def test_the_ready_record_names_both_addresses_and_what_is_accepted() -> None:
    async def play(client: Client) -> None:
        record = ready_record(client.emulator)
        assert json.loads(json.dumps(record)) == record
        assert record["broker"] == "thinkorswim"
        assert record["http"].startswith("http://127.0.0.1:")
        assert record["ws"] == record["http"].replace("http", "ws") + "/ws"
        assert record["accounts"] == list(ACCOUNTS)
        assert record["credentials"].keys() == {"client_id", "client_secret", "redirect_uri", "refresh_token"}
        (info,) = (await client.get("/trader/v1/userPreference"))["streamerInfo"]
        assert info["streamerSocketUrl"] == record["ws"]

    played(play)


def test_a_switch_that_cannot_be_ends_the_emulator_before_it_listens() -> None:
    async def main(world: SimulatedWorld) -> None:
        for switch in ("ticket", "refuse-order", "fill-two-ids"):
            with pytest.raises(FaultError):
                await emulate(world, faults=[switch])

    simulate(main, seed=1).unwrap()


def test_no_credential_is_ever_logged() -> None:
    async def play(client: Client) -> None:
        async with client.socket():
            await client.place(order())
        text = "\n".join(map(str, client.emulator.log.entries))
        for secret in (client.token, APP.secret, client.emulator.credentials["refresh_token"]):
            assert secret not in text

    played(play)
