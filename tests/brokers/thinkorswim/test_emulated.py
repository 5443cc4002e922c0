"""The room against the emulated broker, which others wrote from the same notes: login, stream, faults, questions."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import attrs
import trio

from brokers.broker import Broker
from brokers.emulation import Emulator
from brokers.gateway import FeedGateway, LinkNews
from brokers.market import Bar, Interval, MarketEvent, Quote, Trade
from brokers.thinkorswim import Activity, Evicted, Quarantined, ThinkorswimSettings, open_thinkorswim
from brokers.thinkorswim.emulator import Manners, emulate
from brokers.tokens.credentials import Credential
from brokers.tokens.token_set import Kept, TokenSet, with_kept
from brokers.tokens.token_store import TokenStore
from runtime import Name, open_runtime
from runtime.simulation import SimulatedWorld, simulate
from runtime.wire.http import HttpClient
from runtime.wire.http_messages import HttpRequest
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor
from runtime.wire.secret import Secret
from tests.brokers.thinkorswim.emulator.kit import order
from tests.brokers.tokens.kit import MemoryShelf

T = TypeVar("T")
ES, AAPL = "ESH26", "AAPL"
SECOND_NS = 1_000_000_000


@attrs.define(eq=False)
class Scene:
    """A broker over its emulator."""

    world: SimulatedWorld
    broker: Broker
    emulator: Emulator
    heard: list[MarketEvent | LinkNews]
    told: list[Any]
    store: Name[TokenStore]

    @property
    def feed(self) -> FeedGateway:
        return self.broker.need_feed()

    @property
    def links(self) -> list[bool]:
        return [one.up for one in self.heard if isinstance(one, LinkNews)]

    def of(self, kind: type[T], symbol: str) -> list[T]:
        return [one for one in self.heard if isinstance(one, kind) and getattr(one, "symbol", "") == symbol]


def settings_for(emulator: Emulator, **more: Any) -> ThinkorswimSettings:
    """The emulator shows the sizes of stocks in shares."""
    socket = (emulator.ws or "").removesuffix("/ws")
    return ThinkorswimSettings(api=emulator.http, streamer=socket, lot_shares=1, **more)


def shelf_for(emulator: Emulator, settings: ThinkorswimSettings, wall_ns: int) -> MemoryShelf:
    """A shelf whose access token has ended, so that the first thing is a refresh."""
    said, shelf = emulator.credentials, MemoryShelf()
    fields = {name: Secret(said[name]) for name in ("client_id", "client_secret")}
    tokens = TokenSet(Secret("ended-long-ago"), Secret(said["refresh_token"]), wall_ns - SECOND_NS, wall_ns)
    shelf.credentials[settings.login_id] = with_kept(Credential(settings.login_id, fields, 1), Kept(tokens, 1))
    return shelf


@asynccontextmanager
async def scene(world: SimulatedWorld, *faults: str, manners: Manners, **more: Any) -> AsyncIterator[Scene]:
    async with trio.open_nursery() as nursery:
        served = partial(emulate, world, seed=1, symbols=(ES, "ESM26", AAPL), faults=faults, manners=manners)
        emulator: Emulator = await nursery.start(served)
        settings = settings_for(emulator, **more)
        told: list[Any] = []
        async with open_runtime(world) as runtime:
            shelf = shelf_for(emulator, settings, world.clock.wall_ns())
            broker = await open_thinkorswim(runtime, settings, shelf=shelf, tell=told.append)
            here = Scene(world, broker, emulator, [], told, runtime.name(settings.login_id.store_key, TokenStore))
            here.feed.listen(here.heard.append)
            await trio.sleep(1)
            yield here
        nursery.cancel_scope.cancel()


def played(play: Callable[[Scene], Awaitable[None]], *faults: str, manners: Manners | None = None, **more: Any) -> None:
    async def main(world: SimulatedWorld) -> None:
        async with scene(world, *faults, manners=manners or Manners(), **more) as here:
            await play(here)

    simulate(main, seed=1, limit_seconds=86_400.0).unwrap()


def test_login_stream_and_history_against_the_emulated_broker() -> None:
    async def play(here: Scene) -> None:
        for symbol in (ES, AAPL, "ES"):
            await here.feed.subscribe(symbol)
            await here.feed.subscribe_bars(symbol, Interval.parse("1m"))
        await trio.sleep(150)
        for symbol in (ES, AAPL, "ES"):
            assert here.of(Quote, symbol)
            assert all(
                quote.bid is None or quote.ask is None or quote.bid < quote.ask for quote in here.of(Quote, symbol)
            )
        assert here.of(Trade, ES)
        minutes = here.of(Bar, AAPL)
        assert minutes
        now = here.world.clock.wall_ns()
        history = await here.broker.historical_bars(AAPL, Interval.parse("1m"), now - 600 * SECOND_NS, now)
        by_close = {bar.time_ns: bar for bar in history}
        assert all(by_close[bar.time_ns] == bar for bar in minutes)  # history joins the live bars
        assert here.links == [True]
        assert [one for one in here.told if isinstance(one, Quarantined)] == []

    played(play)


async def order_by_hand(here: Scene) -> None:
    """Somebody sells a stock in another program of the broker."""
    token = await here.store.call(TokenStore.token)
    client = HttpClient(here.world.network, AllowList(here.emulator.http), Redactor())
    root, said = f"{here.emulator.http}/trader/v1/accounts", {"Authorization": f"Bearer {token.access.reveal()}"}
    (account, *_) = json.loads((await client.send(HttpRequest("GET", f"{root}/accountNumbers", said))).body)
    body = json.dumps(order("BUY", 1)).encode()
    said |= {"Content-Type": "application/json"}
    placed = await client.send(HttpRequest("POST", f"{root}/{account['hashValue']}/orders", said, body))
    assert placed.status == 201
    await client.aclose()


def test_account_activity_is_told_where_it_is_asked_for() -> None:
    async def play(here: Scene) -> None:
        await here.feed.subscribe(AAPL)
        await trio.sleep(2)
        await order_by_hand(here)
        await trio.sleep(10)
        heard = [one for one in here.told if isinstance(one, Activity)]
        if not wanted:
            assert heard == []
            return
        kinds = [one.kind for one in heard]
        assert kinds[:2] == ["OrderCreated", "OrderAccepted"]
        assert "OrderFillCompleted" in kinds
        assert len({one.order_id for one in heard}) == 1
        assert {one.account for one in heard} == {here.emulator.accounts[0][-4:]}
        assert [one for one in here.told if isinstance(one, Quarantined)] == []
        assert here.links == [True]

    for wanted in (True, False):
        played(play, activity=wanted)


def test_every_manner_of_the_streamer_will_do() -> None:
    async def play(here: Scene) -> None:
        await here.feed.subscribe(ES)
        await trio.sleep(30)
        assert here.of(Quote, ES)
        assert here.links == [True]

    played(play, manners=Manners(numbered_success=True, evict_in_response=True, knows_qos=True))


def test_instruments_of_the_emulated_broker_agree_with_the_table() -> None:
    async def play(here: Scene) -> None:
        found = {one.symbol: one for one in await here.feed.instruments()}
        known = here.broker.catalogue.instrument(ES)
        assert {ES, AAPL} <= set(found)
        assert (found[ES].tick, found[ES].multiplier, found[ES].expiry) == (known.tick, known.multiplier, known.expiry)

    played(play)


def test_F01_the_stream_comes_back_after_a_drop() -> None:
    async def play(here: Scene) -> None:
        await here.feed.subscribe(ES)
        await trio.sleep(60)
        assert here.links == [True, False, True]
        before = len(here.of(Quote, ES))
        await trio.sleep(30)
        assert len(here.of(Quote, ES)) > before

    played(play, "stream-drop=9")


def test_F03_a_half_open_stream_is_noticed_within_a_minute() -> None:
    async def play(here: Scene) -> None:
        await here.feed.subscribe(ES)
        await trio.sleep(62)
        assert here.links[:2] == [True, False]
        await trio.sleep(60)
        assert here.links[-1]

    played(play, "half-open=9")


def test_F11_a_refresh_in_mid_stream_costs_no_quote() -> None:
    async def play(here: Scene) -> None:
        await here.feed.subscribe(ES)
        await trio.sleep(35)
        token = await here.store.call(TokenStore.token)
        await here.store.call(TokenStore.refresh_now, token.generation)
        before = len(here.of(Quote, ES))
        await trio.sleep(10)
        assert here.links == [True]
        assert len(here.of(Quote, ES)) > before

    played(play)


def test_a_second_login_of_the_same_person_evicts_us_and_we_stay_away() -> None:
    async def play(here: Scene) -> None:
        await here.feed.subscribe(ES)
        other_settings = settings_for(here.emulator)
        async with open_runtime(here.world) as runtime:
            shelf = shelf_for(here.emulator, other_settings, here.world.clock.wall_ns())
            other = await open_thinkorswim(runtime, other_settings, shelf=shelf)
            await other.need_feed().subscribe(ES)
            await trio.sleep(120)
            assert here.links == [True, False]
            assert [type(one) for one in here.told if isinstance(one, Evicted)] == [Evicted]
        await trio.sleep(300)
        assert here.links == [True, False, True]

    played(play)
