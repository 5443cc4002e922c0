"""How an actor serves: it drains its mailbox, answers calls, and dies of what it did not expect."""

import math
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import outcome
import trio
from trio.lowlevel import checkpoint, checkpoint_if_cancelled, current_task, wait_task_rescheduled

from runtime.actor import Actor
from runtime.calls import DEFAULT_SECONDS, INFINITY, Call, Question, Reply, check_cycle
from runtime.cell import Cell, Status, running
from runtime.crash import CrashReport, redact_message, redact_state
from runtime.deadlines import deadline_of
from runtime.errors import ActorError, ActorGone, BadMessage, InvalidSpec, MailboxFull, NoSuchActor
from runtime.events import EventKind
from runtime.mailbox import Conflate, DropOldest, Mailbox
from runtime.messages import Message, MessageTable, message_of
from runtime.mishaps import START, STOP, FaultyTable, may_fail
from runtime.monitors import Down, Monitor
from runtime.reasons import Reason
from runtime.ref import Name, Ref
from runtime.ticker import Ticker
from runtime.timers import Timer

if TYPE_CHECKING:
    from runtime.node import Runtime
    from runtime.supervisor import SupervisorCell

# One entry of a mailbox. A plain tuple: half the price of a cast is making this.
Item = tuple[Message, tuple[Any, ...], dict[str, Any], Call | None]

BATCH = 64  # messages handled between two checkpoints
SLOW_SECONDS = 1.0  # a call that took longer is an event

T = TypeVar("T")

_tables: dict[type, MessageTable] = {}


async def _down(actor: Actor, down: Down) -> None:
    if down.monitor.active:
        await actor.on_down(down)


_ON_DOWN = message_of(_down)


async def _newest(actor: Actor, key: object) -> None:
    await actor._cell.handle_newest(key)  # noqa: SLF001 - the cell and its actor are one thing in two classes


_NEWEST = message_of(_newest)


class ActorCell(Cell):
    """One instance of an actor."""

    __slots__ = (
        "_conflated",
        "_continues",
        "_deferred",
        "_held",
        "_name",
        "_ref",
        "_start",
        "actor",
        "attention",
        "current",
        "full",
        "handled",
        "mailbox",
        "since",
        "suspended",
        "table",
        "timers",
    )

    def __init__(
        self,
        runtime: "Runtime",
        parent: "SupervisorCell | None",
        child_id: str,
        instance: int,
        limit: float,
        start: Callable[[], Actor],
        name: object,
    ) -> None:
        super().__init__(runtime, parent, child_id, instance, limit)
        self._start = start
        self._name = name
        self._continues: deque[Item] | None = None
        self._conflated: dict[object, Item] | None = None
        self._deferred: dict[Call, None] | None = None
        self._ref: Ref[Any] | None = None
        self._held: tuple[Call, object] | None = None
        self.actor: Actor
        self.mailbox: Mailbox[Item]
        self.table: MessageTable
        self.attention = False  # something other than the next data message wants to be looked at
        self.suspended = False
        self.current: Item | None = None
        self.full = False  # a mailbox_full event was told for this congestion
        self.since = math.inf
        self.handled = 0
        self.timers: dict[Timer | Ticker, None] | None = None

    # Life.

    async def begin(self) -> None:
        """Makes the actor, gives it its name and runs on_start."""
        actor = self._start()
        if not isinstance(actor, Actor):
            raise InvalidSpec(f"{self.path}: start", actor, "a function that returns an Actor")
        cls = type(actor)
        self.actor = actor
        actor._cell = self  # noqa: SLF001 - the cell and its actor are one thing in two classes
        self.table = self._table_of(cls)
        self.mailbox = Mailbox(cls.mailbox)
        if isinstance(cls.mailbox.overflow, Conflate):
            self._conflated = {}
        if self._name is not None:
            self.runtime.registry.register(self._name, self.ref)
        may_fail(self.runtime.world.faults, START, self.path)
        await actor.on_start()

    def _table_of(self, cls: type[Actor]) -> MessageTable:
        faults = self.runtime.world.faults
        if not faults.idle:
            return FaultyTable(cls, Actor, faults, self.path, self.kill)
        table = _tables.get(cls)
        if table is None:
            table = _tables[cls] = MessageTable(cls, Actor)
        return table

    async def serve(self) -> None:
        """Handles messages until a stop is asked for."""
        self.attention = True
        while await self._attend():
            await self._drain()

    async def finish(self, reason: Reason) -> None:
        """Runs on_stop, then hands over the reply that waited for it."""
        may_fail(self.runtime.world.faults, STOP, self.path)
        await self.actor.on_stop(reason)
        if self._held is not None:
            call, result = self._held
            call.answer(result)

    async def _attend(self) -> bool:
        """Sees to everything but data messages, waits if there is nothing to do; False ends the service."""
        mailbox = self.mailbox
        while True:
            self.attention = False
            if self.broken is not None:
                raise self.broken  # by a call that was handled at once
            if self.stop_reason is not None:
                return False
            if self._continues:
                await self._handle(self._continues.popleft())
                self.attention = True
            elif self.suspended:
                await mailbox.park()
            elif mailbox.control:
                await self._handle(mailbox.control.popleft())
                self.attention = True
            elif mailbox.data:
                return True
            elif self.full:
                self.full = False
            else:
                await mailbox.park()

    async def _handle(self, item: Item) -> None:
        await self._drain(deque((item,)))
        if self.handled % BATCH == 0:
            await checkpoint()

    async def _drain(self, items: deque[Item] | None = None) -> None:  # noqa: C901, PLR0912 - the one hot loop
        """Handles data messages in batches until there are none or something else wants attention."""
        mailbox, actor = self.mailbox, self.actor
        data = mailbox.data if items is None else items
        mailbox.most_waiting = max(mailbox.most_waiting, len(data))
        clock = self.runtime.now
        now = self.since = clock()
        budget = BATCH
        while data:
            self.current = item = data.popleft()
            message, args, kwargs, call = item
            try:
                if call is None:
                    now = 0.0  # a later request must be measured against the clock again
                    if message.is_async:
                        await message.function(actor, *args, **kwargs)
                    else:
                        message.function(actor, *args, **kwargs)
                elif call.task is not None and call.deadline > (now := now or clock()):
                    result = message.function(actor, *args, **kwargs)
                    if message.is_async:
                        result = await result
                    if self.stop_reason is None and not call.deferred:
                        call.answer(result)
                    elif not call.deferred:
                        self._held = (call, result)
                    end = clock()
                    if end - now > SLOW_SECONDS:
                        self._tell_slow(message, end - now)
                    now = self.since = end
            except Exception as error:
                if not self._told_sender(error, item):
                    raise
            self.handled += 1
            if mailbox.senders:
                mailbox.made_room()
            if self.attention:
                break
            budget -= 1
            if not budget:
                budget = BATCH
                await checkpoint()
                now = self.since = clock()
        self.current = None

    def _told_sender(self, error: Exception, item: Item) -> bool:
        """Whether an error was the sender's affair, and has been told; any other ends the actor."""
        message, _, _, call = item
        if isinstance(error, TypeError) and _raised_by_binding(error):
            bad = BadMessage(self.path, message.name, error)
            if call is not None:
                call.fail(bad)
            self.emit(EventKind.BAD_MESSAGE, detail=str(bad))
        elif call is not None and isinstance(error, self.actor.expects):
            call.fail(error)
        else:
            return False
        return True

    def fail_waiting(self, reason: Reason) -> None:
        """Refuses what waits and what was deferred; the held reply is kept for after the clean-up."""
        for timer in tuple(self.timers or ()):
            timer.cancel()
        mailbox = getattr(self, "mailbox", None)
        if mailbox is None:
            return
        left: list[Item] = mailbox.close()
        if self.current is not None:
            left.append(self.current)
        for message, _, _, call in left:
            if call is not None and (self._held is None or call is not self._held[0]):
                call.fail(ActorGone(self.path, message.name, reason))
        for call in tuple(self._deferred or ()):
            call.fail(ActorGone(self.path, call.method, reason))
        if self.exit is not None and self._held is not None:
            self._held[0].fail(ActorGone(self.path, self._held[0].method, reason))

    def nudge(self) -> None:
        """Wakes the loop so that it sees a stop."""
        self.attention = True
        mailbox = getattr(self, "mailbox", None)
        if mailbox is not None:
            mailbox.wake()

    def report(self, error: BaseException) -> CrashReport:
        """The crash report for an error; see runtime.crash for what it hides."""
        actor = getattr(self, "actor", None)
        current = self.current
        return CrashReport(
            path=self.path,
            instance=self.instance,
            error=error,
            message=redact_message(current[0], current[1], current[2]) if current is not None else None,
            state=redact_state(actor, actor.safe) if actor is not None else {},
            waiting=len(self.mailbox.data) if actor is not None else 0,
        )

    # What senders use.

    async def call(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Sends a request and waits for its answer; see Ref.call."""
        message = self.table.get(method) or self.table.find(self.path, method)
        if self.stop_reason is not None:
            raise ActorGone(self.path, message.name, self.exit or self.stop_reason)
        task = current_task()
        deadline = deadline_of(task)
        caller = running.get(task)
        if caller is not None:
            check_cycle(caller, self, message.name)
        inherited = INFINITY if caller is None else caller.inherited_deadline
        now = self.runtime.now()
        own = now + DEFAULT_SECONDS if deadline == INFINITY else deadline
        call = Call(task, self, message.name, min(inherited, own))
        item = (message, args, kwargs, call)
        if caller is not None:
            caller.waiting_on = (self, message.name)
        try:
            if not message.is_async and call.deadline > now and self._is_idle():
                await checkpoint_if_cancelled()
                call.awake = True
                self._handle_now(item, now)
                call.awake = False
            elif message.control or not self.mailbox.put(item):
                self._put_elsewhere(item)
            if call.task is not None:  # not answered yet
                if call.deadline != deadline:  # no cancel scope of the caller's keeps it
                    call.seconds = call.deadline - now
                    call.bucket = bucket = self.runtime.timers.bucket(call.deadline)
                    bucket[call] = None
                await wait_task_rescheduled(call.abort)
        finally:
            if caller is not None:
                caller.waiting_on = None
        if call.error is not None:
            raise call.error
        return call.result

    def _put_elsewhere(self, item: Item) -> None:
        if item[0].control:
            self._put_control(item)
        else:
            self.mailbox.leave_line(_abandoned)
            self.mailbox.line_up(item)

    @property
    def idle(self) -> bool:
        """Whether it waits for a message and there is none."""
        return self.mailbox.idle and self.current is None

    def _is_idle(self) -> bool:
        """Whether it has nothing to do; every so often the answer is no, so that a task that only calls takes turns."""
        # Whatever is put wakes the receiver, so one that waits has nothing before it, unless it is suspended.
        waits = self.mailbox.receiver is not None
        return waits and self.current is None and not self.suspended and self.handled % BATCH != 0

    def _handle_now(self, item: Item, now: float) -> None:
        """Handles a message in the sender's task, as if the actor had been the next to run: that saves two switches."""
        message, args, kwargs, call = item
        self.current, self.since = item, now
        try:
            result = message.function(self.actor, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - sorted into declared, the sender's, and a crash
            if not self._told_sender(error, item):
                self.broken, self.since = error, self.runtime.now()
                # The message stays current: it belongs in the crash report.
                self.mailbox.wake()
                return
        else:
            if call is None or call.deferred:
                pass
            elif self.stop_reason is None:
                call.answer(result)
            else:
                self._held = (call, result)
        self.current = None
        self.handled += 1
        if call is not None and (seconds := self.runtime.now() - now) > SLOW_SECONDS:
            self._tell_slow(message, seconds)
        if self.attention:
            self.mailbox.wake()

    def _tell_slow(self, message: Message, seconds: float) -> None:
        self.emit(EventKind.CALL_SLOW, detail=f"{message.name} took {seconds:.3f} s")

    def cast(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Sends without waiting; see Ref.cast."""
        message = self.table.get(method) or self.table.find(self.path, method)
        if self.stop_reason is not None:
            self.emit(EventKind.CAST_LOST, self.exit or self.stop_reason, message.name)
        elif message.control:
            self._put_control((message, args, kwargs, None))
        elif self._conflated is not None or not self.mailbox.put((message, args, kwargs, None)):
            self._put_by_policy((message, args, kwargs, None))

    def tell(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Sends without waiting, and has an idle actor handle it at once; see Ref.tell."""
        message = self.table.get(method) or self.table.find(self.path, method)
        if self.stop_reason is None and not message.is_async and self._conflated is None and self._is_idle():
            self._handle_now((message, args, kwargs, None), self.since)  # how long it takes is asked of calls only
        else:
            self.cast(method, args, kwargs)

    def put_question(
        self,
        then: Callable[[outcome.Outcome[Any]], object],
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        """Sends a request whose outcome is handed to a function; see Actor.ask."""
        message = self.table.get(method) or self.table.find(self.path, method)
        call = Question(self, message.name, then)
        item = (message, args, kwargs, call)
        if self.stop_reason is not None:
            call.fail(ActorGone(self.path, message.name, self.exit or self.stop_reason))
        elif not message.is_async and self._is_idle():
            self._handle_now(item, self.runtime.now())
        elif message.control or not self.mailbox.put(item):
            try:
                self._put_elsewhere(item)
            except MailboxFull as full:
                call.fail(full)

    # What a full mailbox means.

    def _put_control(self, item: Item) -> None:
        if not self.mailbox.put_control(item):
            raise self._refuse(item[0], self.mailbox.policy.control_capacity)
        self.attention = True

    def _put_by_policy(self, item: Item) -> None:
        policy, mailbox = self.mailbox.policy, self.mailbox
        if isinstance(policy.overflow, Conflate) and self._conflate(policy.overflow, item):
            return
        if isinstance(policy.overflow, DropOldest) and mailbox.drop_oldest(lambda waiting: waiting[3] is None):
            self._tell_full(item[0])
        if not mailbox.put(item):
            raise self._refuse(item[0], policy.capacity)

    def _conflate(self, overflow: Conflate, item: Item) -> bool:
        """Whether the item has replaced a waiting one; if not, its place is remembered for the next."""
        message, args, kwargs, _ = item
        key = overflow.key(message.name, *args, **kwargs)
        newest = self._conflated
        if key is None or newest is None:
            return False
        if key in newest:
            newest[key] = item
            self.mailbox.conflated += 1
            return True
        if not self.mailbox.put((_NEWEST, (key,), {}, None)):
            return False
        newest[key] = item
        return True

    async def handle_newest(self, key: object) -> None:
        """Handles the newest of the messages that were conflated under a key."""
        newest = self._conflated
        if newest is not None:
            self.current = item = newest.pop(key)
            result = item[0].function(self.actor, *item[1], **item[2])
            if item[0].is_async:
                await result

    def _refuse(self, message: Message, capacity: int) -> MailboxFull:
        self.mailbox.refused += 1
        self._tell_full(message)
        return MailboxFull(self.path, message.name, capacity)

    def _tell_full(self, message: Message) -> None:
        if not self.full:
            self.full = True
            self.emit(EventKind.MAILBOX_FULL, detail=f"{message.name} met {self.mailbox.policy}")

    # What the actor itself uses.

    @property
    def ref(self) -> Ref[Any]:
        """The reference to this instance, always the same."""
        if self._ref is None:
            self._ref = Ref(self)
        return self._ref

    @property
    def inherited_deadline(self) -> float:
        """Until when the caller of the message in work waits."""
        call = self.current[3] if self.current is not None else None
        return call.deadline if call is not None else INFINITY

    def continue_with(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """See Actor.continue_with."""
        if self._continues is None:
            self._continues = deque()
        self._continues.append((self.table.find(self.path, method), args, kwargs, None))
        self.attention = True

    def defer(self) -> Reply:
        """See Actor.defer; in a cast the answer goes nowhere."""
        call = self.current[3] if self.current is not None else None
        if call is None:
            return Reply(Call(None, self, "cast", math.inf), {})
        if self._deferred is None:
            self._deferred = {}
        call.deferred = True
        self._deferred[call] = None
        return Reply(call, self._deferred)

    def spawn(self, function: Callable[..., Awaitable[object]], args: tuple[Any, ...]) -> Callable[[], None]:
        """See Actor.spawn."""
        if self.parent is None or self.parent.nursery is None:
            raise ActorError(f"{self.path}: spawn() works only while the actor lives under a supervisor")
        scope = trio.CancelScope()
        if self.helpers is None:
            self.helpers = set()
        self.helpers.add(scope)
        self.parent.nursery.start_soon(self._help, scope, function, args, name=f"{self.path} helper")
        return partial(scope.cancel, reason="cancelled by its actor")

    async def _help(
        self, scope: trio.CancelScope, function: Callable[..., Awaitable[object]], args: tuple[Any, ...]
    ) -> None:
        try:
            with scope:
                await function(*args)
        except Exception as error:  # noqa: BLE001 - a helper's error is its actor's
            self.crash(error)
        finally:
            self.helper_gone(scope)

    def request(
        self,
        target: Ref[Any] | Name[Any],
        then: Callable[[outcome.Outcome[Any]], object],
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        """See Actor.request."""
        told, cell = self.receiver(then), target.cell()
        if cell is None:
            told(outcome.Error(NoSuchActor(target.key, method.__name__)))  # type: ignore[union-attr]  # only names are free
        else:
            cell.put_question(told, method, args, kwargs)

    def receiver(self, then: Callable[[T], object]) -> Callable[[T], None]:
        """See Actor.receiver."""
        return partial(self._hand_over, then)

    def _hand_over(self, then: Callable[[T], object], result: T) -> None:
        """Hands what another one has for this actor to its function, unless the actor has ended."""
        if self.status is Status.ENDED:
            return
        try:
            then(result)
        except Exception as error:  # noqa: BLE001 - it runs in another's turn and is this actor's error all the same
            self.crash(error)

    def tick(self, item: Item, *, must_arrive: bool = False) -> None:
        """Puts a message of the runtime's own making into the mailbox."""
        message = item[0]
        if self.stop_reason is not None:
            return
        if must_arrive:
            self.mailbox.force(item)
        elif message.control:
            self._put_control(item)
        elif not self.mailbox.put(item):
            self._tell_full(message)
            self.emit(EventKind.TIMER_LOST, detail=message.name)

    def send_after(
        self, seconds: float, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Timer:
        """See Actor.send_after."""
        item: Item = (self.table.find(self.path, method), args, kwargs, None)
        timer = self.runtime.timers.after(seconds, lambda: self._fire(timer, item))
        self._keep(timer)
        return timer

    def idle_after(
        self, seconds: float, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Timer:
        """See Actor.idle_after: the count of handled messages tells whether one came, at no cost to any of them."""
        item: Item = (self.table.find(self.path, method), args, kwargs, None)
        quiet = self.handled + (self.current is not None)

        def fire() -> None:
            if self.timers is not None:
                self.timers.pop(timer, None)
            if self.handled == quiet and self.current is None and not self.mailbox.data:
                self.tick(item)

        timer = self.runtime.timers.after(seconds, fire)
        self._keep(timer)
        return timer

    def _fire(self, timer: Timer, item: Item) -> None:
        if self.timers is not None:
            self.timers.pop(timer, None)
        self.tick(item)

    def _keep(self, timer: Timer | Ticker) -> None:
        if self.timers is None:
            self.timers = {}
        self.timers[timer] = None

    def every(
        self, seconds: float, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Ticker:
        """See Actor.every."""
        ticker = Ticker(self, seconds, (self.table.find(self.path, method), args, kwargs, None))
        self._keep(ticker)
        return ticker

    def monitor(self, target: Ref[Any] | Name[Any]) -> Monitor:
        """See Actor.monitor."""
        watch = Monitor(target)
        watch.begin(lambda reason: self.tick((_ON_DOWN, (Down(watch, target, reason),), {}, None), must_arrive=True))
        return watch


def _raised_by_binding(error: TypeError) -> bool:
    """Whether the error arose in handing over the arguments, before any line of the method ran."""
    return error.__traceback__ is not None and error.__traceback__.tb_next is None


def _abandoned(item: Item) -> bool:
    """Whether nobody waits for the answer to this request any more."""
    return item[3] is not None and item[3].abandoned
