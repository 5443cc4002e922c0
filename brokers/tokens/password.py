"""Login by password with a device id, renewal of a live token, penalty tickets, captchas and the texts of 2FA.

A credential holds `username`, `password`, `device_id`, `cid` and `sec`. A login makes a session at the broker,
which keeps few of them, so a live token is renewed and a new login is the last resort.
"""

import datetime as dt
import math
import random
from collections.abc import Generator
from decimal import Decimal
from typing import Any, Final

import attrs

from brokers.tokens.credentials import Credential, FieldMissing
from brokers.tokens.flow import (
    SECOND_NS,
    Answer,
    Captcha,
    Encoding,
    Flow,
    FlowRequest,
    FlowResponse,
    HumanNeeded,
    LoginRefused,
    Penalty,
    Step,
    Unreachable,
    Value,
    Wait,
    ask,
)
from brokers.tokens.token_set import TokenSet
from runtime.wire.secret import Secret

MINUTE_NS: Final = 60 * SECOND_NS
_LONGEST_PENALTY: Final = 86_400
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@attrs.frozen(kw_only=True)
class PasswordLogin:
    """One broker's way of logging in with a password.

    human_texts       parts of an error text, in lower case, that mean a second factor is asked for
    patience_seconds  how long penalties of one attempt are waited for; beyond that the attempt is given up
    hold_ns           how long nothing is tried after a captcha, a refusal or a block
    """

    broker: str
    login_url: str
    renew_url: str
    app_id: str = "pitboss"
    app_version: str = "0.1.0"
    human_texts: tuple[str, ...] = ("two-factor", "two factor", "2fa", "verification code")
    access_life_ns: int = 90 * MINUTE_NS
    patience_seconds: int = 60
    hold_ns: int = 60 * MINUTE_NS

    def log_in(self, credential: Credential) -> Flow:
        """A full login."""
        response, fields = yield from self._patiently(credential, self._login_request(credential))
        if not _has_token(fields):
            raise self._refusal(credential, response, fields)
        return self._tokens(response, fields)

    def renew(self, credential: Credential, tokens: TokenSet | None) -> Flow:
        """Renews a live token; a full login when there is none or the broker does not renew it."""
        if tokens is not None:
            bearer = Secret(f"Bearer {tokens.access.reveal()}")
            request = FlowRequest("GET", self.renew_url, (("authorization", bearer),))
            response, fields = yield from self._patiently(credential, request)
            if _has_token(fields):
                return self._tokens(response, fields)
        return (yield from self.log_in(credential))

    def _login_request(self, credential: Credential) -> FlowRequest:
        cid = _field(credential, "cid")
        body: dict[str, Value | int] = {
            "name": _field(credential, "username"),
            "password": Secret(_field(credential, "password")),
            "appId": self.app_id,
            "appVersion": self.app_version,
            "deviceId": _field(credential, "device_id"),
            "cid": int(cid) if cid.isascii() and cid.isdigit() else cid,
            "sec": Secret(_field(credential, "sec")),
        }
        return FlowRequest("POST", self.login_url, (), body, Encoding.JSON)

    def _patiently(
        self, credential: Credential, request: FlowRequest
    ) -> Generator[Step, Answer, tuple[FlowResponse, dict[str, Any]]]:
        """Sends the request, waits out penalties and sends it again with their tickets."""
        attempt, waited = request, 0
        while True:
            response = yield from ask(attempt)
            fields = response.fields()
            self._check(credential, response, fields)
            ticket = fields.get("p-ticket")
            if ticket is None:
                return response, fields
            seconds = _penalty_seconds(fields.get("p-time"))
            waited += seconds
            if waited > self.patience_seconds:
                raise Penalty(
                    f"{credential.id}: the broker asks to wait {seconds} s before the next login", seconds * SECOND_NS
                )
            yield Wait(seconds)
            attempt = attrs.evolve(
                request, body={**(request.body or {}), "p-ticket": str(ticket)}, encoding=Encoding.JSON
            )

    def _check(self, credential: Credential, response: FlowResponse, fields: dict[str, Any]) -> None:
        """Raises what ends the attempt whatever was asked."""
        if fields.get("p-captcha") is True:
            raise Captcha(
                f"{credential.id}: the broker asks for a captcha; log in at its own page in an hour, "
                "then run `pitboss login` again; nothing is tried until then",
                self.hold_ns,
            )
        if response.status in (423, 429):
            raise Penalty(f"{credential.id}: the broker blocks logins for a while", response.hold_ns(self.hold_ns))
        if response.status >= 500:
            raise Unreachable(f"{credential.id}: expected tokens, got status {response.status}; trying again")

    def _refusal(
        self, credential: Credential, response: FlowResponse, fields: dict[str, Any]
    ) -> LoginRefused | HumanNeeded | Unreachable:
        text = fields.get("errorText")
        said = response.quote(text)
        if isinstance(text, str) and any(part in text.lower() for part in self.human_texts):
            return HumanNeeded(
                f"{credential.id}: a second factor is switched on for this login ({said}), which forbids logins by "
                "program; switch it off at the broker, or use another login",
                self.hold_ns,
            )
        if isinstance(text, str) or response.status in (400, 401, 403):
            return LoginRefused(
                f"{credential.id}: refused ({said}); check the fields with `pitboss keys set {self.broker}`",
                self.hold_ns,
            )
        return Unreachable(f"{credential.id}: expected an answer with an accessToken, it has none; trying again")

    def _tokens(self, response: FlowResponse, fields: dict[str, Any]) -> TokenSet:
        extra = {
            name: Secret(str(fields[key]))
            for name, key in (("md_access_token", "mdAccessToken"), ("user_id", "userId"))
            if fields.get(key)
        }
        now_ns = response.wall_ns
        expires_ns = _moment_ns(fields.get("expirationTime"))
        if expires_ns is None or not 0 < expires_ns - now_ns <= 2 * self.access_life_ns:
            expires_ns = now_ns + self.access_life_ns  # the two clocks disagree: our own has to do
        return TokenSet(Secret(fields["accessToken"]), None, now_ns, expires_ns, extra=extra)


def new_device_id(chance: random.Random) -> str:
    """An id for this machine, to be made once and kept with the credential, in the form of a UUID."""
    digits = f"{chance.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _has_token(fields: dict[str, Any]) -> bool:
    token = fields.get("accessToken")
    return isinstance(token, str) and bool(token)


def _field(credential: Credential, name: str) -> str:
    try:
        return credential.text(name)
    except FieldMissing as missing:
        raise HumanNeeded(str(missing)) from None


def _penalty_seconds(said: Any) -> int:
    """The whole seconds of a penalty, at least one; what cannot be read counts as a minute."""
    if isinstance(said, bool) or not isinstance(said, int | Decimal) or not 0 <= said <= _LONGEST_PENALTY:
        return 60
    return max(1, math.ceil(said))


def _moment_ns(said: Any) -> int | None:
    try:
        moment = dt.datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        return None
    return (moment - _EPOCH) // dt.timedelta(microseconds=1) * 1_000


TRADOVATE_DEMO: Final = PasswordLogin(
    broker="tradovate",
    login_url="https://demo.tradovateapi.com/v1/auth/accessTokenRequest",
    renew_url="https://demo.tradovateapi.com/v1/auth/renewAccessToken",
)

TRADOVATE_LIVE: Final = PasswordLogin(
    broker="tradovate",
    login_url="https://live.tradovateapi.com/v1/auth/accessTokenRequest",
    renew_url="https://live.tradovateapi.com/v1/auth/renewAccessToken",
)
