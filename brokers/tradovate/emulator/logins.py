"""Tradovate's sign-in: a password, two tokens of ninety minutes, two sessions a user, penalties; no I/O."""

import random
from collections.abc import Callable
from typing import Any, Final

import attrs

from brokers.emulation.log import LINE, EventLog
from brokers.emulation.switchboard import Switchboard
from brokers.emulation.windows import FixedWindows, Quota
from brokers.tradovate.emulator.habits import Habits
from brokers.tradovate.emulator.penalties import CAPTCHA_SECONDS, Penalties
from brokers.tradovate.emulator.words import DENIED, EXPIRED, SECOND_NS, Fields, RefusedError, stamp

WRONG_PASSWORD: Final = "Incorrect username or password. Please try again, noting that passwords are case-sensitive."  # noqa: S105 - a reply
NOT_REGISTERED: Final = "The app is not registered"
LOGINS: Final = Quota(10, 60)
SESSIONS: Final = 2
_LOGIN: Final = "login"
_PASSWORD_DAYS_NS: Final = 180 * 86_400 * SECOND_NS


@attrs.frozen
class User:
    """The one user, and the application that the login comes from."""

    id: int
    name: str
    password: str = attrs.field(repr=False)
    app_id: str
    cid: int
    sec: str = attrs.field(repr=False)
    device_id: str


@attrs.define(eq=False)
class Session:
    """What one login began."""

    number: int
    device_id: str
    alive: bool = True


@attrs.frozen
class Grant:
    """What a token allows."""

    session: Session
    expires_ns: int
    market_only: bool


class Logins:
    """All sessions of the user, and their tokens."""

    def __init__(
        self,
        user: User,
        habits: Habits,
        chance: random.Random,
        faults: Switchboard,
        penalties: Penalties,
        log: EventLog,
    ) -> None:
        self.user = user
        self.on_end: Callable[[Session], object] = lambda _: None
        """Hears of a session that ended; its sockets are closed then."""
        self._habits = habits
        self._chance = chance
        self._faults = faults
        self._penalties = penalties
        self._log = log
        self._windows = FixedWindows()
        self._sessions: list[Session] = []
        self._count = 0
        self._grants: dict[str, Grant] = {}

    # What a client asks for.

    def log_in(self, fields: Fields, now_ns: int, wall_ns: int) -> dict[str, Any]:
        """A login by password; whatever is wrong is said in a body of success."""
        waits = self._penalty(fields, now_ns)
        if waits is not None:
            return waits
        why = self._refusal(fields)
        if why is not None:
            return {"errorText": why}
        if len(self._sessions) >= SESSIONS:
            self.end(self._sessions[0])
        self._count += 1
        session = Session(self._count, str(fields.get("deviceId", "")))
        self._sessions.append(session)
        self._log.put(LINE, what="logged in", session=session.number)
        return self._tokens(session, now_ns, wall_ns)

    def renew(self, token: str, now_ns: int, wall_ns: int) -> dict[str, Any]:
        """New tokens for a session whose token is still good; raises RefusedError."""
        grant = self.grant(token, now_ns)
        if self._faults.strikes("refresh-fails") is not None:
            raise RefusedError(503)
        if grant.market_only or self._faults.strikes("refresh-revoked") is not None:
            raise RefusedError(401)
        if self._faults.strikes("rotate-tokens") is not None:
            for old in [one for one, held in self._grants.items() if held.session is grant.session]:
                del self._grants[old]
        return self._tokens(grant.session, now_ns, wall_ns)

    def grant(self, token: str, now_ns: int) -> Grant:
        """What a token allows; raises RefusedError (401) for one that is unknown, ended or expired."""
        grant = self._grants.get(token)
        if grant is None or not grant.session.alive:
            raise RefusedError(401, DENIED)
        if now_ns >= grant.expires_ns:
            raise RefusedError(401, EXPIRED)
        return grant

    def end(self, session: Session) -> None:
        """Ends a session: its tokens die and its sockets are closed."""
        session.alive = False
        if session in self._sessions:
            self._sessions.remove(session)
        self._grants = {token: one for token, one in self._grants.items() if one.session is not session}
        self._log.put(LINE, what="session ended", session=session.number)
        self.on_end(session)

    # Within.

    def _penalty(self, fields: Fields, now_ns: int) -> dict[str, Any] | None:
        if self._faults.strikes("captcha") is not None:
            return self._penalties.impose(_LOGIN, CAPTCHA_SECONDS, now_ns, captcha=True)
        waits = self._penalties.check(_LOGIN, fields.get("p-ticket"), now_ns)
        if waits is not None:
            return waits
        ticket = self._faults.strikes("ticket")
        if ticket is not None:
            return self._penalties.impose(_LOGIN, ticket.seconds, now_ns)
        if not self._windows.take("auth", self.user.name, LOGINS, now_ns).passes:
            return self._penalties.impose(_LOGIN, CAPTCHA_SECONDS, now_ns, captcha=True)
        return None

    def _refusal(self, fields: Fields) -> str | None:
        user = self.user
        if (fields.get("name"), fields.get("password")) != (user.name, user.password):
            return WRONG_PASSWORD
        app = (fields.get("appId"), str(fields.get("cid")), fields.get("sec"))
        if app != (user.app_id, str(user.cid), user.sec):
            return NOT_REGISTERED
        return self._habits.two_factor

    def _tokens(self, session: Session, now_ns: int, wall_ns: int) -> dict[str, Any]:
        short = self._faults.state("short-tokens")
        life_ns = int((self._habits.token_seconds if short is None else short.seconds) * SECOND_NS)
        access, market = self._word("at"), self._word("md")
        for token, market_only in ((access, False), (market, True)):
            self._grants[token] = Grant(session, now_ns + life_ns, market_only)
        return {
            "accessToken": access,
            "mdAccessToken": market,
            "expirationTime": stamp(wall_ns + life_ns),
            "passwordExpirationTime": stamp(wall_ns + _PASSWORD_DAYS_NS),
            "userStatus": "Active",
            "userId": self.user.id,
            "name": self.user.name,
            "hasLive": self._habits.live,
            "hasSimPlus": False,
            "hasFunded": True,
            "hasMarketData": self._habits.market_data,
            "outdatedLiquidationPolicy": False,
        }

    def _word(self, kind: str) -> str:
        return f"{kind}-{self._chance.getrandbits(192):048x}"
