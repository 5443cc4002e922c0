"""The token store in simulation: a rotating OAuth server, live streams, faults, restarts and ends at every step."""

import base64
import json
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import attrs
import pytest
import trio

from brokers.errors import Code, CredentialError
from brokers.tokens.news import CredentialLost, CredentialRegained, LoginEnding
from brokers.tokens.oauth2 import ClientProof
from brokers.tokens.token_set import Kept, kept_in, with_kept
from brokers.tokens.token_store import TokenStore
from runtime import Ref
from runtime.errors import ActorGone, CallError
from runtime.reasons import Normal
from runtime.simulation import ConnectFailure, SimulatedWorld, simulate
from runtime.wire.log_guard import guard_logs
from runtime.wire.redaction import Redactor
from runtime.wire.secret import Secret
from tests.brokers.tokens.kit import (
    CANARY,
    HOUR_NS,
    LOGIN,
    NIGHTLY,
    ORIGIN,
    SECOND_NS,
    Died,
    House,
    MemoryShelf,
    OAuthServer,
    house,
    logged_in_shelf,
)
from tests.runtime.simulation.rehearsal import rehearsed

DAY_NS = 24 * HOUR_NS
DEAF_SECONDS = 0.4
GLANCE_SECONDS = 0.5


def kill(*refs: Ref[Any] | None) -> None:
    for ref in refs:
        if ref is not None:
            ref.kill()


def lost(home: House) -> bool:
    """What trading was told last."""
    told = [each for each in home.news if not isinstance(each, LoginEnding)]
    return isinstance(told[-1], CredentialLost)


@rehearsed
async def test_a_day_of_refreshes_one_at_a_time_and_the_streams_always_on_the_newest(world: SimulatedWorld) -> None:
    server = OAuthServer()
    shelf = logged_in_shelf(server, world.clock.wall_ns())
    async with house(world, shelf, server, streams=3) as home:
        for _ in range(24 * 6):
            await trio.sleep(600)
            newest = shelf.kept.generation
            assert [stream.generation() for stream in home.streams()] == [newest] * 3
        status = await home.store.call(TokenStore.status)
        assert (status.why_not, status.lost, status.generation) == ("", False, shelf.kept.generation)
        assert status.next_refresh_ns is not None
        assert status.last_refresh_ns is not None
        assert status.last_refresh_ns <= world.clock.wall_ns() < status.next_refresh_ns < (status.expires_ns or 0)
        assert home.news == [CredentialRegained(LOGIN)]
    assert server.most_running == 1
    assert server.locked_out == 0
    assert 72 <= len(server.refreshes) <= 90


@rehearsed
async def test_f11_a_hundred_refusals_at_once_cost_one_refresh(world: SimulatedWorld) -> None:
    server = OAuthServer()
    tokens = []
    async with house(world, logged_in_shelf(server, world.clock.wall_ns()), server) as home:
        seen = await home.store.call(TokenStore.token)

        async def refused() -> None:
            tokens.append(await home.store.call(TokenStore.refresh_now, seen.generation))

        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(refused)
        assert {token.generation for token in tokens} == {2}
        again = await home.store.call(TokenStore.refresh_now, 1)
        assert again.generation == 2, "somebody late with the old token gets the new one"
        with pytest.raises(CredentialError) as raised:
            await home.store.call(TokenStore.refresh_now, 2)
        assert raised.value.code is Code.SESSION_EXPIRED
        assert 0 < (raised.value.retry_after_ns or 0) <= 30 * SECOND_NS
        await trio.sleep(45)
        assert (await home.store.call(TokenStore.token)).generation == 3, "it was refused, so it is replaced in time"
    assert len(server.refreshes) == 2


@rehearsed
async def test_f11_a_server_that_is_down_degrades_at_the_end_of_the_token_and_recovers(world: SimulatedWorld) -> None:
    server = OAuthServer()
    async with house(world, logged_in_shelf(server, world.clock.wall_ns()), server) as home:
        server.down = True
        await trio.sleep(1150)
        assert not lost(home)
        assert "503" in (await home.store.call(TokenStore.status)).why_not
        await trio.sleep(60)
        assert lost(home)
        with pytest.raises(CredentialError):
            await home.store.call(TokenStore.token)
        await trio.sleep(3600)
        server.down = False
        await trio.sleep(311)
        assert not lost(home)
        assert (await home.store.call(TokenStore.token)).generation == 2
        assert [type(each) for each in home.news] == [CredentialRegained, CredentialLost, CredentialRegained]
    assert len(server.refreshes) <= 60


@rehearsed
async def test_f11_a_revoked_login_is_lost_at_once_asked_once_and_good_again_after_a_person(
    world: SimulatedWorld,
) -> None:
    server = OAuthServer()
    shelf = logged_in_shelf(server, world.clock.wall_ns())
    async with house(world, shelf, server, streams=1) as home:
        server.good_refresh = []
        await trio.sleep(1200)
        assert lost(home)
        assert "pitboss login tradestation" in str(home.news[-1])
        await trio.sleep(3 * 3600)
        assert server.locked_out == 1
        with pytest.raises(CredentialError) as raised:
            await home.store.call(TokenStore.token)
        assert raised.value.code is Code.HUMAN_NEEDED
        used = await home.store.call(TokenStore.use, server.log_in(world.clock.wall_ns()))
        assert used.generation == 2
        assert shelf.kept.generation == 2, "it is durable when the person is told so"
        assert not lost(home)
        await trio.sleep(10)
        assert home.streams()[0].generation() == 2


@rehearsed
async def test_f11_r23_a_login_that_another_process_put_on_the_shelf_is_noticed_within_a_poll(
    world: SimulatedWorld,
) -> None:
    server = OAuthServer()
    shelf = logged_in_shelf(server, world.clock.wall_ns())
    async with house(world, shelf, server, streams=1) as home:
        server.good_refresh = []
        await trio.sleep(3600)
        assert (lost(home), server.locked_out) == (True, 1)
        found = await shelf.get(LOGIN)
        await shelf.put(with_kept(found, Kept(server.log_in(world.clock.wall_ns()), kept_in(found).generation + 1)))
        await trio.sleep(15)
        assert not lost(home)
        assert (await home.store.call(TokenStore.token)).generation == 2
        assert home.streams()[0].generation() == 2
        await trio.sleep(3 * 3600)
        assert (lost(home), server.locked_out) == (False, 1)


@rehearsed
async def test_f11_a_field_that_another_process_corrected_is_tried_once(world: SimulatedWorld) -> None:
    server = OAuthServer()
    shelf = logged_in_shelf(server, world.clock.wall_ns())
    async with house(world, shelf, server) as home:
        server.good_refresh = []
        await trio.sleep(3600)
        found = await shelf.get(LOGIN)
        await shelf.put(attrs.evolve(found, fields={**found.fields, "client_secret": Secret("another")}))
        await trio.sleep(3600)
        assert (lost(home), server.locked_out) == (True, 2)


@rehearsed
async def test_without_a_login_the_store_lives_and_says_what_to_do(world: SimulatedWorld) -> None:
    server = OAuthServer()
    async with house(world, MemoryShelf(None), server) as home:
        await trio.sleep(1)
        assert lost(home)
        assert "pitboss login" in (await home.store.call(TokenStore.status)).why_not
        token = await home.store.call(TokenStore.use, server.log_in(world.clock.wall_ns()))
        assert (token.generation, lost(home)) == (1, False)


@rehearsed
async def test_a_person_is_warned_days_ahead_of_a_login_by_hand(world: SimulatedWorld) -> None:
    server = OAuthServer(rotates=False)
    shelf = logged_in_shelf(server, world.clock.wall_ns())
    async with house(world, shelf, server) as home:
        tokens = attrs.evolve(
            server.log_in(world.clock.wall_ns()), refresh_expires_ns=world.clock.wall_ns() + 3 * DAY_NS
        )
        await home.store.call(TokenStore.use, tokens)
        await trio.sleep(1.5 * 86400)
        (warning,) = [each for each in home.news if isinstance(each, LoginEnding)]
        assert "in 2 d 0 h;" in str(warning)
        assert "pitboss login tradestation" in str(warning)
        status = await home.store.call(TokenStore.status)
        assert status.login_ends_ns == tokens.refresh_expires_ns


@pytest.mark.parametrize("leap", [-(10**6), -3600, 3600, 10**6])
@rehearsed
async def test_a_wall_that_leaps_costs_one_refresh_and_nothing_else(world: SimulatedWorld, leap: int) -> None:
    server = OAuthServer()
    async with house(world, logged_in_shelf(server, world.clock.wall_ns()), server, streams=1) as home:
        await trio.sleep(300)
        world.clock.step(leap * SECOND_NS)
        await trio.sleep(60)
        assert len(server.refreshes) == (leap > 0)
        await trio.sleep(4 * 3600)
        assert 12 <= len(server.refreshes) <= 17
        assert not lost(home)
        assert [type(each) for each in home.news] == [CredentialRegained]


@rehearsed
async def test_f12_tokens_found_from_before_a_leap_of_the_wall_are_not_believed_longer_than_they_lived(
    world: SimulatedWorld,
) -> None:
    server = OAuthServer()
    shelf = logged_in_shelf(server, world.clock.wall_ns())
    world.clock.step(-(10**7) * SECOND_NS)
    async with house(world, shelf, server):
        await trio.sleep(1200)
        assert len(server.refreshes) == 1


@rehearsed
async def test_f12_a_stream_whose_push_is_lost_is_told_within_a_poll(world: SimulatedWorld) -> None:
    server = OAuthServer()
    async with house(world, logged_in_shelf(server, world.clock.wall_ns()), server, streams=1) as home:
        (stream,) = home.parts.streams.lookup(LOGIN.stream_key)
        home.parts.streams.unregister(LOGIN.stream_key, stream[0])
        await home.store.call(TokenStore.refresh_now, 1)
        home.parts.streams.register(LOGIN.stream_key, *stream)
        await trio.sleep(10.1)
        assert home.streams()[0].generation() == 2


@rehearsed
async def test_s58_a_disk_that_refuses_delays_the_new_token_and_never_loses_it(world: SimulatedWorld) -> None:
    server = OAuthServer()
    shelf = logged_in_shelf(server, world.clock.wall_ns())
    async with house(world, shelf, server) as home:
        shelf.failing = 40
        with trio.fail_after(30), pytest.raises(CredentialError, match="cannot be saved"):
            await home.store.call(TokenStore.refresh_now, 1)
        assert shelf.kept.generation == 1
        assert (await home.store.call(TokenStore.token)).generation == 1
        status = await home.store.call(TokenStore.status)
        assert "tried again" in status.why_not
        assert CANARY not in status.why_not
        await trio.sleep(120)
        assert (await home.store.call(TokenStore.token)).generation == 2
        assert shelf.kept.generation == 2
    assert len(server.refreshes) == 1


@rehearsed
async def test_f13_a_hold_outlives_the_store_that_was_told_of_it(world: SimulatedWorld) -> None:
    server = OAuthServer()
    shelf = logged_in_shelf(server, world.clock.wall_ns())
    async with house(world, shelf, server) as home:
        server.failing.append((429, {}))
        with pytest.raises(CredentialError, match="too many requests") as raised:
            await home.store.call(TokenStore.refresh_now, 1)
        assert raised.value.retry_after_ns == 60 * SECOND_NS
        await trio.sleep(1)
        assert shelf.kept.tokens is not None, "the tokens stay where they were"
        for _ in range(5):
            kill(home.store.resolve())
            await trio.sleep(1)
            with pytest.raises(CredentialError):
                await home.store.call(TokenStore.refresh_now, 1)
        assert len(server.refreshes) == 1
        await trio.sleep(70)
        assert (await home.store.call(TokenStore.token)).generation == 2
        assert shelf.kept.not_before_ns == 0, "a success ends the hold"


@rehearsed
async def test_i13_the_tokens_of_now_are_masked_in_any_text_and_those_of_long_ago_are_let_go(
    world: SimulatedWorld,
) -> None:
    server, redactor = OAuthServer(), Redactor()
    async with house(world, logged_in_shelf(server, world.clock.wall_ns()), server, redactor=redactor) as home:
        assert redactor.text("at-1-Canary+/~ rt-1-Canary+/~") == "*** ***"
        for generation in range(1, 6):
            await home.store.call(TokenStore.refresh_now, generation)
            await trio.sleep(31)
        assert (
            redactor.text("at-6-Canary+/~ rt-6-Canary+/~ at-5-Canary+/~ at-1-Canary+/~") == "*** *** *** at-1-Canary+/~"
        )


def steps_until(seconds: float, count: int) -> list[float]:
    return [seconds * (number + 0.5) / count for number in range(count)]


@pytest.mark.parametrize("end", ["kill", "stop", "crash"])
@pytest.mark.parametrize("after", steps_until(0.16, 10 * min(NIGHTLY, 20)))
def test_s58_a_store_that_ends_at_any_step_of_a_refresh_is_never_locked_out(end: str, after: float) -> None:
    """The strict server: the moment it answers, the old refresh token is dead."""

    async def main(world: SimulatedWorld) -> None:
        server = OAuthServer()
        shelf = logged_in_shelf(server, world.clock.wall_ns(), slow=0.05)
        async with house(world, shelf, server) as home:
            store = await home.runtime.registry.wait_for(LOGIN.store_key)
            home.runtime.timers.after(after, lambda: end_it(store))
            with trio.move_on_after(5):
                with suppress(ActorGone):
                    await home.store.call(TokenStore.refresh_now, 1)
            await trio.sleep(1250)
            assert not lost(home)
            assert shelf.kept.tokens is not None
            assert shelf.kept.tokens.refresh is not None
            assert shelf.kept.tokens.refresh.reveal() in server.good_refresh
        assert server.locked_out == 0
        assert server.most_running == 1

    def end_it(store: Any) -> None:
        match end:
            case "kill":
                store.kill()
            case "stop":
                store.cell().request_stop(Normal())
            case _:
                store.cell().crash(RuntimeError("boom"))

    simulate(main, seed=int(after * 1000)).unwrap()


@pytest.mark.parametrize("step", ["before the answer", "before the save", "after the save"])
def test_s58_a_process_that_dies_at_any_step_comes_back_where_a_broker_keeps_the_token_until_its_successor_is_used(
    step: str,
) -> None:
    server = OAuthServer(lenient=True)
    shelves: list[MemoryShelf] = []

    async def first(world: SimulatedWorld) -> None:
        shelves.append(logged_in_shelf(server, world.clock.wall_ns()))
        async with house(world, shelves[0], server) as home:
            server.dies_at = shelves[0].dies_at = step
            await home.store.call(TokenStore.refresh_now, 1)

    async def second(world: SimulatedWorld) -> None:
        server.dies_at = shelves[0].dies_at = None
        async with house(world, shelves[0], server) as home:
            await trio.sleep(3600)
            assert not lost(home)

    died = simulate(first, seed=1).error
    assert died is not None
    assert isinstance(died, Died) or (isinstance(died, BaseExceptionGroup) and died.subgroup(Died))
    simulate(second, seed=2).unwrap()
    assert server.locked_out == 0


def test_s58_a_refresh_token_lost_with_the_process_at_a_strict_broker_calls_a_person_and_hammers_nobody() -> None:
    """What no client can prevent: the broker killed the old token, and the answer died with us."""
    server = OAuthServer()

    async def main(world: SimulatedWorld) -> None:
        shelf = logged_in_shelf(server, world.clock.wall_ns())
        server.good_refresh = ["the one that was lost on the way"]
        async with house(world, shelf, server) as home:
            await trio.sleep(7200)
            assert lost(home)
            assert server.locked_out == 1

    simulate(main, seed=1).unwrap()


@attrs.define
class Watch:
    """Looks over the streams' shoulders: how long after a publication is an older token still in use?"""

    home: House
    newest: int = 1
    since: float = 0.0
    worst: float = 0.0

    async def run(self) -> None:
        while True:
            await trio.sleep(GLANCE_SECONDS)
            now = trio.current_time()
            if self.home.shelf.kept.generation > self.newest:
                self.newest, self.since = self.home.shelf.kept.generation, now
            for stream in self.home.streams():
                generation = stream.generation()
                if generation is not None and generation < self.newest:
                    self.worst = max(self.worst, now - self.since)


def lose_push(home: House, _: random.Random) -> None:
    """A refresh whose push finds nobody: the streams are deaf for a moment."""
    entries = [(ref, on_token) for ref, on_token in home.parts.streams.lookup(LOGIN.stream_key)]
    for ref, _on_token in entries:
        home.parts.streams.unregister(LOGIN.stream_key, ref)
    home.store.cast(TokenStore.refresh_now, home.shelf.kept.generation)
    home.runtime.timers.after(DEAF_SECONDS, lambda: hear_again(home, entries))


def hear_again(home: House, entries: list[tuple[Ref[Any], Any]]) -> None:
    for ref, on_token in entries:
        if ref.alive:
            home.parts.streams.register(LOGIN.stream_key, ref, on_token)


ACTS: dict[str, Callable[[House, random.Random], object]] = {
    "calm": lambda _, __: None,
    "expire": lambda home, chance: setattr(home.server, "life", chance.choice([20, 90, 1200])),
    "down": lambda home, _: setattr(home.server, "down", True),
    "up": lambda home, _: setattr(home.server, "down", False),
    "odd": lambda home, chance: home.server.failing.append((chance.choice([400, 429, 500]), {})),
    "slow": lambda home, chance: setattr(home.server, "delay", chance.choice([0.05, 3.0])),
    "disk": lambda home, chance: setattr(home.shelf, "failing", chance.randint(1, 30)),
    "unreachable": lambda home, _: home.world.network.fail_connects("127.0.0.1", 7001, how=ConnectFailure.REFUSED),
    "reachable": lambda home, _: home.world.network.allow_connects("127.0.0.1", 7001),
    "leap": lambda home, chance: home.world.clock.step(chance.randint(-7200, 7200) * SECOND_NS),
    "kill store": lambda home, _: kill(home.store.resolve()),
    "kill stream": lambda home, chance: kill(*[stream.ref for stream in home.streams()[: chance.randint(1, 2)]]),
    "lose push": lose_push,
    "demand": lambda home, _: home.store.cast(TokenStore.refresh_now, home.shelf.kept.generation),
    "log in": lambda home, _: home.store.cast(TokenStore.use, home.server.log_in(home.world.clock.wall_ns())),
}  # fmt: skip


@pytest.mark.parametrize("seed", range(3 * NIGHTLY))
def test_f11_f12_f13_i12_any_interleaving_keeps_streams_fresh_and_refreshes_few(seed: int) -> None:
    async def main(world: SimulatedWorld) -> None:
        server = OAuthServer(lenient=True)
        shelf = logged_in_shelf(server, world.clock.wall_ns())
        async with house(world, shelf, server, streams=2, max_restarts=10**6) as home, trio.open_nursery() as nursery:
            watch = Watch(home)
            nursery.start_soon(watch.run)
            for _ in range(60):
                ACTS[world.chance.choice(list(ACTS))](home, world.chance)
                await trio.sleep(world.chance.choice([0.01, 0.3, 5, 60, 400]))
            for act in ("up", "reachable"):
                ACTS[act](home, world.chance)
            server.life, server.delay, shelf.failing = 1200, 0.05, 0
            server.failing.clear()
            await trio.sleep(60)
            with trio.move_on_after(60):
                await home.store.call(TokenStore.use, server.log_in(world.clock.wall_ns()))
            await trio.sleep(1300)
            assert not lost(home)
            assert {stream.generation() for stream in home.streams()} == {shelf.kept.generation}
            assert watch.worst <= 10 + DEAF_SECONDS + GLANCE_SECONDS, (
                "a superseded token was used for longer than a poll"
            )
            hours = trio.current_time() / 3600
            assert len(server.refreshes) <= 360 * (hours + 1) + 60
            assert server.most_running == 1
            nursery.cancel_scope.cancel()

    simulate(main, seed=seed).unwrap()


def disguised(secret: str) -> set[str]:
    raw = secret.encode()
    encoded = base64.b64encode(raw).decode().rstrip("=")
    return {secret, raw.hex(), encoded[:-1], quote(secret, safe=""), json.dumps(secret)[1:-1]}


@pytest.mark.parametrize("proof", [ClientProof.FORM, ClientProof.BASIC])
def test_s09_i13_no_secret_in_any_output_whatever_goes_wrong(
    proof: ClientProof, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    redactor, shown, secrets = Redactor(), [], {CANARY}
    caplog.set_level(logging.DEBUG)
    stop = guard_logs(redactor)

    async def main(world: SimulatedWorld) -> None:
        server = OAuthServer(lenient=True)
        shelf = logged_in_shelf(server, world.clock.wall_ns())
        async with house(world, shelf, server, redactor=redactor, proof=proof) as home:
            home.runtime.events.listen(lambda event: shown.append(repr(event)))
            for fields in ({"error": "invalid_request", "error_description": f"not {CANARY}"}, {"error": CANARY}):
                server.failing.append((400, fields))
                await ask(home)
                await home.store.call(TokenStore.put_right)
                await trio.sleep(60)
            shelf.failing = 20
            await ask(home)
            await trio.sleep(60)
            world.network.fail_connects("127.0.0.1", 7001)
            await ask(home)
            world.network.allow_connects("127.0.0.1", 7001)
            home.store.resolve().cell().crash(RuntimeError("boom"))  # type: ignore[union-attr]  # it is there
            await trio.sleep(60)
            server.good_refresh = []
            await trio.sleep(3600)
            await ask(home)
            shown.extend(map(repr, (home.audit, home.news, home.parts, shelf.credentials, home.runtime.statistics())))
            secrets.update(
                f"{kind}-{number}-Canary+/~" for kind in ("at", "rt") for number in range(1, server.count + 1)
            )
            assert server.count >= 2
            assert len(home.audit) > 10

    async def ask(home: House) -> None:
        try:
            shown.append(repr(await home.store.call(TokenStore.refresh_now, home.shelf.kept.generation)))
        except (CredentialError, CallError) as error:
            shown.append(f"{error!r} {error}")
        shown.append(repr(await home.store.call(TokenStore.status)))

    try:
        simulate(main, seed=1).unwrap()
    finally:
        stop()
    out, err = capfd.readouterr()
    text = "\n".join([*shown, caplog.text, out, err])
    assert len(text) > 5_000
    assert ORIGIN in text
    found = {shape for secret in secrets for shape in disguised(secret) if shape in text}
    assert found == set()
