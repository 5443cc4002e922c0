"""A stream of JSON lines over HTTP: opened with a fresh token, watched for silence, reopened with back-off."""

import random
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from brokers.errors import BrokerError
from brokers.guards.host import Host
from brokers.guards.reconnect import Reconnect
from brokers.tokens.reader import TokenReader
from brokers.tokens.signing import Bearer
from brokers.tradestation.quota import Tolls
from brokers.tradestation.rest import fault_in
from runtime.wire.http import HttpClient
from runtime.wire.http_messages import HttpFailure, HttpRequest
from runtime.wire.http_stream import HttpStream
from runtime.world import Clock

SILENCE_SECONDS: Final = 10.0  # two heartbeats
ENDED: Final = "the broker ended the stream"
GOODBYE: Final = "the broker is about to shut this stream down"

Take = Callable[[Sequence[bytes]], str | None]
"""Takes the lines of one piece, none of them empty; returns why the stream must be opened anew, else None."""


def one_by_one(take: Callable[[bytes], str | None]) -> Take:
    """Takes line after line, until one is the last."""

    def take_all(lines: Sequence[bytes]) -> str | None:
        for line in lines:
            end = take(line)
            if end is not None:
                return end
        return None

    return take_all


@attrs.frozen(eq=False)
class Lines:
    """What the streams of one login share."""

    origin: str
    http: HttpClient
    credentials: TokenReader
    tolls: Tolls
    host: Host
    clock: Clock
    chance: random.Random

    def reconnect(self) -> Reconnect:
        """The attempts of one stream."""
        return Reconnect(self.host.pacer, self.host.timeline, self.chance)

    async def read(self, resource: str, target: str, opened: Callable[[], None], take: Take) -> str:
        """Opens a stream once and hands on its lines, the empty ones left out; returns why it ended."""
        try:
            token = await self.credentials.token()
            async with self.tolls.pay(resource) as sent_ns:
                pass  # the opening alone is counted
            request = Bearer(token).sign(HttpRequest("GET", self.origin + target), self.clock.wall_ns())
            async with self.http.stream(request, gap=SILENCE_SECONDS) as stream:
                if stream.head.status == 200:
                    opened()
                    return await _taken(stream, take)
                answer = await stream.complete()
            self.tolls.heed(resource, answer, sent_ns)
            if answer.status == 401:
                await self.credentials.next_token(token)
            return f"HTTP {answer.status}: {fault_in(answer).message}"
        except HttpFailure as failure:
            return failure.text or failure.fault.value
        except BrokerError as error:
            return str(error)


async def _taken(stream: HttpStream, take: Take) -> str:
    async for lines in stream.lines():
        end = take([line for line in lines if line and not line.isspace()])
        if end is not None:
            return end
    return ENDED


def ending(status: str, error: str, message: str) -> str | None:
    """Why a stream must be opened anew after a word of control; None where it need not."""
    if "GoAway" in (status, error):
        return GOODBYE
    return f"{error}: {message}" if error else None
