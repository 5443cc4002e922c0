"""OAuth 2.0: login by authorization code with PKCE, and refresh, with or without rotating refresh tokens.

What differs between brokers is data, so TradeStation and Schwab are two values of one flow. A credential holds
`client_id` and, unless the client is public, `client_secret`.
"""

import base64
import enum
import hashlib
import hmac
import random
from collections.abc import Generator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import attrs

from brokers.tokens.credentials import Credential, FieldMissing
from brokers.tokens.flow import (
    SECOND_NS,
    Answer,
    AskHuman,
    Flow,
    FlowRequest,
    FlowResponse,
    HumanNeeded,
    LoginFailure,
    LoginRefused,
    Pairs,
    Penalty,
    Step,
    Unreachable,
    Value,
    ask,
    ask_human,
)
from brokers.tokens.token_set import TokenSet
from runtime.wire.secret import Secret

MINUTE_NS: Final = 60 * SECOND_NS
DAY_NS: Final = 86_400 * SECOND_NS
_LONGEST_LIFE: Final = 365 * 86_400  # seconds; beyond it the answer is a mistake
_ENDED: Final = frozenset({"invalid_grant", "unsupported_token_type", "refresh_token_authentication_error"})


class ClientProof(enum.Enum):
    """How the client shows who it is."""

    BASIC = "basic"  # id and secret in the Authorization header
    FORM = "form"  # id and secret in the form
    PUBLIC = "public"  # the id alone; PKCE stands in for the secret


@attrs.frozen(kw_only=True)
class OAuth2:
    """One broker's way of OAuth 2.0.

    redirect_uri  where the browser arrives, as it is registered with the broker: on this machine only
    rotates       whether a refresh may bring a new refresh token, which then ends the one before
    access_life   nanoseconds an access token lives when the answer does not say
    login_life    nanoseconds from a person's login to the next one that is needed; None when nobody says
    """

    broker: str
    authorize_url: str
    token_url: str
    redirect_uri: str
    scopes: tuple[str, ...] = ()
    audience: str | None = None
    proof: ClientProof = ClientProof.FORM
    pkce: bool = True
    rotates: bool = True
    access_life_ns: int = 20 * MINUTE_NS
    login_life_ns: int | None = None
    hold_ns: int = MINUTE_NS  # after a 429 that does not say how long

    def log_in(self, credential: Credential, chance: random.Random) -> Flow:
        """A person's login; `chance` must be one that nobody can foretell, such as random.SystemRandom()."""
        verifier, state = _unguessable(chance), _unguessable(chance)
        redirect = yield from ask_human(AskHuman(self._address(credential, verifier, state), self.redirect_uri, state))
        form: dict[str, Value] = {
            "grant_type": "authorization_code",
            "code": _code_in(redirect, state),
            "redirect_uri": self.redirect_uri,
        }
        if self.pkce:
            form["code_verifier"] = verifier
        response = yield from self._post(credential, form)
        login_ends = None if self.login_life_ns is None else response.wall_ns + self.login_life_ns
        return self._tokens(response, None, login_ends)

    def renew(self, credential: Credential, tokens: TokenSet | None) -> Flow:
        """Fresh tokens for the refresh token in `tokens`; without one a person has to log in."""
        if tokens is None or tokens.refresh is None:
            raise HumanNeeded(f"{credential.id}: there is no refresh token; run `pitboss login {self.broker}`")
        response = yield from self._post(credential, {"grant_type": "refresh_token", "refresh_token": tokens.refresh})
        return self._tokens(response, tokens.refresh, tokens.refresh_expires_ns)

    def _address(self, credential: Credential, verifier: Secret, state: Secret) -> str:
        query = {
            "response_type": "code",
            "client_id": _field(credential, "client_id"),
            "redirect_uri": self.redirect_uri,
            "state": state.reveal(),
        }
        if self.scopes:
            query["scope"] = " ".join(self.scopes)
        if self.audience is not None:
            query["audience"] = self.audience
        if self.pkce:
            query |= {"code_challenge": challenge(verifier), "code_challenge_method": "S256"}
        return f"{self.authorize_url}?{urlencode(query, quote_via=quote)}"

    def _post(self, credential: Credential, form: Mapping[str, Value]) -> Generator[Step, Answer, FlowResponse]:
        headers, own = self._proof(credential)
        response = yield from ask(FlowRequest("POST", self.token_url, headers, {**form, **own}))
        if response.status != 200:
            raise self._failure(credential, response)
        return response

    def _proof(self, credential: Credential) -> tuple[Pairs, dict[str, Value]]:
        client = _field(credential, "client_id")
        if self.proof is ClientProof.PUBLIC:
            return (), {"client_id": client}
        secret = _field(credential, "client_secret")
        if self.proof is ClientProof.FORM:
            return (), {"client_id": client, "client_secret": Secret(secret)}
        pair = base64.b64encode(f"{client}:{secret}".encode()).decode()
        return (("authorization", Secret(f"Basic {pair}")),), {}

    def _tokens(self, response: FlowResponse, refresh: Secret | None, login_ends_ns: int | None) -> TokenSet:
        fields = response.fields()
        access, fresh = fields.get("access_token"), fields.get("refresh_token")
        if not isinstance(access, str) or not access:
            raise Unreachable(f"{self.broker}: expected an answer with an access_token, it has none; trying again")
        if isinstance(fresh, str) and fresh and (self.rotates or refresh is None):
            refresh = Secret(fresh)
        life_ns = _life_ns(fields.get("expires_in"), self.access_life_ns)
        return TokenSet(Secret(access), refresh, response.wall_ns, response.wall_ns + life_ns, login_ends_ns)

    def _failure(self, credential: Credential, response: FlowResponse) -> LoginFailure:
        fields = response.fields()
        error = fields.get("error")
        said = f"{response.quote(error)}: {response.quote(fields.get('error_description'))}"
        if response.status == 429:
            return Penalty(f"{credential.id}: too many requests at the login", response.hold_ns(self.hold_ns))
        if response.status >= 500 or not isinstance(error, str):
            return Unreachable(f"{credential.id}: expected tokens, got status {response.status}; trying again")
        if error in _ENDED:
            return HumanNeeded(f"{credential.id}: the login has ended ({said}); run `pitboss login {self.broker}`")
        return LoginRefused(
            f"{credential.id}: refused ({said}); check the client's fields with `pitboss keys set {self.broker}`"
        )


def challenge(verifier: Secret) -> str:
    """The S256 challenge of a PKCE verifier."""
    return _base64url(hashlib.sha256(verifier.reveal().encode()).digest())


def _unguessable(chance: random.Random) -> Secret:
    return Secret(_base64url(chance.randbytes(32)))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _field(credential: Credential, name: str) -> str:
    try:
        return credential.text(name)
    except FieldMissing as missing:
        raise HumanNeeded(str(missing)) from None


def _code_in(redirect: Mapping[str, str], state: Secret) -> Secret:
    """The authorization code; raises LoginRefused when the redirect is not the answer to our question."""
    if not hmac.compare_digest(redirect.get("state", "").encode(), state.reveal().encode()):
        raise LoginRefused("the redirect does not carry the state of this login: it was forged or is old; log in again")
    if "error" in redirect:
        raise LoginRefused("the login was refused or called off in the browser; log in again")
    if not redirect.get("code"):
        raise LoginRefused("expected a redirect with an authorization code, it has none; log in again")
    return Secret(redirect["code"])


def _life_ns(said: Any, otherwise_ns: int) -> int:
    """The life of a token as the answer states it, in seconds, maybe as text."""
    text = str(said)
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return otherwise_ns
    seconds = int(text)
    return seconds * SECOND_NS if 0 < seconds <= _LONGEST_LIFE else otherwise_ns


TRADESTATION: Final = OAuth2(
    broker="tradestation",
    authorize_url="https://signin.tradestation.com/authorize",
    token_url="https://signin.tradestation.com/oauth/token",  # noqa: S106  an address, not a secret
    redirect_uri="http://localhost:3000",
    scopes=("openid", "offline_access", "profile", "MarketData", "ReadAccount", "Trade", "Matrix"),
    audience="https://api.tradestation.com",
)

SCHWAB: Final = OAuth2(
    broker="thinkorswim",
    authorize_url="https://api.schwabapi.com/v1/oauth/authorize",
    token_url="https://api.schwabapi.com/v1/oauth/token",  # noqa: S106  an address, not a secret
    redirect_uri="https://127.0.0.1",
    proof=ClientProof.BASIC,
    pkce=False,
    rotates=False,
    access_life_ns=30 * MINUTE_NS,
    login_life_ns=7 * DAY_NS,
)
