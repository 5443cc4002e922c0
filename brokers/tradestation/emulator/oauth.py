"""TradeStation's sign-in host: codes, access tokens of twenty minutes, refresh tokens that rotate or do not; no I/O."""

import base64
import hashlib
import random
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

import attrs

from brokers.emulation.switchboard import Switchboard
from brokers.emulation.web import Reply
from brokers.tradestation.emulator.words import SECOND_NS, RefusedError, failure, reply

AUDIENCE: Final = "https://api.tradestation.com"
SCOPES: Final = frozenset(
    ["openid", "offline_access", "profile", "MarketData", "ReadAccount", "Trade", "Matrix", "OptionSpreads", "Crypto"]
)
USUAL: Final = "openid profile offline_access MarketData ReadAccount Trade"
ACCESS_SECONDS: Final = 1200
CODE_SECONDS: Final = 300
ROTATED_SECONDS: Final = 30 * 60
ABSOLUTE_SECONDS: Final = 24 * 3600


@attrs.frozen
class Key:
    """An API key with its secret and where browsers are sent back to."""

    client_id: str
    client_secret: str
    redirect_uri: str


@attrs.frozen
class _Code:
    scope: str
    redirect_uri: str
    challenge: str
    expires_ns: int


@attrs.frozen
class _Grant:
    scope: str
    expires_ns: int | None  # of this refresh token
    ends_ns: int  # of the whole log-in, when tokens rotate


class SignIn:
    """What the sign-in host knows of one key and one user."""

    def __init__(self, key: Key, chance: random.Random, faults: Switchboard, now_ns: int) -> None:
        self.key = key
        self._chance = chance
        self._faults = faults
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, tuple[int, frozenset[str]]] = {}
        self._refresh: dict[str, _Grant] = {}
        self.refresh_token = self._new_grant(USUAL, now_ns + ABSOLUTE_SECONDS * SECOND_NS, None)
        """A log-in made beforehand."""

    # The three doors.

    def authorize(self, query: Mapping[str, str], now_ns: int) -> Reply:
        """The browser's page: the user always agrees and is sent back with a code."""
        scope = query.get("scope", "")
        checks = {
            "response_type": query.get("response_type") == "code",
            "client_id": query.get("client_id") == self.key.client_id,
            "audience": query.get("audience") == AUDIENCE,
            "redirect_uri": query.get("redirect_uri") == self.key.redirect_uri,
            "scope": bool(scope) and SCOPES.issuperset(scope.split()),
            "code_challenge_method": query.get("code_challenge_method", "S256") == "S256",
        }
        wrong = [name for name, good in checks.items() if not good]
        if wrong:
            raise RefusedError(400, f"Invalid {wrong[0]}")
        code = self._word(32)
        challenge = query.get("code_challenge", "")
        expires = now_ns + CODE_SECONDS * SECOND_NS
        self._codes[code] = _Code(scope, self.key.redirect_uri, challenge, expires)
        back = {"code": code, "state": query["state"]} if "state" in query else {"code": code}
        target = urlsplit(self.key.redirect_uri)
        location = target._replace(path=target.path or "/", query=urlencode(back)).geturl()
        return Reply(302, b"", (("location", location),))

    def token(self, form: Mapping[str, str], now_ns: int) -> Reply:
        """Exchanges a code, or refreshes."""
        if form.get("client_id") != self.key.client_id:
            return _no(401, "invalid_client", "Unknown client.")
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form, now_ns)
            case "refresh_token":
                return self._refreshed(form, now_ns)
            case other:
                return _no(403, "unsupported_grant_type", f"Unsupported grant type: {other}")

    def revoke(self, form: Mapping[str, str]) -> Reply:
        """Ends all refresh tokens of the key."""
        if not self._is_client(form):
            return _no(401, "access_denied", "Unauthorized")
        self._refresh.clear()
        return reply({})

    # What the interface asks.

    def scopes(self, authorization: str, now_ns: int) -> frozenset[str]:
        """What a bearer may do; raises RefusedError (401) for a token that is unknown or too old."""
        kind, _, token = authorization.partition(" ")
        expires_ns, scopes = self._access.get(token, (0, frozenset()))
        if kind.lower() != "bearer" or now_ns >= expires_ns:
            raise RefusedError(401)
        return scopes

    # Within.

    def _is_client(self, form: Mapping[str, str]) -> bool:
        return (form.get("client_id"), form.get("client_secret")) == (self.key.client_id, self.key.client_secret)

    def _exchange(self, form: Mapping[str, str], now_ns: int) -> Reply:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or now_ns >= code.expires_ns or form.get("redirect_uri") != code.redirect_uri:
            return _no(403, "invalid_grant", "Invalid authorization code")
        if code.challenge:
            if _challenge_of(form.get("code_verifier", "")) != code.challenge:
                return _no(403, "invalid_grant", "Failed to verify code verifier")
        elif not self._is_client(form):
            return _no(401, "access_denied", "Unauthorized")
        answer = self._granted(code.scope, now_ns)
        if "offline_access" in code.scope.split():
            ends = now_ns + ABSOLUTE_SECONDS * SECOND_NS
            answer["refresh_token"] = self._new_grant(code.scope, ends, self._rotated_until(now_ns))
        return reply(answer)

    def _refreshed(self, form: Mapping[str, str], now_ns: int) -> Reply:
        if self._faults.strikes("refresh-fails") is not None:
            return failure(503)
        token = form.get("refresh_token", "")
        grant = self._refresh.get(token)
        # A public client has no secret to send; one that sends a secret must send the right one.
        if form.get("client_secret", self.key.client_secret) != self.key.client_secret:
            return _no(401, "access_denied", "Unauthorized")
        if grant is None or self._faults.strikes("refresh-revoked") is not None:
            return _no(403, "invalid_grant", "Unknown or invalid refresh token.")
        rotates = self._faults.state("rotate-tokens") is not None
        too_old = grant.expires_ns is not None and now_ns >= grant.expires_ns
        if too_old or (rotates and now_ns >= grant.ends_ns):
            del self._refresh[token]
            return _no(403, "invalid_grant", "Unknown or invalid refresh token.")
        answer = self._granted(grant.scope, now_ns)
        if rotates:
            del self._refresh[token]
            answer["refresh_token"] = self._new_grant(grant.scope, grant.ends_ns, self._rotated_until(now_ns))
        return reply(answer)

    def _granted(self, scope: str, now_ns: int) -> dict[str, object]:
        short = self._faults.state("short-tokens")
        seconds = ACCESS_SECONDS if short is None else max(int(short.seconds), 1)
        token = f"eyJ{self._word(40)}"
        self._access[token] = now_ns + seconds * SECOND_NS, frozenset(scope.split())
        return {
            "access_token": token,
            "id_token": f"eyJ{self._word(40)}",
            "scope": scope,
            "expires_in": seconds,
            "token_type": "Bearer",
        }

    def _rotated_until(self, now_ns: int) -> int | None:
        return None if self._faults.state("rotate-tokens") is None else now_ns + ROTATED_SECONDS * SECOND_NS

    def _new_grant(self, scope: str, ends_ns: int, expires_ns: int | None) -> str:
        token = self._word(32)
        self._refresh[token] = _Grant(scope, expires_ns, ends_ns)
        return token

    def _word(self, length: int) -> str:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return "".join(self._chance.choices(letters, k=length))


def _challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _no(status: int, error: str, description: str) -> Reply:
    return reply({"error": error, "error_description": description}, status=status)
