"""When to refresh, what to keep, what to hand out and when to give up: the pure core of a token store.

    state, actions = decide(state, event, now_ns, chance)

One exchange is in flight at a time, under a ticket; what comes back under an old ticket is dropped. New tokens are
saved before they are published, and the ones before are in force until then. All times are those of one clock that
never runs back; how long tokens live is told as what is left of it.
"""

import random
from typing import Final

import attrs

from brokers.guards.backoff import Backoff
from brokers.tokens.flow import LoginFailure
from brokers.tokens.token_set import TokenSet

SECOND_NS: Final = 1_000_000_000
HOUR_NS: Final = 3600 * SECOND_NS
DAY_NS: Final = 24 * HOUR_NS


@attrs.frozen(kw_only=True)
class Policy:
    """The times of one store.

    poll_ns     between two looks at the clock
    ahead_ns    how long before its end a token is refreshed, at most a quarter of its life
    jitter      by how much of itself `ahead_ns` is lengthened at the most
    spacing_ns  from new tokens to the next refresh, whoever asks for it
    backoff     between failed attempts, but never less than a poll
    margin_ns   what must be left of a token while its refresh fails
    longest_hold_ns  the most that a stored hold is believed after a restart
    warn_ns     how long before a person has to log in again it is said so, longest first
    """

    poll_ns: int = 10 * SECOND_NS
    ahead_ns: int = 120 * SECOND_NS
    jitter: float = 0.25
    spacing_ns: int = 30 * SECOND_NS
    backoff: Backoff = attrs.field(factory=lambda: Backoff(base_ns=5 * SECOND_NS, cap_ns=300 * SECOND_NS))
    margin_ns: int = 30 * SECOND_NS
    longest_hold_ns: int = 2 * HOUR_NS
    warn_ns: tuple[int, ...] = (2 * DAY_NS, DAY_NS, 6 * HOUR_NS, HOUR_NS)

    def least_ahead_ns(self, left_ns: int) -> int:
        """The shortest time before its end at which a token with so much left is refreshed."""
        return min(self.ahead_ns, max(left_ns, 0) // 4)

    def ahead_of(self, left_ns: int, chance: random.Random) -> int:
        """How long before the end of a token with so much left it is refreshed."""
        ahead_ns = self.least_ahead_ns(left_ns)
        return ahead_ns + chance.randint(0, int(ahead_ns * self.jitter))


@attrs.frozen
class Grant:
    """Tokens, and what is left of them at this moment."""

    tokens: TokenSet
    left_ns: int
    login_left_ns: int | None = None


@attrs.frozen
class Held:
    """The tokens in force."""

    tokens: TokenSet
    generation: int
    expires_ns: int
    refresh_ns: int
    login_ends_ns: int | None


@attrs.frozen
class Unsaved:
    """New tokens that are not durable yet, and so not in force."""

    held: Held
    saving: bool = False
    retry_ns: int = 0


@attrs.frozen
class State:
    """All that a store knows.

    newest      the highest generation given to tokens, in force or not
    flight      the ticket of the exchange under way
    superseded  whether what that exchange brings is to be dropped
    blocked     why nothing is tried until a person acts; empty when something is
    lost        whether trading was told that the credential is lost; None before anything was told
    """

    policy: Policy = Policy()
    held: Held | None = None
    unsaved: Unsaved | None = None
    newest: int = 0
    tickets: int = 0
    flight: int | None = None
    superseded: bool = False
    demanded: bool = False
    failures: int = 0
    not_before_ns: int = 0
    blocked: str = ""
    why: str = ""
    lost: bool | None = None
    warned_ns: int | None = None
    refreshed_ns: int | None = None

    def usable(self, now_ns: int) -> Held | None:
        """The tokens in force, if they still live."""
        return self.held if self.held is not None and now_ns < self.held.expires_ns else None

    @property
    def working(self) -> bool:
        """Whether new tokens are under way at this moment."""
        return self.flight is not None or (self.unsaved is not None and self.unsaved.saving)

    @property
    def next_ns(self) -> int | None:
        """When the next exchange is due; None when none is planned."""
        if self.blocked or self.flight is not None or self.unsaved is not None:
            return None
        due_ns = 0 if self.held is None or self.demanded else self.held.refresh_ns
        return max(due_ns, self.not_before_ns)


# What happens.


@attrs.frozen
class Loaded:
    """The store has started and read the shelf."""

    grant: Grant | None
    generation: int = 0
    hold_left_ns: int = 0


@attrs.frozen
class Polled:
    """Time has passed."""


@attrs.frozen
class Demanded:
    """Somebody was refused with the token of this generation."""

    generation: int


@attrs.frozen
class Obtained:
    """An exchange has brought tokens."""

    ticket: int
    grant: Grant


@attrs.frozen
class Failed:
    """An exchange has brought none."""

    ticket: int
    failure: LoginFailure


@attrs.frozen
class LoggedIn:
    """A person has logged in."""

    grant: Grant


@attrs.frozen
class PutRight:
    """A person has removed what stood in the way of a login."""


@attrs.frozen
class Saved:
    """The tokens of this generation are durable."""

    generation: int


@attrs.frozen
class SaveFailed:
    """The tokens of this generation could not be made durable."""

    generation: int
    text: str


Event = Loaded | Polled | Demanded | Obtained | Failed | LoggedIn | PutRight | Saved | SaveFailed


# What is to be done.


@attrs.frozen
class Exchange:
    """Get new tokens, by means of these."""

    ticket: int
    tokens: TokenSet | None


@attrs.frozen
class Save:
    """Make these durable."""

    held: Held


@attrs.frozen
class Publish:
    """Hand these out from now on, and tell the live streams."""

    held: Held


@attrs.frozen
class Hold:
    """Make durable that nothing is to be tried for so long, restarts included."""

    hold_ns: int


@attrs.frozen
class Lose:
    """Tell trading that the credential is lost: cancels only; and tell people why."""

    text: str


@attrs.frozen
class Regain:
    """Tell trading that the credential holds."""


@attrs.frozen
class Warn:
    """Tell people that a login by hand is needed within so long."""

    left_ns: int


Action = Exchange | Save | Publish | Hold | Lose | Regain | Warn
Actions = tuple[Action, ...]


def decide(state: State, event: Event, now_ns: int, chance: random.Random) -> tuple[State, Actions]:
    """The state after the event, and what is to be done, in order."""
    state, actions = _after(state, event, now_ns, chance)
    for rule in (_save, _exchange, _standing, _warning):
        state, more = rule(state, now_ns)
        actions += more
    return state, actions


def _after(state: State, event: Event, now_ns: int, chance: random.Random) -> tuple[State, Actions]:
    actions: Actions = ()
    match event:
        case Loaded():
            state = _loaded(state, event, now_ns, chance)
        case Demanded(generation):
            mine = state.held is not None and state.held.generation == generation
            state = attrs.evolve(state, demanded=state.demanded or mine)
        case Obtained(ticket, grant) if ticket == state.flight:
            state = _obtained(state, grant, now_ns, chance)
        case Failed(ticket, failure) if ticket == state.flight:
            state, actions = _failed(state, failure, now_ns, chance)
        case LoggedIn(grant):
            state = _logged_in(state, grant, now_ns, chance)
        case PutRight():
            state = attrs.evolve(state, blocked="", not_before_ns=now_ns)
        case Saved(generation):
            state, actions = _saved(state, generation)
        case SaveFailed(generation, text):
            state = _save_failed(state, generation, text, now_ns)
        case _:  # time has passed, or an exchange is over that nobody waits for
            pass
    return state, actions


def _loaded(state: State, event: Loaded, now_ns: int, chance: random.Random) -> State:
    hold_ns = min(max(event.hold_left_ns, 0), state.policy.longest_hold_ns)
    held = None if event.grant is None else _held(state, event.grant, event.generation, now_ns, chance)
    return attrs.evolve(state, held=held, newest=event.generation, not_before_ns=now_ns + hold_ns)


def _obtained(state: State, grant: Grant, now_ns: int, chance: random.Random) -> State:
    if state.superseded:
        return attrs.evolve(state, flight=None, superseded=False)
    fresh = _fresh(state, grant, now_ns, chance)
    return attrs.evolve(fresh, flight=None, not_before_ns=now_ns + state.policy.spacing_ns)


def _logged_in(state: State, grant: Grant, now_ns: int, chance: random.Random) -> State:
    fresh = _fresh(state, grant, now_ns, chance)
    return attrs.evolve(fresh, superseded=state.flight is not None, not_before_ns=now_ns, warned_ns=None)


def _fresh(state: State, grant: Grant, now_ns: int, chance: random.Random) -> State:
    """New tokens wait to be saved; those that still waited are worth nothing any more."""
    held = _held(state, grant, state.newest + 1, now_ns, chance)
    unsaved = Unsaved(held, saving=state.unsaved is not None and state.unsaved.saving)
    return attrs.evolve(state, unsaved=unsaved, newest=held.generation, refreshed_ns=now_ns)


def _held(state: State, grant: Grant, generation: int, now_ns: int, chance: random.Random) -> Held:
    expires_ns = now_ns + grant.left_ns
    refresh_ns = expires_ns - state.policy.ahead_of(grant.left_ns, chance)
    login_ends_ns = None if grant.login_left_ns is None else now_ns + grant.login_left_ns
    return Held(grant.tokens, generation, expires_ns, refresh_ns, login_ends_ns)


def _failed(state: State, failure: LoginFailure, now_ns: int, chance: random.Random) -> tuple[State, Actions]:
    if state.superseded:
        return attrs.evolve(state, flight=None, superseded=False), ()
    pause_ns = failure.hold_ns
    if pause_ns is None:
        pause_ns = state.policy.backoff.delay_ns(state.failures, chance)
    state = attrs.evolve(
        state,
        flight=None,
        failures=state.failures + 1,
        why=failure.text,
        blocked=failure.text if failure.needs_human else "",
        not_before_ns=now_ns + max(pause_ns, state.policy.poll_ns),
    )
    return state, () if failure.hold_ns is None else (Hold(failure.hold_ns),)


def _saved(state: State, generation: int) -> tuple[State, Actions]:
    unsaved = state.unsaved
    if unsaved is None:
        return state, ()
    if unsaved.held.generation != generation:
        return attrs.evolve(state, unsaved=attrs.evolve(unsaved, saving=False)), ()
    state = attrs.evolve(state, held=unsaved.held, unsaved=None, demanded=False, failures=0, blocked="", why="")
    return state, (Publish(unsaved.held),)


def _save_failed(state: State, generation: int, text: str, now_ns: int) -> State:
    if state.unsaved is None:
        return state
    unsaved = attrs.evolve(state.unsaved, saving=False)
    if unsaved.held.generation != generation:
        return attrs.evolve(state, unsaved=unsaved)
    unsaved = attrs.evolve(unsaved, retry_ns=now_ns + state.policy.poll_ns)
    return attrs.evolve(state, unsaved=unsaved, failures=state.failures + 1, why=text)


def _save(state: State, now_ns: int) -> tuple[State, Actions]:
    unsaved = state.unsaved
    if unsaved is None or unsaved.saving or now_ns < unsaved.retry_ns:
        return state, ()
    return attrs.evolve(state, unsaved=attrs.evolve(unsaved, saving=True)), (Save(unsaved.held),)


def _exchange(state: State, now_ns: int) -> tuple[State, Actions]:
    due_ns = state.next_ns
    if due_ns is None or now_ns < due_ns:
        return state, ()
    ticket = state.tickets + 1
    tokens = None if state.held is None else state.held.tokens
    return attrs.evolve(state, tickets=ticket, flight=ticket), (Exchange(ticket, tokens),)


def _standing(state: State, now_ns: int) -> tuple[State, Actions]:
    """Whether trading can rely on the credential: lost until new tokens are in force; at first nothing is said."""
    margin_ns = state.policy.margin_ns
    ending = state.held is None or state.held.expires_ns - now_ns <= margin_ns
    lost = bool(state.blocked) or (state.failures > 0 and (ending or state.lost is True))
    if lost == state.lost or (not lost and state.usable(now_ns) is None):
        return state, ()
    return attrs.evolve(state, lost=lost), (Lose(state.why) if lost else Regain(),)


def _warning(state: State, now_ns: int) -> tuple[State, Actions]:
    if state.held is None or state.held.login_ends_ns is None:
        return state, ()
    left_ns = state.held.login_ends_ns - now_ns
    reached = min((step for step in state.policy.warn_ns if left_ns <= step), default=None)
    if reached is None or (state.warned_ns is not None and state.warned_ns <= reached):
        return state, ()
    return attrs.evolve(state, warned_ns=reached), (Warn(max(left_ns, 0)),)
