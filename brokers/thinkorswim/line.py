"""One connection to the streamer, from LOGIN to its end: one command at a time out, rows to the board."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
import trio

from brokers.errors import BrokerError, Code, broker_error
from brokers.market import MarketEvent
from brokers.thinkorswim.board import Board
from brokers.thinkorswim.codes import Reaction, ResponseCode, response_code
from brokers.thinkorswim.conversation import Conversation, Wanted
from brokers.thinkorswim.events import Event, Quarantined
from brokers.thinkorswim.fields import Service
from brokers.thinkorswim.settings import BROKER, Qos, ThinkorswimSettings
from brokers.thinkorswim.wire import (
    Answer,
    Command,
    Frame,
    Malformed,
    Said,
    Streamer,
    Verb,
    decode_frame,
    encode_command,
    login_parameters,
    qos_parameters,
    subscription_parameters,
)
from runtime.wire.secret import Secret
from runtime.wire.websocket_ends import WebSocketClosed
from runtime.wire.websocket_session import WebSocketSession
from runtime.world import Clock

_REPEAT_SECONDS: Final = 0.5


@attrs.frozen
class Parting:
    """Why a connection ended, or never began, and what follows from it; GO_ON where nobody wants anything any more."""

    reaction: Reaction
    text: str
    error: BrokerError | None = None  # where one is known that says more

    @property
    def refusal(self) -> BrokerError:
        """What whoever waits for the connection is told."""
        return self.error or broker_error(BROKER, Code.CONNECTION_FAILED, self.text)


@attrs.frozen
class Ears:
    """Who hears of what happens on the line: plain functions that neither wait nor raise."""

    market: Callable[[Sequence[MarketEvent]], None]
    changed: Callable[[], None]  # a command was answered
    settled: Callable[[], None]  # for the first time all is as it was wanted
    told: Callable[[Event], None]


class Line:
    """One connection that has been opened."""

    def __init__(
        self,
        session: WebSocketSession,
        streamer: Streamer,
        access: Secret,
        settings: ThinkorswimSettings,
        wanted: dict[Service, Wanted],
        board: Board,
        ears: Ears,
        clock: Clock,
    ) -> None:
        self.conversation = Conversation(wanted, settings.qos)
        self._session = session
        self._streamer = streamer
        self._access = access
        self._settings = settings
        self._board = board
        self._ears = ears
        self._clock = clock
        self._number = 0
        self._settled = False
        self._heard = trio.current_time()
        self._wake = trio.Event()
        self._parting: Parting | None = None

    async def run(self) -> Parting:
        """Serves the connection until it ends."""
        async with trio.open_nursery() as nursery:
            for work in (self._listen, self._speak, self._watch):
                nursery.start_soon(self._until_parting, work, nursery.cancel_scope)
        assert self._parting is not None  # noqa: S101 - whoever ended the block said why
        return self._parting

    def want(self, wanted: dict[Service, Wanted]) -> None:
        """Other symbols are needed from now on."""
        self._become(self.conversation.want(wanted))

    async def _until_parting(self, work: Callable[[], Awaitable[Parting]], scope: trio.CancelScope) -> None:
        parting = await work()
        self._parting = self._parting or parting
        scope.cancel()

    def _become(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self._wake.set()
        self._wake = trio.Event()

    # Speaking.

    async def _speak(self) -> Parting:
        while True:
            command = self.conversation.next()
            if command is None:
                if await self._rested():
                    return Parting(Reaction.GO_ON, "nobody needs it")
                continue
            await trio.sleep(_REPEAT_SECONDS * self.conversation.repeats)
            if not await self._answered(command):
                return Parting(Reaction.RECONNECT, f"{command} was not answered in {self._settings.reply:g} s")

    async def _answered(self, command: Command) -> bool:
        self.conversation = self.conversation.said(command)
        with trio.move_on_after(self._settings.reply):
            await self._say(command)
            while self.conversation.asked is command:
                await self._wake.wait()
            return True
        return False

    async def _rested(self) -> bool:
        """Waits for something to say; True after a while in which nobody wanted anything, and goodbye was said."""
        if not self._settled:
            self._settled = True
            self._ears.settled()
        if self.conversation.wanted:
            await self._wake.wait()
            return False
        with trio.move_on_after(self._settings.linger):
            await self._wake.wait()
            return False
        await self._say(Command(Service.ADMIN, Verb.LOGOUT))
        return True

    async def _say(self, command: Command) -> None:
        self._number += 1
        frame = encode_command(self._streamer, self._number, command, self._parameters(command))
        try:
            await self._session.send(frame)
        except WebSocketClosed:
            await trio.sleep_forever()  # whoever listens learns why, and ends this

    def _parameters(self, command: Command) -> dict[str, str]:
        if command.verb is Verb.LOGIN:
            return login_parameters(self._streamer, self._access)
        if command.verb is Verb.QOS:
            return qos_parameters(self._settings.qos or Qos.MS_1000)
        return subscription_parameters(command)

    # Listening.

    async def _listen(self) -> Parting:
        try:
            while True:
                message = await self._session.receive()
                self._heard = trio.current_time()
                parting = self._hear(message)
                if parting is not None:
                    return parting
        except WebSocketClosed as end:
            return Parting(Reaction.RECONNECT, str(end))

    async def _watch(self) -> Parting:
        while (  # noqa: ASYNC110 - it looks again, since something may have been heard meanwhile
            silent_at := self._heard + self._settings.silence
        ) > trio.current_time():
            await trio.sleep_until(silent_at)
        return Parting(Reaction.RECONNECT, f"the streamer said nothing for {self._settings.silence:g} s")

    def _hear(self, message: str | bytes) -> Parting | None:
        try:
            frame = decode_frame(message)
        except Malformed as error:
            self._ears.told(Quarantined("streamer", "", "frame", error.text, error.kind))
            return None
        for batch in frame.data:
            events = self._board.take(batch, self._clock.wall_ns())
            if events:
                self._ears.market(events)
        for event in self._board.told():
            self._ears.told(event)
        return self._hear_words(frame) if frame.response or frame.notify else None

    def _hear_words(self, frame: Frame) -> Parting | None:
        for answer in frame.response:
            if parting := self._hear_answer(answer):
                return parting
        for notice in frame.notify:
            if notice.content is not None and (parting := _parting(notice.content)):
                return parting
        return None

    def _hear_answer(self, answer: Answer) -> Parting | None:
        parting = _parting(answer.content)
        command = self.conversation.asked
        if parting is not None or command is None or not answer.is_to(self._number):
            return parting
        code = response_code(answer.content.code)
        if command.verb is Verb.LOGIN and code.means is not None:
            return Parting(Reaction.RECONNECT, _words(code, answer.content))
        self._become(self.conversation.answered(code))
        self._ears.changed()
        return None


def _parting(said: Said) -> Parting | None:
    """The end of the connection, if a code means that."""
    code = response_code(said.code)
    return Parting(code.reaction, _words(code, said)) if code.ends else None


def _words(code: ResponseCode, said: Said) -> str:
    return f"the streamer said {code.number} ({code.name}): {said.msg}"
