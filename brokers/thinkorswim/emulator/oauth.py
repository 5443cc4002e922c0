"""Schwab's sign-in: codes of 30 seconds, access tokens of 30 minutes, a log-in that ends after seven days; no I/O."""

import base64
import binascii
import hmac
import random
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import attrs

from brokers.emulation.switchboard import Switchboard
from brokers.emulation.web import Reply
from brokers.thinkorswim.emulator.words import SECOND_NS, RefusedError, gateway_error, new_uuid, reply

ACCESS_SECONDS: Final = 1800
CODE_SECONDS: Final = 30
LOGIN_SECONDS: Final = 7 * 86_400
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BAD_REFRESH: Final = (
    '400 Bad Request: "{"error_description":"Exception while authenticating refresh token ...",'
    '"error":"refresh_token_authentication_error"}"'
)


@attrs.frozen
class App:
    """A registered application: its key, its secret, and the one place where browsers are sent back to."""

    key: str
    secret: str
    callback: str


@attrs.frozen
class _Login:
    """A person's log-in; nothing makes it live longer."""

    refresh_token: str
    ends_ns: int


class SignIn:
    """What the sign-in knows of one application and one person."""

    def __init__(self, app: App, chance: random.Random, faults: Switchboard, now_ns: int) -> None:
        self.app = app
        self._chance = chance
        self._faults = faults
        self._codes: dict[str, int] = {}  # until when each is good
        self._access: dict[str, int] = {}
        self._login = self._new_login(now_ns)

    @property
    def refresh_token(self) -> str:
        """That of the log-in that stands; one was made beforehand."""
        return self._login.refresh_token

    def authorize(self, query: Mapping[str, str], now_ns: int) -> Reply:
        """The browser's page: the person always agrees and is sent back with a code, and the state that came."""
        wanted = {"client_id": self.app.key, "redirect_uri": self.app.callback}
        wrong = [name for name, value in wanted.items() if query.get(name) != value]
        if wrong or query.get("response_type", "code") != "code":
            raise RefusedError(400, f"Invalid {(wrong or ['response_type'])[0]}")
        code = f"C0.{self._word(48)}@"
        self._codes[code] = now_ns + CODE_SECONDS * SECOND_NS
        state = f"&state={quote(query['state'])}" if "state" in query else ""
        location = f"{self.app.callback}/?code={quote(code)}&session={new_uuid(self._chance)}{state}"
        return Reply(302, b"", (("location", location),))

    def token(self, authorization: str, form: Mapping[str, str], now_ns: int) -> Reply:
        """Exchanges a code or refreshes, for a client that proves itself by Basic authorization."""
        if not self._is_client(authorization):
            return _no(401, "invalid_client", "Unauthorized: client authentication failed")
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form, now_ns)
            case "refresh_token":
                return self._refresh(form.get("refresh_token", ""), now_ns)
            case other:
                return _no(400, "unsupported_grant_type", f"400 Bad Request: grant_type {other!r} is not supported")

    def admits(self, token: str, now_ns: int) -> bool:
        """Whether an access token is good now."""
        return now_ns < self._access.get(token, 0)

    def check_bearer(self, authorization: str, now_ns: int) -> bool:
        """Whether a request's authorization is good now."""
        kind, _, token = authorization.partition(" ")
        return kind.lower() == "bearer" and self.admits(token, now_ns)

    # Within.

    def _is_client(self, authorization: str) -> bool:
        kind, _, proof = authorization.partition(" ")
        try:
            said = base64.b64decode(proof, validate=True)
        except (binascii.Error, ValueError):
            return False
        return kind.lower() == "basic" and hmac.compare_digest(said, f"{self.app.key}:{self.app.secret}".encode())

    def _exchange(self, form: Mapping[str, str], now_ns: int) -> Reply:
        """A new log-in; it ends the one before."""
        good_until = self._codes.pop(form.get("code", ""), 0)
        if now_ns >= good_until or form.get("redirect_uri") != self.app.callback:
            return _no(400, "invalid_grant", "400 Bad Request: the authorization code is invalid or has expired")
        self._login = self._new_login(now_ns)
        return self._grant(now_ns)

    def _refresh(self, token: str, now_ns: int) -> Reply:
        if self._faults.strikes("refresh-fails") is not None:
            return gateway_error(503)
        good = hmac.compare_digest(token.encode(), self._login.refresh_token.encode()) and now_ns < self._login.ends_ns
        if not good or self._faults.strikes("refresh-revoked") is not None:
            return _no(400, "unsupported_token_type", _BAD_REFRESH)
        if self._faults.state("rotate-tokens") is not None:
            self._login = attrs.evolve(self._login, refresh_token=self._word(64))
        return self._grant(now_ns)

    def _grant(self, now_ns: int) -> Reply:
        short = self._faults.state("short-tokens")
        seconds = ACCESS_SECONDS if short is None else max(int(short.seconds), 1)
        token = f"I0.{self._word(48)}@"
        self._access[token] = now_ns + seconds * SECOND_NS
        return reply(
            {
                "expires_in": seconds,
                "token_type": "Bearer",
                "scope": "api",
                "refresh_token": self._login.refresh_token,
                "access_token": token,
                "id_token": f"eyJ{self._word(48)}",
            }
        )

    def _new_login(self, now_ns: int) -> _Login:
        return _Login(self._word(64), now_ns + LOGIN_SECONDS * SECOND_NS)

    def _word(self, length: int) -> str:
        return "".join(self._chance.choices(_LETTERS, k=length))


def _no(status: int, error: str, description: str) -> Reply:
    return reply({"error": error, "error_description": description}, status=status)
