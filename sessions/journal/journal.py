"""The actor that owns the journal: opens it, tells of its failures, and closes it in good order.

Who commits often asks it once for its handle. All its news are published under the topic JOURNAL.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

import outcome

from runtime import Actor, Reason, message
from runtime.calls import Reply
from sessions.journal import backup as backups
from sessions.journal.audit import verify
from sessions.journal.capture import gap
from sessions.journal.carry import Carry, carried
from sessions.journal.chain import Chain
from sessions.journal.connection import version_warning
from sessions.journal.errors import JournalError
from sessions.journal.index import Segment, month_of
from sessions.journal.rows import Entry, Head
from sessions.journal.segments import adopt, archive, prune
from sessions.journal.store import JournalSettings, Store
from sessions.journal.unwritten import Unwritten
from sessions.journal.writer import JournalNews, JournalNotice, JournalStatistics, Writer

JOURNAL: Final = "journal"  # the topic of JournalNews

Advance = Callable[[int], None]


def _nobody(_: int) -> None:
    """Nobody asked how far it is."""


class Journal(Actor):
    """The one journal of a daemon; raises JournalRefused where it may not start.

    `on_news` is called at once with each JournalNews, before any caller hears of it.
    """

    expects: ClassVar[tuple[type[Exception], ...]] = (JournalError, OSError)

    def __init__(
        self,
        settings: JournalSettings,
        chain: Chain,
        on_news: Callable[[JournalNews], object] = lambda _: None,
        unwritten: Unwritten | None = None,
    ) -> None:
        self._settings = settings
        self._chain = chain
        self._on_news = on_news
        self._unwritten = unwritten or Unwritten()
        self._writer: Writer

    async def on_start(self) -> None:
        """Opens and verifies the journal and takes it over."""
        store = Store(self._settings, self._chain, self.world)
        await self.world.threads.run(store.open)
        notes, lost = self._unwritten.take()
        self._writer = Writer(store, self._tell, self._unwritten)
        for entries in notes:
            self._writer.note(entries)
        if lost:
            self._writer.note([gap(lost, self.world.clock)])
        self.spawn(self._writer.run)
        if warning := version_warning():
            self._tell(JournalNotice(warning))

    async def on_stop(self, reason: Reason) -> None:
        """Writes what waits, then the last entry and the head."""
        if hasattr(self, "_writer"):
            await self._writer.close()

    # Writing.

    def handle(self) -> Writer:
        """The way in for callers of this process that commit often; ends with this instance."""
        return self._writer

    def commit(self, entries: Sequence[Entry]) -> int:
        """Makes entries durable and returns the number of the last; see Writer.commit."""
        reply = self.defer()
        self._writer.submit(entries, lambda result: _settle(reply, result))
        return reply.later  # type: ignore[no-any-return]

    def note(self, entries: Sequence[Entry]) -> None:
        """Queues entries for the next commit; see Writer.note."""
        self._writer.note(entries)

    @message(control=True)
    def statistics(self) -> JournalStatistics:
        """Counts of this moment."""
        return self._writer.statistics()

    # Months.

    async def month_is_over(self) -> bool:
        """Whether the file in use began in another month, so that it is time to roll."""
        month = await self._writer.perform(lambda store: store.month)
        return month != month_of(self.world.clock.wall_ns())

    async def roll(self, carry: Carry) -> Segment:
        """Seals the file in use; the next begins with what `carry` picks from it; raises NotCarried."""
        return await self._writer.perform(lambda store: store.roll(carried(store, carry)))

    def archive(self) -> list[Segment]:
        """Compresses every sealed segment that is not yet, beside the writer; returns them."""
        return self._beside(self._archive)  # type: ignore[no-any-return]

    async def prune(self, before: dt.date, reason: str) -> list[Segment]:
        """Deletes archives that are older than 7 years and a day; raises RetentionRefused for younger ones."""
        return await self._writer.perform(lambda store: prune(store, before, reason))

    # Copies and checks.

    def backup(self, target: Path, advance: Advance = _nobody) -> Head:
        """Copies the journal to a new folder and verifies the copy, beside the writer; returns the copy's head.

        `advance` is told of each row of the copy that is verified, in a thread.
        """
        folder, disk, chain = self._settings.folder, self.world.disk, self._chain.counting(advance)
        return self._beside_thread(lambda: backups.backup(disk, folder, target, chain))  # type: ignore[no-any-return]

    def verify(self, advance: Advance = _nobody) -> Head:
        """Checks every row of every file, beside the writer; returns the head or raises JournalCorrupt.

        `advance` is told of each row that is checked, in a thread.
        """
        folder, head, disk = self._settings.folder, self._settings.head, self.world.disk
        chain = self._chain.counting(advance)
        return self._beside_thread(lambda: verify(disk, folder, chain, head))  # type: ignore[no-any-return]

    async def _archive(self) -> list[Segment]:
        folder, disk = self._settings.folder, self.world.disk
        index = await self._writer.perform(lambda store: store.index)
        archived = []
        for segment in index.segments:
            if segment.archive is None and not segment.pruned:
                done = await self.world.threads.run(partial(archive, disk, folder, segment, self._chain))
                await self._writer.perform(partial(adopt, segment=done))
                archived.append(done)
        return archived

    def _beside_thread(self, work: Callable[[], Any]) -> Any:
        return self._beside(lambda: self.world.threads.run(work))

    def _beside(self, work: Callable[[], Any]) -> Any:
        """Answers the present call when the work is done, and handles other messages meanwhile."""
        reply = self.defer()

        async def answer() -> None:
            try:
                result = await work()
            except self.expects as error:
                reply.fail(error)
            else:
                reply.send(result)

        self.spawn(answer)
        return reply.later

    def _tell(self, news: JournalNews) -> None:
        self._on_news(news)
        self.runtime.topics.publish(JOURNAL, news)


def _settle(reply: Reply, result: outcome.Outcome[int]) -> None:
    match result:
        case outcome.Value(value):
            reply.send(value)
        case outcome.Error(error) if isinstance(error, Exception):
            reply.fail(error)
