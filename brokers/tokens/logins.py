"""Which brokers one logs in to, with what fields, and by which way: the table behind `pitboss login` and `keys`."""

import random
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

import attrs

from brokers.tokens.credentials import Credential
from brokers.tokens.decisions import SECOND_NS, Policy
from brokers.tokens.flow import Flow
from brokers.tokens.oauth2 import SCHWAB, TRADESTATION, OAuth2
from brokers.tokens.password import TRADOVATE_DEMO, TRADOVATE_LIVE, PasswordLogin, new_device_id

ENVIRONMENTS: Final = ("paper", "live")


@attrs.frozen
class LoginField:
    """One field of a credential that a person gives; what nobody has to know may be made up here."""

    name: str
    sentence: str
    made_up: Callable[[random.Random], str] | None = None


@attrs.frozen
class LoginPlan:
    """One broker's login."""

    broker: str
    fields: tuple[LoginField, ...]
    ways: Mapping[str, OAuth2 | PasswordLogin]  # by environment
    policy: Policy = attrs.field(factory=Policy)

    def way(self, environment: str, at: str | None = None) -> OAuth2 | PasswordLogin:
        """The way in one environment; `at` is the origin of an emulator that stands in for the broker."""
        way = self.ways.get(environment)
        if way is None:
            raise UnknownEnvironment(self, environment)
        if at is None:
            return way
        names = ("authorize_url", "token_url") if isinstance(way, OAuth2) else ("login_url", "renew_url")
        moved = {name: at.rstrip("/") + urlsplit(getattr(way, name)).path for name in names}
        return attrs.evolve(way, **moved)


class UnknownLogin(LookupError):
    """A broker that nobody logs in to."""

    def __init__(self, broker: str) -> None:
        super().__init__(
            f"expected a broker with a login, got {broker!r}; nothing was changed; choose one of {', '.join(LOGINS)}"
        )
        self.broker = broker


class UnknownEnvironment(LookupError):
    """An environment in which a broker has no login."""

    def __init__(self, plan: LoginPlan, environment: str) -> None:
        there = " or ".join(f"--environment {name}" for name in plan.ways)
        super().__init__(f"{plan.broker} has no {environment} environment; nothing was changed; use {there}")
        self.broker = plan.broker
        self.environment = environment


class UnknownField(LookupError):
    """A field that a broker's login does not have."""

    def __init__(self, plan: LoginPlan, field: str) -> None:
        names = ", ".join(one.name for one in plan.fields)
        super().__init__(
            f"expected a field of {plan.broker}, got {field!r}; nothing was changed; choose one of {names}"
        )
        self.broker = plan.broker
        self.field = field


_CLIENT = (
    LoginField("client_id", "the application's key, from the broker's developer page"),
    LoginField("client_secret", "the application's secret, from the same page"),
)
_PASSWORD = (
    LoginField("username", "the name you log in with"),
    LoginField("password", "the password, or the one made for this application"),
    LoginField("cid", "the number of the API key"),
    LoginField("sec", "the secret of the API key"),
    LoginField("device_id", "what tells this machine from others; made up once", new_device_id),
)

LOGINS: Final[Mapping[str, LoginPlan]] = {
    plan.broker: plan
    for plan in (
        LoginPlan("tradestation", _CLIENT, dict.fromkeys(ENVIRONMENTS, TRADESTATION)),
        LoginPlan(
            "tradovate",
            _PASSWORD,
            {"paper": TRADOVATE_DEMO, "live": TRADOVATE_LIVE},
            # A login is the last resort there, so a token is renewed long before its end.
            Policy(ahead_ns=15 * 60 * SECOND_NS),
        ),
        LoginPlan("thinkorswim", _CLIENT, {"live": SCHWAB}),
    )
}


def person_login(way: OAuth2 | PasswordLogin, credential: Credential, chance: random.Random) -> Flow:
    """A person's login; `chance` must be one that nobody can foretell."""
    return way.log_in(credential, chance) if isinstance(way, OAuth2) else way.log_in(credential)


def login_plan(broker: str) -> LoginPlan:
    """The plan of one broker; raises UnknownLogin."""
    plan = LOGINS.get(broker)
    if plan is None:
        raise UnknownLogin(broker)
    return plan


def field_of(plan: LoginPlan, name: str) -> LoginField:
    """One field of a plan; raises UnknownField."""
    for field in plan.fields:
        if field.name == name:
            return field
    raise UnknownField(plan, name)
