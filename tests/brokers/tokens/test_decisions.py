"""The pure core: every rule as a claim, then a whole small world of it under random interleavings."""

import random
from collections import Counter
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.tokens.decisions import (
    Action,
    Demanded,
    Event,
    Exchange,
    Failed,
    Grant,
    Hold,
    Loaded,
    LoggedIn,
    Lose,
    Obtained,
    Policy,
    Polled,
    Publish,
    PutRight,
    Regain,
    Save,
    Saved,
    SaveFailed,
    State,
    Warn,
    decide,
)
from brokers.tokens.flow import Captcha, HumanNeeded, LoginFailure, Penalty, Unreachable
from brokers.tokens.token_set import TokenSet
from runtime.wire.secret import Secret
from tests.brokers.tokens.kit import HOUR_NS, NIGHTLY, SECOND_NS, seeded

LIFE_NS = 1200 * SECOND_NS
START = 1_767_625_200 * SECOND_NS
POLL_NS = Policy().poll_ns


def grant(name: str = "1", life_ns: int = LIFE_NS, login_left_ns: int | None = None) -> Grant:
    return Grant(TokenSet(Secret(f"at-{name}"), Secret(f"rt-{name}"), 0, life_ns), life_ns, login_left_ns)


@attrs.define
class Core:
    """One store's core on a clock of its own."""

    state: State = attrs.field(factory=State)
    now: int = START
    chance: random.Random = attrs.field(factory=lambda: seeded(1))

    def feed(self, event: Event, passed_ns: int = 0) -> tuple[Action, ...]:
        self.now += passed_ns
        self.state, actions = decide(self.state, event, self.now, self.chance)
        return actions

    def due(self) -> int:
        """Lets time pass until an exchange begins; returns its ticket."""
        for _ in range(100_000):
            for action in self.feed(Polled(), POLL_NS):
                if isinstance(action, Exchange):
                    return action.ticket
        raise AssertionError("no exchange ever")

    def fail(self, failure: LoginFailure) -> tuple[Action, ...]:
        assert self.state.flight is not None
        return self.feed(Failed(self.state.flight, failure))


def holding(life_ns: int = LIFE_NS, login_left_ns: int | None = None) -> Core:
    core = Core()
    core.feed(Loaded(grant(life_ns=life_ns, login_left_ns=login_left_ns), 1))
    return core


def kinds(actions: tuple[Action, ...]) -> list[type]:
    return [type(action) for action in actions]


def test_a_store_that_starts_with_a_live_token_says_that_it_holds_and_asks_for_nothing() -> None:
    assert kinds(Core().feed(Loaded(grant(), 1))) == [Regain]


def test_a_store_that_starts_with_a_dead_token_or_none_asks_at_once_and_says_nothing_yet() -> None:
    assert kinds(Core().feed(Loaded(grant(life_ns=-5), 1))) == [Exchange]
    assert kinds(Core().feed(Loaded(None))) == [Exchange]


def test_a_token_is_refreshed_ahead_of_its_end_with_jitter() -> None:
    policy, ahead = Policy(), []
    for seed in range(50):
        core = Core(chance=seeded(seed))
        core.feed(Loaded(grant(), 1))
        core.due()
        ahead.append(START + LIFE_NS - core.now)
    assert policy.ahead_ns - POLL_NS <= min(ahead)
    assert max(ahead) <= policy.ahead_ns * 1.25
    assert len(set(ahead)) > 1


def test_s58_new_tokens_are_saved_before_they_are_published_and_the_old_ones_hold_until_then() -> None:
    core = holding()
    ticket = core.due()
    assert kinds(core.feed(Obtained(ticket, grant("2")))) == [Save]
    assert core.state.held is not None
    assert core.state.held.tokens == grant().tokens
    (published,) = core.feed(Saved(2))
    assert isinstance(published, Publish)
    assert (published.held.generation, published.held.tokens) == (2, grant("2").tokens)


def test_s58_tokens_that_cannot_be_saved_are_kept_and_saved_again_and_no_exchange_begins() -> None:
    core = holding()
    core.feed(Obtained(core.due(), grant("2")))
    assert core.feed(SaveFailed(2, "disk full")) == ()
    for _ in range(30):
        (again,) = core.feed(Polled(), POLL_NS)[:1]
        assert isinstance(again, Save)
        assert again.held.tokens == grant("2").tokens
        core.feed(SaveFailed(2, "disk full"))
    assert core.state.lost, "the token in force has ended meanwhile"
    core.feed(Polled(), POLL_NS)
    assert kinds(core.feed(Saved(2))) == [Publish, Regain]


def test_one_exchange_is_in_flight_whatever_is_demanded() -> None:
    core = holding()
    assert kinds(core.feed(Demanded(1))) == [Exchange]
    for _ in range(100):
        assert core.feed(Demanded(1)) == ()
        assert core.feed(Polled(), POLL_NS // 20) == ()


def test_a_demand_for_a_token_that_was_replaced_already_asks_for_nothing() -> None:
    core = holding()
    core.feed(Obtained(core.due(), grant("2")))
    core.feed(Saved(2))
    assert core.feed(Demanded(1), HOUR_NS // 60) == ()


def test_a_broker_that_refuses_every_token_is_asked_at_most_every_thirty_seconds() -> None:
    core, exchanges = holding(), 0
    end = core.now + HOUR_NS
    while core.now < end:
        assert core.state.held is not None
        for action in core.feed(Demanded(core.state.held.generation), SECOND_NS):
            if isinstance(action, Exchange):
                exchanges += 1
                core.feed(Obtained(action.ticket, grant()))
                core.feed(Saved(core.state.newest))
    assert 100 <= exchanges <= 121


def test_failures_back_off_and_are_never_closer_than_a_poll_whoever_asks() -> None:
    core = holding()
    moments: list[int] = []
    while len(moments) < 60:
        for action in core.feed(Demanded(1), SECOND_NS):
            if isinstance(action, Exchange):
                moments.append(core.now)
                core.fail(Unreachable("down"))
    gaps = [later - sooner for sooner, later in pairwise(moments)]
    assert min(gaps) >= POLL_NS
    assert max(gaps) <= core.state.policy.backoff.cap_ns + SECOND_NS
    assert sum(gaps[-20:]) > sum(gaps[:3]) * 4


def test_f11_a_refresh_that_only_fails_for_now_degrades_when_the_token_is_about_to_end() -> None:
    core = holding()
    lost_at = None
    while lost_at is None:
        for action in core.feed(Polled(), POLL_NS):
            if isinstance(action, Exchange):
                core.fail(Unreachable("down"))
            if isinstance(action, Lose):
                lost_at = core.now
    left = START + LIFE_NS - lost_at
    assert core.state.policy.margin_ns - POLL_NS < left <= core.state.policy.margin_ns
    ticket = core.state.flight or core.due()
    core.feed(Obtained(ticket, grant("2")))
    assert kinds(core.feed(Saved(2))) == [Publish, Regain]


def test_f11_a_revoked_refresh_token_degrades_at_once_and_is_not_tried_again() -> None:
    core = holding()
    core.due()
    assert core.fail(HumanNeeded("log in")) == (Lose("log in"),)
    for _ in range(1000):
        assert core.feed(Polled(), POLL_NS) == ()
    assert core.feed(Demanded(1)) == ()
    assert kinds(core.feed(LoggedIn(grant("2")))) == [Save]
    assert kinds(core.feed(Saved(2))) == [Publish, Regain]


def test_f13_a_captcha_stops_all_attempts_and_the_hold_is_written_down() -> None:
    core = Core()
    core.feed(Loaded(None))
    assert core.fail(Captcha("captcha", HOUR_NS)) == (Hold(HOUR_NS), Lose("captcha"))
    for _ in range(1000):
        assert core.feed(Polled(), POLL_NS) == ()
    assert kinds(core.feed(PutRight())) == [Exchange]
    core.feed(Obtained(core.state.flight or 0, grant()))
    assert kinds(core.feed(Saved(1))) == [Publish, Regain]


def test_f9_f13_a_penalty_holds_for_as_long_as_the_broker_says_also_over_a_restart() -> None:
    core = holding()
    core.due()
    assert Hold(900 * SECOND_NS) in core.fail(Penalty("wait", 900 * SECOND_NS))
    before = core.now
    core.due()
    assert core.now - before >= 900 * SECOND_NS
    restarted = Core()
    assert restarted.feed(Loaded(None, 0, 900 * SECOND_NS)) == ()
    restarted.due()
    assert restarted.now - START >= 900 * SECOND_NS


def test_a_stored_hold_from_a_clock_gone_wrong_is_believed_for_two_hours_at_most() -> None:
    core = Core()
    core.feed(Loaded(None, 0, 10**19))
    core.due()
    assert core.now - START <= 2 * HOUR_NS + POLL_NS


def test_put_right_does_not_call_the_credential_good_before_it_is() -> None:
    core = holding()
    core.due()
    core.fail(HumanNeeded("log in"))
    assert kinds(core.feed(PutRight())) == [Exchange]
    assert core.state.lost


def test_what_an_exchange_brings_after_a_persons_login_is_dropped() -> None:
    core = holding()
    ticket = core.due()
    core.feed(LoggedIn(grant("person")))
    assert core.feed(Obtained(ticket, grant("late"))) == ()
    (published,) = core.feed(Saved(2))
    assert isinstance(published, Publish)
    assert published.held.tokens == grant("person").tokens
    assert core.feed(Obtained(ticket, grant("twice"))) == ()


def test_a_failure_of_an_exchange_after_a_persons_login_does_no_harm() -> None:
    core = holding()
    ticket = core.due()
    core.feed(LoggedIn(grant("person")))
    assert core.feed(Failed(ticket, HumanNeeded("ended"))) == ()
    assert kinds(core.feed(Saved(2))) == [Publish]


def test_a_persons_login_while_a_save_is_under_way_is_saved_after_it_and_alone_published() -> None:
    core = holding()
    core.feed(Obtained(core.due(), grant("2")))
    assert core.feed(LoggedIn(grant("person"))) == ()
    (save,) = core.feed(Saved(2))
    assert isinstance(save, Save)
    assert (save.held.generation, save.held.tokens) == (3, grant("person").tokens)
    assert kinds(core.feed(Saved(3))) == [Publish]


def test_a_person_is_told_days_ahead_and_once_for_each_step() -> None:
    day = 24 * HOUR_NS
    core, warned = holding(login_left_ns=7 * day), []
    while core.now < START + 7 * day:
        for action in core.feed(Polled(), HOUR_NS // 4):
            if isinstance(action, Exchange):
                left = START + 7 * day - core.now
                core.feed(Obtained(action.ticket, grant(login_left_ns=left)))
                core.feed(Saved(core.state.newest))
            if isinstance(action, Warn):
                warned.append(action.left_ns // HOUR_NS)
    assert warned == [48, 24, 6, 1]


@pytest.mark.parametrize("life", [-5, 0, 1, SECOND_NS, 20 * SECOND_NS])
def test_tokens_that_hardly_live_cost_no_more_than_the_spacing_allows(life: int) -> None:
    core, exchanges = holding(life), 0
    end = core.now + HOUR_NS
    while core.now < end:
        if core.state.flight is not None:
            exchanges += 1
            core.feed(Obtained(core.state.flight, grant(life_ns=life)))
            core.feed(Saved(core.state.newest))
        core.feed(Polled(), SECOND_NS)
    assert exchanges <= 122


# A small world: broker, shelf, streams, and a store that is restarted, under any interleaving.


@attrs.define
class Stream:
    """One live stream: which generation it uses, and since when that one is superseded."""

    using: int = 0
    old_since: int | None = None


class Small:
    """Everything around the core, and the invariants after every step."""

    def __init__(self, seed: int) -> None:
        self.chance = seeded(seed)
        self.core = Core(chance=seeded(seed + 1))
        self.shelf: tuple[int, Grant | None] = (1, grant())
        self.flights: list[int] = []
        self.saves: list[Any] = []
        self.published = 1
        self.streams = [Stream(1), Stream(1)]
        self.exchanges: list[int] = []
        self.elapsed = 0
        self.lost: bool | None = None
        self.counts: Counter[str] = Counter()
        self.take(self.core.feed(Loaded(grant(), 1)))

    def take(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            match action:
                case Exchange(ticket):
                    assert not self.flights, "two exchanges in flight"
                    self.flights.append(ticket)
                    self.exchanges.append(self.elapsed)
                case Save(held):
                    assert not self.saves, "two saves at once"
                    self.saves.append(held)
                case Publish(held):
                    assert held.generation == self.shelf[0], "published before it was durable"
                    assert held.generation > self.published
                    self.publish(held.generation)
                case Lose():
                    assert self.lost is not True
                    self.lost = True
                case Regain():
                    assert self.lost is not False
                    self.lost = False
                case _:
                    pass
            self.counts[type(action).__name__] += 1

    def publish(self, generation: int) -> None:
        self.published = generation
        for stream in self.streams:
            stream.old_since = self.elapsed
            if self.chance.random() < 0.5:  # the other half of the pushes is lost
                self.told(stream)

    def told(self, stream: Stream) -> None:
        stream.using, stream.old_since = self.published, None

    def event(self, event: Event) -> None:
        self.take(self.core.feed(event))

    def passes(self, ns: int) -> None:
        """Real time passes, a poll at a time at the most."""
        while ns > 0:
            step = min(ns, POLL_NS - self.elapsed % POLL_NS)
            self.elapsed, self.core.now, ns = self.elapsed + step, self.core.now + step, ns - step
            self.check()
            if self.elapsed % POLL_NS == 0:
                self.event(Polled())
                for stream in self.streams:
                    self.told(stream)

    def check(self) -> None:
        for stream in self.streams:
            assert stream.old_since is None or self.elapsed - stream.old_since <= POLL_NS, "a stream is too old"
        recent = [moment for moment in self.exchanges if moment > self.elapsed - 3600 * SECOND_NS]
        assert len(recent) <= 361 + self.counts["free"], "more than one attempt a poll"

    def do(self, name: str, size: int) -> None:
        match name:
            case "pass":
                self.passes(size * SECOND_NS)
            case "leap":
                self.core.now += size * 60 * SECOND_NS
                self.counts["free"] += 1
            case "demand":
                self.event(Demanded(self.streams[0].using))
            case "log in":
                self.counts["free"] += 1
                self.event(LoggedIn(grant("person")))
            case "put right":
                self.counts["free"] += 1
                self.event(PutRight())
            case "restart":
                self.restart()
            case "restart stream":
                self.told(self.streams[size % 2])
            case _:
                self.end(name, size)
        self.check()

    def end(self, name: str, size: int) -> None:
        """What is under way, if anything is, comes to an end."""
        match name:
            case "succeed" if self.flights:
                self.event(Obtained(self.flights.pop(), grant(str(size))))
            case "fail" if self.flights:
                failure = [Unreachable("down"), Penalty("wait", 60 * SECOND_NS), HumanNeeded("ended")][size % 3]
                self.event(Failed(self.flights.pop(), failure))
            case "save" if self.saves:
                held = self.saves.pop()
                self.shelf = held.generation, Grant(held.tokens, LIFE_NS)
                self.event(Saved(held.generation))
            case "lose save" if self.saves:
                self.event(SaveFailed(self.saves.pop().generation, "disk full"))
            case _:
                pass

    def restart(self) -> None:
        """The store ends, after what is in flight, and starts anew from the shelf."""
        self.counts["free"] += 1
        while self.saves:
            self.do("save", 0)
        self.flights.clear()
        self.core = Core(State(), self.core.now, self.core.chance)
        self.lost = None
        generation, kept = self.shelf
        self.published = generation
        self.take(self.core.feed(Loaded(kept, generation)))


OPS = (
    "pass", "pass", "pass", "leap", "demand", "succeed", "succeed", "fail", "save", "save",
    "lose save", "log in", "put right", "restart", "restart stream",
)  # fmt: skip


@settings(max_examples=150 * NIGHTLY, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    steps=st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, 400)), max_size=60),
)
def test_f11_f12_f13_i12_no_interleaving_breaks_a_promise(seed: int, steps: list[tuple[str, int]]) -> None:
    small = Small(seed)
    for name, size in steps:
        small.do(name, size)
    # Liveness: when all goes well again and a person has done their part, the credential holds within minutes.
    small.do("put right", 0)
    for _ in range(60):
        small.do("pass", 10)
        small.do("succeed", 7)
        small.do("save", 0)
    assert small.lost is False
    assert small.core.state.usable(small.core.now) is not None
