"""Login flows without I/O: a generator yields what has to be done, is sent the answers, and returns a TokenSet.

Flow: yields FlowRequest -> is sent FlowResponse
      yields Wait        -> is sent None when the time is over
      yields AskHuman    -> is sent the parameters of the redirect
      returns TokenSet, or raises a LoginFailure

LoginFailure
├── LoginRefused   the broker does not take what it was given: a person must correct it
├── HumanNeeded    only a person can log in, or log in again
├── Captcha        the broker wants to see a person; further attempts make it worse
├── Penalty        the broker wants to be left alone for a while
└── Unreachable    no answer, or none to understand: try again later
"""

import enum
import json
from collections.abc import Callable, Generator, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

import attrs

from brokers.strict_json import InvalidJson, parse
from brokers.tokens.token_set import TokenSet
from runtime.wire.http_messages import HttpRequest, HttpResponse, without_query
from runtime.wire.redaction import one_line
from runtime.wire.secret import Secret

SECOND_NS: Final = 1_000_000_000
_QUOTED: Final = 200

Value = str | Secret
Pairs = tuple[tuple[str, Value], ...]


class Encoding(enum.Enum):
    """How the body of a request is written."""

    FORM = "application/x-www-form-urlencoded"
    JSON = "application/json"


@attrs.frozen
class FlowRequest:
    """One request of a login; what is secret in it is marked as Secret, and only that."""

    method: str
    url: str = attrs.field(repr=without_query)
    headers: Pairs = ()
    body: Mapping[str, Value | int] | None = None
    encoding: Encoding = Encoding.FORM

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything in it that must not be seen."""
        values = (*(value for _, value in self.headers), *(self.body or {}).values())
        return tuple(value for value in values if isinstance(value, Secret))

    def encoded(self) -> HttpRequest:
        """The request as it leaves."""
        headers = [("accept", "application/json"), *((name, str(_clear(value))) for name, value in self.headers)]
        if self.body is None:
            return HttpRequest(self.method, self.url, headers)
        clear = {name: _clear(value) for name, value in self.body.items()}
        text = urlencode(clear) if self.encoding is Encoding.FORM else json.dumps(clear)
        return HttpRequest(self.method, self.url, [*headers, ("content-type", self.encoding.value)], text.encode())


def _clear(value: Value | int) -> str | int:
    return value.reveal() if isinstance(value, Secret) else value


@attrs.frozen
class FlowResponse:
    """The answer, when it came by the wall, and how to quote it without its secrets."""

    answer: HttpResponse
    wall_ns: int
    mask: Callable[[str], str] = attrs.field(default=one_line, repr=False)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.answer.status

    def fields(self) -> dict[str, Any]:
        """The fields of the JSON object in the body; none when it holds anything else."""
        try:
            value = parse(self.answer.body)
        except InvalidJson:
            return {}
        return value if isinstance(value, dict) else {}

    def quote(self, said: object) -> str:
        """The broker's words: on one line, without secrets, and short."""
        return self.mask(said)[:_QUOTED] if isinstance(said, str) else "no reason"

    def hold_ns(self, otherwise_ns: int) -> int:
        """How long the broker asks to wait, at least a second; `otherwise_ns` if it does not say."""
        asked = self.answer.retry_after_ns(self.wall_ns)
        return otherwise_ns if asked is None else max(asked, SECOND_NS)


@attrs.frozen
class Wait:
    """Nothing may be sent for so many seconds."""

    seconds: int


@attrs.frozen
class AskHuman:
    """A person is to log in at `address`, after which the browser arrives at `redirect_uri` with `state`."""

    address: str = attrs.field(repr=without_query)
    redirect_uri: str
    state: Secret
    limit_seconds: float = 300.0


Step = FlowRequest | Wait | AskHuman
Answer = FlowResponse | Mapping[str, str] | None
Flow = Generator[Step, Answer, TokenSet]


def ask(request: FlowRequest) -> Generator[Step, Answer, FlowResponse]:
    """One request and its answer, as a part of a flow."""
    answer = yield request
    if not isinstance(answer, FlowResponse):
        raise TypeError(f"a flow expected a FlowResponse to its request, got a {type(answer).__name__}")
    return answer


def ask_human(question: AskHuman) -> Generator[Step, Answer, Mapping[str, str]]:
    """A person's login and the parameters of the redirect, as a part of a flow."""
    answer = yield question
    if not isinstance(answer, Mapping):
        raise TypeError(f"a flow expected the parameters of a redirect, got a {type(answer).__name__}")
    return answer


class LoginFailure(Exception):
    """A login or refresh without tokens; `hold_ns` is how long nothing more may be tried, None if that is free."""

    needs_human: ClassVar[bool] = False

    def __init__(self, text: str, hold_ns: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.hold_ns = hold_ns


class LoginRefused(LoginFailure):
    """The broker does not take what it was given; the same again would be refused again."""

    needs_human = True


class HumanNeeded(LoginFailure):
    """Only a person can go on from here."""

    needs_human = True


class Captcha(LoginFailure):
    """The broker wants to see a person; every further attempt makes it worse."""

    needs_human = True


class Penalty(LoginFailure):
    """The broker wants to be left alone."""

    def __init__(self, text: str, hold_ns: int) -> None:
        super().__init__(text, hold_ns)


class Unreachable(LoginFailure):
    """No answer, or none to understand; what was sent may have had its effect."""
