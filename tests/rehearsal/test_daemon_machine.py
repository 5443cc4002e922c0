"""Whatever an operator, a kill or a crash does in whatever order: the daemon does what was wanted of it last.

The machine keeps what is wanted: which sessions run, where they trade, and whether trading is stopped. All of it
holds through the end of a life, and after each step the books agree with the brokers.
"""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from brokers.catalogue import Catalogue
from brokers.emulation.log import ACCEPTED
from brokers.errors import Code, CredentialError
from brokers.tokens.credentials import LoginId
from brokers.tokens.token_store import TokenStore
from config.settings import Settings, load
from runtime.errors import CallError
from runtime.simulation import SimulatedWorld
from sessions.control.api.deeds import Hands, move
from sessions.control.api.records import Move
from sessions.control.daemon.configuration import Configuration
from sessions.control.daemon.house import House
from sessions.control.rehearsal.agreement import difference
from sessions.control.rehearsal.cast import Cast, usual_source
from sessions.control.rehearsal.lives import STATE, Lives
from sessions.control.rehearsal.machine import Ground
from sessions.control.rehearsal.storm.actors import actors, chosen
from sessions.risk.desk import RiskDesk
from sessions.sessions import Condition, MoveRefused, Sessions
from tests.rehearsal.puppet import Puppet

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "0"))
NAMES = ("tradovate", "tradestation")
PATIENCE = 120.0  # simulated seconds until all agrees again after a step
SESSION = st.sampled_from(NAMES)


class Daemon(RuleBasedStateMachine):
    """A daemon with a session at each of two brokers, and the person at it."""

    cast: Cast
    lives: Lives
    puppet: Puppet

    @initialize(seed=st.integers(0, 7))
    def begin(self, seed: int) -> None:
        self.source = usual_source(NAMES, "ES", seed)
        self.runs = dict.fromkeys(NAMES, True)
        self.seat = {name: name for name in NAMES}
        self.stopped = False
        self.moves = 0
        self.puppet = Puppet(self._play, seed)
        self.puppet.do(self._settled)

    def teardown(self) -> None:
        if hasattr(self, "puppet"):
            self.puppet.end()

    async def _play(self, world: SimulatedWorld, puppet: Puppet) -> None:
        async with trio.open_nursery() as nursery:
            seen = load((self.source,), {}).settings
            self.cast = await Cast.enter(world, nursery, seen, Catalogue.shipped())
            ground = Ground.of(world)
            self.lives = Lives(ground, Configuration((), {}, (self.source, self.cast.source())), Settings(), STATE)
            self.lives.settings = self.lives.configuration.whole(self.lives.place, world.disk).settings
            await self.cast.credit(ground.life().world, STATE)
            nursery.start_soon(self.lives.run)
            await puppet.steps()
            self.lives.finish()
            with trio.move_on_after(60):
                await self.lives.done.wait()
            nursery.cancel_scope.cancel()

    def do(self, work: Callable[[House], Awaitable[Any]]) -> Any:
        """One step at the daemon that is up, and time until all agrees again."""

        async def step() -> Any:
            house = self.lives.house
            assert house is not None
            try:
                return await work(house)
            finally:
                await self._settled()

        return self.puppet.do(step)

    async def _settled(self) -> None:
        """Waits until everything is whole; fails when that takes too long."""
        await trio.sleep(0.05)  # what was begun takes effect
        with trio.move_on_after(PATIENCE) as waiting:
            while await self._lacking():  # noqa: ASYNC110 - what is compared lies on two sides and has no event
                await trio.sleep(0.5)
        assert not waiting.cancelled_caught, f"after {PATIENCE:g} s: {await self._lacking()}"

    async def _lacking(self) -> str:
        return await difference(self.cast, self.lives) or await self._unwanted()

    async def _unwanted(self) -> str:
        house = self.lives.house
        if house is None:
            return "the daemon is not up"
        try:
            rows = {one.session: one for one in await house.sessions.call(Sessions.statuses)}
        except CallError as error:
            return str(error)
        wrong = (
            f"{name} should run: {runs}, and it is {rows[name]}"
            for name, runs in self.runs.items()
            if (rows[name].wanted, rows[name].condition is Condition.RUNNING) != (runs, runs)
        )
        return next(wrong, "")

    # What a person does.

    @rule(session=SESSION)
    def start(self, session: str) -> None:
        self.runs[session] = True
        self.do(lambda house: house.sessions.call(Sessions.start, session))

    @rule(session=SESSION)
    def stop(self, session: str) -> None:
        self.runs[session] = False
        self.do(lambda house: house.sessions.call(Sessions.halt, session))

    @rule(session=SESSION)
    @precondition(lambda self: any(self.runs.values()))
    def restart(self, session: str) -> None:
        if self.runs[session]:
            self.do(lambda house: house.sessions.call(Sessions.restart, session))

    @rule(session=SESSION, to=SESSION, flatten=st.booleans())
    def move(self, session: str, to: str, *, flatten: bool) -> None:
        if not self.runs[session]:
            return
        self.moves += 1
        account = self.lives.settings.brokers[to].accounts[0]
        command = Move(f"move {self.moves}", session, account, to, flatten=flatten)
        try:
            self.do(lambda house: move(Hands(house, self.lives.configuration), command))
        except MoveRefused as refused:
            note(str(refused))
        else:
            self.seat[session] = to

    @rule()
    def halt(self) -> None:
        self.stopped = True
        self.do(lambda house: house.risk.call(RiskDesk.halt, "a test"))

    @rule()
    @precondition(lambda self: self.stopped)
    def resume(self) -> None:
        self.stopped = False
        self.do(lambda house: house.risk.call(RiskDesk.resume, "a test"))

    @rule(broker=SESSION)
    def refresh(self, broker: str) -> None:
        async def ask(house: House) -> None:
            store = house.runtime.name(LoginId(broker, "main", "paper").store_key, TokenStore)
            before = await store.call(TokenStore.token)
            try:
                after = await store.call(TokenStore.refresh_now, before.generation)
            except CredentialError as refused:
                if refused.code is not Code.SESSION_EXPIRED:  # it was refreshed a moment ago, and brokers mind that
                    raise
            else:
                assert after.generation > before.generation

        self.do(ask)

    # What happens to it.

    @rule(share=st.floats(0, 0.999))
    def crash(self, share: float) -> None:
        async def crash(house: House) -> None:
            cell = chosen(actors(house, ""), f"{share:.3f}")
            assert cell is not None
            cell.crash(RuntimeError("crashed by a test"))

        self.do(crash)

    @rule(pause=st.sampled_from((0.1, 2.0, 30.0)), power=st.booleans())
    def kill(self, pause: float, *, power: bool) -> None:
        async def step() -> None:
            self.lives.cut(pause)
            if power:
                self.lives.ground.world.disk.power_cut()
                self.lives.ground.world.disk.power_on()
            await self._settled()

        self.puppet.do(step)

    @rule(seconds=st.sampled_from((5.0, 40.0)))
    def wait(self, seconds: float) -> None:
        self.do(partial(_wait, seconds))

    # What must be true.

    @invariant()
    def trading_is_stopped_as_long_as_nobody_resumed(self) -> None:
        if hasattr(self, "puppet"):
            house = self.lives.house
            assert house is not None
            assert (house.switch.mark is not None) == self.stopped

    @invariant()
    def each_session_trades_where_it_was_moved_to(self) -> None:
        if hasattr(self, "puppet"):
            house = self.lives.house
            assert house is not None
            assert {name: one.broker for name, one in house.settings.sessions.items()} == self.seat

    @invariant()
    def no_order_of_ours_is_at_a_broker_twice(self) -> None:
        if hasattr(self, "puppet"):
            for emulator in self.cast.emulators.values():
                clients = [one.facts.get("client") for one in emulator.log.entries if one.kind == ACCEPTED]
                ours = [one for one in clients if one]
                assert len(ours) == len(set(ours))


async def _wait(seconds: float, _: House) -> None:
    await trio.sleep(seconds)


TestDaemon = Daemon.TestCase
TestDaemon.settings = settings(
    max_examples=100 * NIGHTLY or 3,
    stateful_step_count=30 if NIGHTLY else 8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink] if NIGHTLY else [Phase.generate],
)
