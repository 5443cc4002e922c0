"""Commands that have one effect however often they are sent: the first is done, the others get its answer.

A command is in the journal before it is begun and its answer after it is done, so a daemon that died in between knows
that it began: such a command is never done again by itself. What stops trading does not wait for the journal.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import attrs
import msgspec
import trio

from sessions.control.api.errors import Refused
from sessions.control.daemon.memory import JournalStream
from sessions.journal import Entry, JournalError, Reader
from sessions.journal.carry import newest

KEPT: Final = 10_000
STREAM: Final = "commands"
_BEGUN: Final = "command.begun"
_ANSWERED: Final = "command.answered"


@attrs.frozen
class Answer:
    """What a command was answered with."""

    status: int
    body: str


@attrs.frozen
class Begun:
    """A command as it came."""

    command: str
    body: str


@attrs.define(eq=False)
class _Place:
    """One command's id, and what became of it."""

    asked: Begun
    answer: Answer | None = None
    known: trio.Event = attrs.field(factory=trio.Event)
    survived: bool = False  # begun by a daemon that is no more


Work = Callable[[], Awaitable[Answer]]


@attrs.define(eq=False)
class Once:
    """The commands that this daemon and those before it were sent."""

    stream: JournalStream
    spawn: Callable[..., object]
    _places: OrderedDict[str, _Place] = attrs.field(factory=OrderedDict)

    async def load(self) -> None:
        """Takes up what the journal tells; raises JournalError."""
        for row in await self.stream.load():
            key, body = row.entry.key or "", row.entry.body
            if row.entry.kind == _BEGUN:
                self._add(key, _Place(msgspec.json.decode(body, type=Begun), survived=True))
            elif key in self._places:
                self._places[key].answer = msgspec.json.decode(body, type=Answer)

    async def perform(self, key: str, asked: Begun, work: Work, *, urgent: bool) -> Answer:
        """The answer of the command with this id; raises Refused, JournalError, and then nothing was done.

        `work` answers whatever happens; `urgent` work does not wait until it is known to be durable that it begins.
        """
        place = self._places.get(key)
        if place is not None:
            return await self._again(key, place, asked)
        place = _Place(asked)
        self._add(key, place)
        await self._begin(key, place, urgent=urgent)
        self.spawn(self._do, key, place, work)  # a caller that leaves does not undo half of it
        return await self._again(key, place, asked)

    async def _begin(self, key: str, place: _Place, *, urgent: bool) -> None:
        if urgent:
            self.stream.note(_BEGUN, key, place.asked)
            return
        try:
            await self.stream.keep(_BEGUN, key, place.asked)
        except BaseException:
            del self._places[key]  # it was not begun, and may be sent again
            place.known.set()
            raise

    async def _do(self, key: str, place: _Place, work: Work) -> None:
        place.answer = await work()
        place.known.set()
        try:
            self.stream.note(_ANSWERED, key, place.answer)
        except JournalError:
            return  # after a restart this command counts as begun

    async def _again(self, key: str, place: _Place, asked: Begun) -> Answer:
        if place.asked != asked:
            raise Refused(409, "id_taken", f"the id {key!r} belongs to another command", "choose a fresh id")
        if not place.survived:
            await place.known.wait()
        if place.answer is None:
            raise Refused(
                409,
                "interrupted",
                f"the command {key!r} was begun and the daemon ended before its answer was kept; it was not done again",
                "see what it did with `pitboss status` and `pitboss orders`, then send another one with a fresh id",
            )
        return place.answer

    def _add(self, key: str, place: _Place) -> None:
        self._places[key] = place
        while len(self._places) > KEPT:
            self._places.popitem(last=False)


def carry_commands(reader: Reader) -> Iterator[Entry]:
    """What came last goes over the turn of a month, for a command that is sent again the minute after it."""
    yield from newest(reader, STREAM, 2 * KEPT)  # the beginning of each and its answer
