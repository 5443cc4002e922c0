"""Bars that a person follows at each broker: its own stream of them, over its own protocol, equal to its history."""

import pytest
import trio

from brokers.catalogue import Catalogue
from brokers.market import Bar
from config.settings import Settings, load
from runtime.simulation import SimulatedWorld, simulate
from sessions.control.api.live_bars import follow_bars
from sessions.control.api.reads import bars
from sessions.control.api.tail import Tail
from sessions.control.daemon.configuration import Configuration
from sessions.control.rehearsal.cast import Cast, usual_source
from sessions.control.rehearsal.lives import STATE, Lives
from sessions.control.rehearsal.machine import Ground

MINUTES = 2


@pytest.mark.parametrize("name", ["tradestation", "tradovate"])
def test_followed_bars_are_those_of_the_history_and_one_comes_each_minute(name: str) -> None:
    async def play(world: SimulatedWorld) -> None:
        async with trio.open_nursery() as nursery:
            source = usual_source((name,), "ES", 3)
            cast = await Cast.enter(world, nursery, load((source,), {}).settings, Catalogue.shipped())
            ground = Ground.of(world)
            lives = Lives(ground, Configuration((), {}, (source, cast.source())), Settings(), STATE)
            lives.settings = lives.configuration.whole(lives.place, world.disk).settings
            await cast.credit(ground.life().world, STATE)
            nursery.start_soon(lives.run)
            while lives.house is None or name not in lives.house.brokers:  # noqa: ASYNC110 - it tells no such event
                await trio.sleep(1)
            house, catalogue = lives.house, lives.house.catalogue
            front = catalogue.front("ES", catalogue.calendar("ES").trading_day(world.clock.wall_ns()))
            query = {"broker": name, "symbol": front.symbol, "interval": "1m", "count": "2"}
            await trio.sleep(130)  # the market has a past
            tail = Tail()
            await nursery.start(follow_bars, house, query, tail)
            await trio.sleep(60 * MINUTES)
            told = [one for one in tail.waiting if isinstance(one, Bar)]
            assert len(told) == 2 + MINUTES
            assert tuple(told) == await bars(house, {**query, "count": str(len(told))})
            nursery.cancel_scope.cancel()

    simulate(play, seed=3).unwrap()
