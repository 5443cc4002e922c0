"""Runs a login flow over an HTTP client: sends, waits, asks the person, and shows no secret to anybody."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import trio

from brokers.tokens.flow import (
    Answer,
    AskHuman,
    Flow,
    FlowRequest,
    FlowResponse,
    HumanNeeded,
    Step,
    Unreachable,
    Wait,
)
from brokers.tokens.token_set import TokenSet
from runtime.wire.http_messages import HttpFailure, HttpRequest, HttpResponse
from runtime.wire.redaction import Redactor
from runtime.wire.secret import Secret
from runtime.world import Clock

Person = Callable[[AskHuman], Awaitable[Mapping[str, str]]]


class Sender(Protocol):
    """What sends a request and returns its answer; an HttpClient."""

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        """The complete answer; raises HttpFailure, within a time of its own."""
        ...


async def drive(flow: Flow, sender: Sender, clock: Clock, redactor: Redactor, person: Person | None = None) -> TokenSet:
    """The tokens a flow ends with; raises LoginFailure.

    Once a request is on its way its answer is awaited even against a cancellation, because it may hold the only
    copy of a refresh token; there is no checkpoint between the last answer and the return.
    """
    answer: Answer = None
    try:
        while True:
            answer = await _taken(flow.send(answer), sender, clock, redactor, person)
    except StopIteration as end:
        tokens: TokenSet = end.value
        return tokens
    finally:
        flow.close()


async def _taken(step: Step, sender: Sender, clock: Clock, redactor: Redactor, person: Person | None) -> Answer:
    match step:
        case FlowRequest():
            await trio.lowlevel.checkpoint_if_cancelled()
            with trio.CancelScope(shield=True):
                return await _exchanged(step, sender, clock, redactor)
        case Wait(seconds):
            await trio.sleep(seconds)
        case AskHuman():
            return await _asked(step, person)
    return None


async def _exchanged(request: FlowRequest, sender: Sender, clock: Clock, redactor: Redactor) -> FlowResponse:
    with masked(redactor, request.secrets):
        try:
            answer = await sender.send(request.encoded())
        except HttpFailure as failure:
            raise Unreachable(redactor.line(str(failure))) from None
    return FlowResponse(answer, clock.wall_ns(), _quoting(redactor, request.secrets))


async def _asked(question: AskHuman, person: Person | None) -> Mapping[str, str]:
    if person is None:
        raise HumanNeeded("a person has to log in, and nobody was asked; run `pitboss login`")
    with trio.move_on_after(question.limit_seconds):
        return await person(question)
    raise HumanNeeded(f"nobody logged in within {question.limit_seconds:g} s; log in again")


@contextmanager
def masked(redactor: Redactor, secrets: Iterable[Secret]) -> Iterator[None]:
    """Masks the secrets for the length of the block."""
    learned = [secret for secret in secrets if redactor.learn(secret)]
    try:
        yield
    finally:
        for secret in learned:
            redactor.forget(secret)


def _quoting(redactor: Redactor, secrets: Iterable[Secret]) -> Callable[[str], str]:
    """Quotes a broker that may repeat what it was sent."""

    def quote(text: str) -> str:
        with masked(redactor, secrets):
            return redactor.line(text)

    return quote
