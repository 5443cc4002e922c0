"""The token store of one login: an actor that keeps its credential fresh and hands it out.

    ref.call(TokenStore.token)               the token in force, read by every connect
    ref.call(TokenStore.refresh_now, seen)   after a refusal: the token after the one that was refused
    ref.call(TokenStore.use, tokens)         after a person's login
    ref.call(TokenStore.put_right)           after a person has corrected the credential or solved a captcha
    ref.call(TokenStore.status)              for people

A login or a correction that another process puts on the shelf, as `pitboss login` does, is noticed by itself.

What to do is decided in brokers.tokens.decisions; here it is done. New tokens are durable before anybody sees them.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import attrs
import trio

from brokers.errors import Code, CredentialError
from brokers.tokens.credentials import Credential, CredentialShelf, LoginId, NoCredential
from brokers.tokens.decisions import (
    Action,
    Demanded,
    Event,
    Exchange,
    Failed,
    Grant,
    Held,
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
from brokers.tokens.drive import Sender, drive
from brokers.tokens.flow import Flow, LoginFailure
from brokers.tokens.news import CredentialLost, CredentialRegained, LoginEnding, News
from brokers.tokens.ratchet import Ratchet
from brokers.tokens.streams import tell
from brokers.tokens.token_set import Kept, Token, TokenSet, kept_in, login_fields, with_kept
from runtime.actor import Actor
from runtime.calls import Reply
from runtime.messages import message
from runtime.registry import Registry
from runtime.spec import Child
from runtime.wire.redaction import Redactor
from runtime.wire.secret import Secret

_SECOND_NS: Final = 1_000_000_000
_SAVE_SECONDS: Final = 15.0  # how long a save is repeated even when the store is to stop
_SAVE_PAUSE: Final = 1.0
_REMEMBERED: Final = 3  # token sets whose secrets stay masked: a stream may still show the one before


class Way(Protocol):
    """A broker's way to fresh tokens."""

    def renew(self, credential: Credential, tokens: TokenSet | None, /) -> Flow:
        """A flow from these tokens, or from none, to fresh ones."""
        ...


@attrs.frozen(kw_only=True, eq=False)
class TokenStoreParts:
    """What one store works with; `tell` must neither wait nor raise, `streams` is a registry of duplicate keys."""

    login: LoginId
    way: Way
    shelf: CredentialShelf
    sender: Sender
    streams: Registry
    redactor: Redactor
    tell: Callable[[News], None]
    policy: Policy = attrs.field(factory=Policy)

    def child(self) -> Child["TokenStore"]:
        """The store as a permanent child of its connection, under its name."""
        return Child("tokens", lambda: TokenStore(self), name=self.login.store_key)


@attrs.frozen
class TokenStatus:
    """One moment of a store, for people; times in nanoseconds since 1970, None where there is none.

    why_not  why there is no fresh token, in a sentence; empty when all is well
    """

    login: LoginId
    generation: int
    expires_ns: int | None
    login_ends_ns: int | None
    last_refresh_ns: int | None
    next_refresh_ns: int | None
    refreshing: bool
    lost: bool
    why_not: str


class TokenStore(Actor):
    """Keeps the credential of one login fresh."""

    __slots__ = ("_clock", "_fields", "_masked", "_parts", "_state", "_token", "_waiting", "_writing")

    expects = (CredentialError,)

    def __init__(self, parts: TokenStoreParts) -> None:
        self._parts = parts
        self._state = State(parts.policy)
        self._token: Token | None = None
        self._waiting: list[tuple[Reply, int]] = []
        self._masked: deque[tuple[Secret, ...]] = deque()
        self._writing = trio.Lock()
        self._fields: tuple[Secret, ...] = ()
        self._clock: Ratchet

    async def on_start(self) -> None:
        """Reads the shelf; what is due is done at once."""
        self._clock = Ratchet(self.world.clock)
        credential = await self._credential()
        self._learn(credential)
        kept = kept_in(credential)
        if kept.tokens is not None:
            self._mask(kept.tokens)
        grant = None if kept.tokens is None else self._grant(kept.tokens)
        hold_left_ns = kept.not_before_ns - self.world.clock.wall_ns()
        self._happened(Loaded(grant, kept.generation, hold_left_ns))
        if self._state.held is not None:
            self._hand_out(self._state.held)
        self.every(self._parts.policy.poll_ns / _SECOND_NS, TokenStore.poll)

    # Messages.

    def token(self) -> Token:
        """The token in force; waits for one under way; raises CredentialError when there is none to be had."""
        return self._after(0)

    def refresh_now(self, seen: int) -> Token:
        """The token after the refused one of generation `seen`; of many who ask for the same, all share one refresh.

        Raises CredentialError when it cannot be had now.
        """
        self._happened(Demanded(seen))
        return self._after(seen)

    def use(self, tokens: TokenSet) -> Token:
        """Takes over the tokens of a person's login; answers when they are durable and in force."""
        self._mask(tokens)
        self._happened(LoggedIn(self._grant(tokens)))
        return self._after(self._state.newest - 1)

    def put_right(self) -> None:
        """Tries again although a person was needed, because a person has seen to it."""
        self._happened(PutRight())

    @message(control=True)
    def status(self) -> TokenStatus:
        """How this login stands."""
        state, wall = self._state, self._clock.on_wall_ns
        held, next_ns = state.held, state.next_ns
        return TokenStatus(
            login=self._parts.login,
            generation=0 if held is None else held.generation,
            expires_ns=None if held is None else wall(held.expires_ns),
            login_ends_ns=None if held is None or held.login_ends_ns is None else wall(held.login_ends_ns),
            last_refresh_ns=None if state.refreshed_ns is None else wall(state.refreshed_ns),
            next_refresh_ns=None if next_ns is None else wall(max(next_ns, self._clock.now_ns())),
            refreshing=state.working,
            lost=state.lost is True,
            why_not=state.why,
        )

    def poll(self) -> None:
        """Looks at the clock, tells the streams again what they may have missed, and looks for a person's help."""
        self._happened(Polled())
        if self._token is not None:
            tell(self._parts.streams, self._token)
        if self._state.blocked:
            self.spawn(self._look_for_help)

    async def _look_for_help(self) -> None:
        """A person may have logged in, or corrected the credential, by another process."""
        try:
            credential = await self._credential()
        except Exception:  # noqa: BLE001 - a shelf that cannot be read now is read again at the next poll
            return
        kept = kept_in(credential)
        if not self._state.blocked:
            return
        if kept.tokens is not None and kept.generation > self._state.newest:
            self._mask(kept.tokens)
            self._happened(LoggedIn(self._grant(kept.tokens)))
        elif login_fields(credential) != self._fields:
            self._learn(credential)
            self._happened(PutRight())

    def _learn(self, credential: Credential) -> None:
        """Masks what a person gave, and knows it again."""
        self._fields = login_fields(credential)
        for secret in self._fields:
            self._parts.redactor.learn(secret)

    # Doing what was decided.

    def _happened(self, event: Event) -> None:
        self._state, actions = decide(self._state, event, self._clock.now_ns(), self.world.chance)
        for action in actions:
            self._act(action)
        self._settle()

    def _act(self, action: Action) -> None:
        parts = self._parts
        match action:
            case Exchange(ticket, tokens):
                self.spawn(self._exchange, ticket, tokens)
            case Save(held):
                self.spawn(self._save, held)
            case Hold():
                self.spawn(self._hold)
            case Publish(held):
                tell(parts.streams, self._hand_out(held))
            case Lose(text):
                parts.tell(CredentialLost(parts.login, text))
            case Regain():
                parts.tell(CredentialRegained(parts.login))
            case Warn(left_ns):
                parts.tell(LoginEnding(parts.login, left_ns))

    async def _exchange(self, ticket: int, tokens: TokenSet | None) -> None:
        parts = self._parts
        try:
            flow = parts.way.renew(await self._credential(), tokens)
            fresh = await drive(flow, parts.sender, self.world.clock, parts.redactor)
        except LoginFailure as failure:
            self._happened(Failed(ticket, failure))
        else:
            self._mask(fresh)
            self._happened(Obtained(ticket, self._grant(fresh)))

    async def _save(self, held: Held) -> None:
        text = await self._kept(Kept(held.tokens, held.generation))
        self._happened(SaveFailed(held.generation, text) if text else Saved(held.generation))

    async def _kept(self, kept: Kept) -> str:
        """Makes it durable, which not even the end of the store interrupts; else says why that failed."""
        text = f"{self._parts.login}: the new tokens could not be saved in time"
        with trio.move_on_after(_SAVE_SECONDS, shield=True):
            while True:
                try:
                    async with self._writing:
                        await self._parts.shelf.put(with_kept(await self._credential(), kept))
                except Exception as error:  # noqa: BLE001 - whatever it is, the only copy must not be lost
                    reason = self._parts.redactor.line(f"{type(error).__name__}: {error}")
                    text = (
                        f"{self._parts.login}: the new tokens cannot be saved ({reason}); they are kept and tried again"
                    )
                    await trio.sleep(_SAVE_PAUSE)
                else:
                    return ""
        return text

    async def _hold(self) -> None:
        """Writes down until when nothing may be tried; a failure costs no more than one attempt after a restart."""
        try:
            async with self._writing:
                credential = await self._credential()
                not_before_ns = self._clock.on_wall_ns(self._state.not_before_ns)
                if self._state.failures:
                    await self._parts.shelf.put(
                        with_kept(credential, attrs.evolve(kept_in(credential), not_before_ns=not_before_ns))
                    )
        except Exception as error:  # noqa: BLE001 - trading does not end because a hold was not written
            self._state = attrs.evolve(self._state, why=f"{self._state.why} (not written down: {type(error).__name__})")

    async def _credential(self) -> Credential:
        try:
            return await self._parts.shelf.get(self._parts.login)
        except NoCredential:
            return Credential(self._parts.login)

    def _hand_out(self, held: Held) -> Token:
        expires_ns = self._clock.on_wall_ns(held.expires_ns)
        tokens = held.tokens
        self._token = Token(self._parts.login, held.generation, tokens.access, expires_ns, tokens.extra)
        return self._token

    def _grant(self, tokens: TokenSet) -> Grant:
        wall_ns = self.world.clock.wall_ns()
        return Grant(tokens, tokens.left_ns(wall_ns), tokens.login_left_ns(wall_ns))

    def _mask(self, tokens: TokenSet) -> None:
        """Masks these secrets in all output, and no longer those of long ago."""
        self._masked.append(tuple(secret for secret in tokens.secrets if self._parts.redactor.learn(secret)))
        if len(self._masked) > _REMEMBERED:
            for secret in self._masked.popleft():
                self._parts.redactor.forget(secret)

    # Answers that wait.

    def _after(self, generation: int) -> Token:
        """A token later than this generation, as soon as there is one."""
        self._waiting.append((reply := self.defer(), generation))
        self._settle()
        later: Token = reply.later
        return later

    def _settle(self) -> None:
        """Answers those who wait and can be answered."""
        waiting, self._waiting = self._waiting, []
        usable = self._state.usable(self._clock.now_ns()) is not None
        for reply, generation in waiting:
            if self._token is not None and usable and self._token.generation > generation:
                reply.send(self._token)
            elif not self._state.working:
                reply.fail(self._refusal())
            elif not reply.abandoned:
                self._waiting.append((reply, generation))

    def _refusal(self) -> CredentialError:
        state, login = self._state, self._parts.login
        code = Code.HUMAN_NEEDED if state.blocked else Code.SESSION_EXPIRED
        next_ns = state.next_ns
        return CredentialError(
            login.broker,
            code,
            state.why or f"{login}: the next refresh is not due yet",
            retry_after_ns=None if next_ns is None else max(next_ns - self._clock.now_ns(), 0),
        )
