"""Group commit: callers queue entries, one task writes them in groups, and each hears when its own are on disk.

While one group is being synced the next one gathers, so many callers cost hardly more syncs than one. A commit that
is queued cannot be cancelled any more: its caller learns what became of it. After an error all callers are refused at
once; the writer then re-opens the journal, again and again, and goes on only if its end is the one that it remembers.
Notes have no caller to refuse: they wait for the journal to be well again.
"""

import enum
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import attrs
import outcome
import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    Task,
    checkpoint_if_cancelled,
    current_task,
    reschedule,
    wait_task_rescheduled,
)

from sessions.journal.errors import (
    JournalBusy,
    JournalClosed,
    JournalError,
    JournalFailed,
    JournalFenced,
    JournalFull,
    JournalRefused,
)
from sessions.journal.rows import Entry, Head
from sessions.journal.store import CHECKPOINT_PAGES, Store
from sessions.journal.unwritten import Unwritten

T = TypeVar("T")

NOTE_SECONDS: Final = 0.05  # how long a note may wait for company
CHORE_SECONDS: Final = 60.0  # between two heads, and two checkpoints of a quiet journal
RETRY_SECONDS: Final = 1.0  # between two attempts to re-open
GROUP_ROWS: Final = 1_000
MOST_WAITING: Final = 100_000
MOST_PAGES: Final = 4 * CHECKPOINT_PAGES  # with so many a checkpoint does not wait for a quiet moment any more
WAL_ALARM: Final = 64 << 20

Done = Callable[[outcome.Outcome[Any]], object]


class State(enum.Enum):
    """Whether entries can be committed."""

    READY = "ready"
    FAILED = "failed"  # it tries to re-open
    REFUSED = "refused"  # damaged, or owned by another: only a person can help
    CLOSED = "closed"


@attrs.frozen
class JournalDown:
    """Nothing can be committed from now on: no session may send anything but cancels."""

    error: JournalError


@attrs.frozen
class JournalUp:
    """The journal has been re-opened and verified; `survived` tells whether what was in doubt is in it."""

    seq: int
    survived: bool


@attrs.frozen
class JournalNotice:
    """Something that an operator should know; entries can be committed."""

    text: str


JournalNews = JournalDown | JournalUp | JournalNotice


@attrs.frozen
class JournalStatistics:
    """One moment of the journal, and counts since it was opened."""

    state: State
    seq: int
    epoch: int
    waiting: int
    rows: int
    groups: int
    largest_group: int
    failures: int
    wal_bytes: int


@attrs.define(eq=False)  # not frozen: half the price of a commit's bookkeeping
class _Ticket:
    """Entries, or a job for the writer's thread, and who waits for it, a task or a callback; nobody waits for notes."""

    entries: Sequence[Entry]
    task: Task | None = None
    done: Done | None = None
    job: Callable[[], Any] | None = None
    seq: int = 0  # of its last entry, once they are on disk

    @property
    def is_note(self) -> bool:
        """Whether nobody waits for it."""
        return self.task is None and self.done is None

    def succeed(self, seq: int) -> None:
        """Tells who waits that the entries are on disk; a task finds the number here, which is made for no other."""
        if self.task is not None:
            self.seq = seq
            reschedule(self.task)
        elif self.done is not None:
            self.done(outcome.Value(seq))

    def settle(self, result: outcome.Outcome[Any]) -> None:
        """Tells who waits what became of it."""
        if self.task is not None:
            reschedule(self.task, result)
        elif self.done is not None:
            self.done(result)


class Writer:
    """The hot handle of an open journal, for callers in its own process; it ends with its actor."""

    def __init__(self, store: Store, tell: Callable[[JournalNews], object], unwritten: Unwritten | None = None) -> None:
        self.state = State.READY
        self._unwritten = unwritten or Unwritten()
        self._store = store
        self._threads = store.world.threads
        self._path = str(store.settings.folder)
        self._tell = tell
        self._queue: deque[_Ticket] = deque()
        self._work: deque[_Ticket] = deque()  # what is being committed, and of that who has not been told
        self._doubted: list[_Ticket] = []  # notes of which nobody knows whether they are on disk
        self._waiting = 0  # entries in the queue
        self._urgent = 0  # tickets in the queue that somebody waits for
        self._jobs = 0  # tickets in the queue that are a job
        self._note_due = trio.current_time()
        self._chores_due = trio.current_time() + CHORE_SECONDS
        self._saved_seq = 0
        self._error: JournalError | None = None
        self._sleeper: Task | None = None
        self._sleeps_until = 0.0
        self._wrote = False  # a moment ago: what follows from it is noted soon
        self._rested = False  # nothing came in the moment after it, which makes that the time for a checkpoint
        self._closing = False
        self._ended = trio.Event()
        self._rows = self._groups = self._largest = self._failures = 0

    # What callers use.

    async def commit(self, entries: Sequence[Entry]) -> int:
        """Makes entries durable, all or none, and returns the number of the last; none of them: what waits is flushed.

        Raises JournalFailed when that is in doubt, JournalBusy, JournalFenced, JournalFull, JournalClosed when
        nothing was written. A cancellation is heard before the entries are queued, or after they are on disk.
        """
        await checkpoint_if_cancelled()
        self._check_open()
        ticket = _Ticket(entries, current_task())
        self._put(ticket)
        await wait_task_rescheduled(_stay)
        return ticket.seq

    def submit(self, entries: Sequence[Entry], done: Done) -> None:
        """Queues a commit whose outcome `done` is given; raises what commit would raise at once."""
        self._check_open()
        self._put(_Ticket(entries, done=done))

    def note(self, entries: Sequence[Entry]) -> None:
        """Queues entries that go to disk with the next commit, at latest 50 ms from now; keeps the order of calls.

        Raises JournalFull, JournalClosed. Notes that are taken while the journal has failed wait until it is ready.
        """
        if self._closing or self.state in (State.CLOSED, State.REFUSED):
            raise self._refusal()
        self._put(_Ticket(entries))

    async def perform(self, job: Callable[[Store], T]) -> T:
        """Runs a job in the writer's thread between two groups; raises what the job raises."""
        await checkpoint_if_cancelled()
        self._check_open()
        self._put(_Ticket((), current_task(), job=partial(job, self._store)))
        return await wait_task_rescheduled(_stay)  # type: ignore[no-any-return]

    def statistics(self) -> JournalStatistics:
        """Counts of this moment."""
        return JournalStatistics(
            state=self.state,
            seq=self._store.head.seq,
            epoch=self._store.epoch,
            waiting=self._waiting,
            rows=self._rows,
            groups=self._groups,
            largest_group=self._largest,
            failures=self._failures,
            wal_bytes=self._store.wal_bytes(),
        )

    # What its actor uses.

    async def run(self) -> None:
        """Writes until it is closed; whatever ends it, everybody who waits is told."""
        try:
            while not (self._closing and (not self._queue or self.state is State.REFUSED)):
                await checkpoint_if_cancelled()
                await self._step()
            if self.state is State.READY:
                await self._close_store()
        finally:
            self.state = State.CLOSED
            self._refuse_all(self._work, JournalFailed(self._path, "crash", "the writer ended"))
            self._refuse_all(self._queue, JournalClosed(self._path))
            self._leave_notes()
            with trio.CancelScope(shield=True):
                await self._threads.run(self._store.abandon)
            self._ended.set()

    def _leave_notes(self) -> None:
        """To the next writer: notes that were not begun; the others are counted, for twice would be worse than not."""
        for ticket in (*self._work, *self._doubted):
            if ticket.is_note:
                self._unwritten.lose(ticket.entries)
        for ticket in self._queue:
            if ticket.is_note:
                self._unwritten.keep(ticket.entries)

    async def close(self) -> None:
        """Writes what waits and ends; raises JournalFailed if notes could not be written."""
        self._closing = True
        self._wake()
        await self._ended.wait()
        if self._waiting or self._doubted:
            left = self._waiting + sum(len(ticket.entries) for ticket in self._doubted)
            raise JournalFailed(self._path, "closed", f"{left} notes were not written") from self._error

    # The queue.

    def _put(self, ticket: _Ticket) -> None:
        size = len(ticket.entries)
        if self._waiting + size > MOST_WAITING:
            raise JournalFull(self._path, self._waiting, size)
        if not self._queue:
            self._note_due = trio.current_time() + NOTE_SECONDS
            if self._note_due < self._sleeps_until:
                self._wake()
        self._queue.append(ticket)
        self._waiting += size
        if ticket.job is not None:
            self._jobs += 1
        if not ticket.is_note:
            self._urgent += 1
            self._wake()

    def _take(self) -> deque[_Ticket]:
        """The next group: a job alone, or tickets of up to 1,000 rows."""
        if not self._jobs and self._waiting <= GROUP_ROWS:
            everything, self._queue = self._queue, deque()
            self._waiting = self._urgent = 0
            return everything
        group: deque[_Ticket] = deque()
        queue, rows, urgent = self._queue, 0, 0
        while queue:
            ticket = queue[0]
            size = len(ticket.entries)
            if group and (ticket.job is not None or rows + size > GROUP_ROWS):
                break
            group.append(queue.popleft())
            rows += size
            urgent += not ticket.is_note
            if ticket.job is not None:
                self._jobs -= 1
                break
        self._waiting -= rows
        self._urgent -= urgent
        return group

    def _put_back(self, notes: Iterable[_Ticket]) -> None:
        """Notes that are not on disk go in front again; they were taken once and are never refused."""
        for ticket in reversed(list(notes)):
            self._queue.appendleft(ticket)
            self._waiting += len(ticket.entries)

    # The work.

    async def _step(self) -> None:
        if self.state is State.REFUSED:
            await self._sleep(None)
        elif self.state is State.FAILED:
            await self._recover()
        elif self._urgent or (self._queue and (self._closing or trio.current_time() >= self._note_due)):
            await self._next()
        elif trio.current_time() >= self._chores_due:
            await self._chores()
        elif self._store.lacks_room():
            await self._in_thread(self._store.make_room)
        elif self._queue:
            await self._sleep(min(self._note_due, self._chores_due))
        elif self._wrote:
            self._wrote, self._rested = False, True
            await self._sleep(min(trio.current_time() + NOTE_SECONDS, self._chores_due))
        elif self._rested and self._store.pages >= CHECKPOINT_PAGES:
            self._rested = False
            await self._checkpoint()
        else:
            await self._sleep(self._chores_due)

    async def _next(self) -> None:
        group = self._work = self._take()
        if (job := group[0].job) is not None:
            await self._perform(group[0], job)
        else:
            await self._commit_group(group)
        self._work = deque()
        self._wrote = True
        if self._store.pages >= MOST_PAGES:
            await self._checkpoint()

    async def _perform(self, ticket: _Ticket, job: Callable[[], Any]) -> None:
        """Only what says that the journal is unwell counts against it; any other error is the job's own."""
        try:
            result: outcome.Outcome[Any] = outcome.Value(await self._in_thread(job))
        except (JournalFailed, JournalRefused, JournalFenced) as error:
            self._fail([ticket], error)
            return
        except Exception as error:  # noqa: BLE001 - it belongs to the caller who brought the job
            result = outcome.Error(error)
        ticket.settle(result)

    async def _commit_group(self, group: deque[_Ticket]) -> None:
        try:
            await self._write(group)
        except JournalBusy as error:
            self._refuse_all(group, error)
            self._put_back(ticket for ticket in group if ticket.is_note)
        except JournalError as error:
            self._fail(group, error)

    async def _write(self, group: deque[_Ticket]) -> None:
        """Commits the entries of a group; whoever brought them hears of it before this goes on."""
        entries = [entry for ticket in group for entry in ticket.entries]
        written = partial(self._written, group, len(entries))
        if entries:
            await self._in_thread(partial(self._store.append, entries), written)
        else:
            written(self._store.head)

    def _written(self, group: deque[_Ticket], rows: int, head: Head) -> None:
        self._groups += 1
        self._rows += rows
        self._largest = max(self._largest, rows)
        seq = head.seq - rows
        while group:
            ticket = group.popleft()
            seq += len(ticket.entries)
            ticket.succeed(seq)

    async def _checkpoint(self) -> None:
        if self.state is not State.READY:
            return
        try:
            await self._in_thread(self._store.checkpoint)
        except JournalBusy as error:
            self._tell(JournalNotice(f"the checkpoint waits: {error}"))
        except JournalError as error:
            self._fail([], error)
        if (size := self._store.wal_bytes()) > WAL_ALARM:
            self._tell(JournalNotice(f"the write-ahead log has {size} bytes; a reader may hold it up"))

    async def _chores(self) -> None:
        """Once a minute: the head goes to its second place, a quiet journal's log into the database."""
        self._chores_due = trio.current_time() + CHORE_SECONDS
        if self._store.head.seq != self._saved_seq:
            try:
                await self._in_thread(self._store.save_head)
                self._saved_seq = self._store.head.seq
            except JournalError as error:
                self._tell(JournalNotice(f"the head was not written to its second place: {error}"))
        if self._store.pages:
            await self._checkpoint()

    # Failing and coming back.

    def _fail(self, group: Sequence[_Ticket], error: JournalError) -> None:
        """Refuses every caller in this very step; news first, so that nobody sends in between."""
        self._failures += 1
        self._error = error
        self.state = State.REFUSED if isinstance(error, JournalFenced) else State.FAILED
        self._doubted = [ticket for ticket in group if ticket.is_note]
        self._tell(JournalDown(error))
        queued, self._queue = self._queue, deque()
        self._waiting = self._urgent = self._jobs = 0
        self._put_back(ticket for ticket in queued if ticket.is_note)
        self._refuse_all((*group, *queued), error)

    async def _recover(self) -> None:
        try:
            survived: bool = await self._in_thread(self._store.reopen)
        except (JournalRefused, JournalFenced) as error:
            self.state, self._error = State.REFUSED, error
            self._tell(JournalDown(error))
        except JournalError as error:
            self._error = error
            if self._closing:
                self.state = State.REFUSED
                return
            with trio.move_on_after(RETRY_SECONDS):
                await trio.sleep_forever()
        else:
            if not survived:
                self._put_back(self._doubted)
            self._doubted = []
            self.state = State.READY
            self._tell(JournalUp(self._store.head.seq, survived))

    async def _close_store(self) -> None:
        try:
            await self._in_thread(self._store.close)
        except JournalError as error:
            self._error = error
            self._tell(JournalDown(error))

    def _refuse_all(self, tickets: Iterable[_Ticket], error: JournalError) -> None:
        for ticket in tickets:
            ticket.settle(outcome.Error(error))

    def _check_open(self) -> None:
        if self._closing or self.state is not State.READY:
            raise self._refusal()

    def _refusal(self) -> JournalError:
        if self._closing or self.state is State.CLOSED or self._error is None:
            return JournalClosed(self._path)
        return self._error

    # The task.

    async def _in_thread(self, job: Callable[[], T], heard: Callable[[T], object] | None = None) -> T:
        """Runs to its end whatever happens: a commit that was begun is heard of."""
        results: list[T] = []
        with trio.CancelScope(shield=True):
            results.append(await self._threads.run(job, heard))
        return results[0]

    async def _sleep(self, until: float | None) -> None:
        def give_up(_: RaiseCancelT) -> Abort:
            self._sleeper = None
            return Abort.SUCCEEDED

        self._sleeper = current_task()
        self._sleeps_until = math.inf if until is None else until
        if until is None:
            await wait_task_rescheduled(give_up)
        else:
            with trio.move_on_at(until):
                await wait_task_rescheduled(give_up)

    def _wake(self) -> None:
        task, self._sleeper = self._sleeper, None
        if task is not None:
            reschedule(task)


def _stay(_: RaiseCancelT) -> Abort:
    """A queued commit is not called back: its outcome comes, whatever it is."""
    return Abort.FAILED
