"""One request and its answer: who waits, until when, and how cycles of waiting are found."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import outcome
from trio.lowlevel import Abort, RaiseCancelT, Task, reschedule

from runtime.errors import CallCycle, CallTimeout

if TYPE_CHECKING:
    from runtime.cell import Cell

INFINITY = math.inf
DEFAULT_SECONDS = 5.0  # for a caller without any deadline of its own


class Call:
    """A request on its way; it is answered at most once, everything later is dropped."""

    __slots__ = ("awake", "bucket", "cell", "deadline", "deferred", "error", "method", "result", "seconds", "task")

    result: Any  # set with the answer
    seconds: float  # set with the bucket

    def __init__(self, task: Task | None, cell: "Cell", method: str, deadline: float) -> None:
        self.task = task
        self.cell = cell
        self.method = method
        self.deadline = deadline
        self.bucket: dict[Any, None] | None = None
        self.error: BaseException | None = None
        self.deferred = False
        self.awake = False  # the call is handled in the caller's own task, which needs no waking

    def answer(self, result: object) -> None:
        """Hands the result to the caller, if it still waits."""
        task = self.task
        if task is not None:
            self.task = None
            self.result = result
            if self.bucket is not None:
                self.bucket.pop(self, None)
            if not self.awake:
                reschedule(task)

    def fail(self, error: BaseException) -> None:
        """Raises the error in the caller, if it still waits."""
        task = self.task
        if task is not None:
            self.task = None
            self.error = error
            if self.bucket is not None:
                self.bucket.pop(self, None)
            if not self.awake:
                reschedule(task)

    def expire(self) -> None:
        """The deadline has passed."""
        self.bucket = None
        self.fail(CallTimeout(self.cell.path, self.method, self.seconds))

    def abort(self, _: RaiseCancelT) -> Abort:
        """The caller was cancelled: whoever finds this request later skips it."""
        self.task = None
        if self.bucket is not None:
            self.bucket.pop(self, None)
        return Abort.SUCCEEDED

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.task is None


_NOBODY: Any = object()  # what a question has in place of a task that waits


class Question(Call):
    """A request that no task waits for: its outcome is handed to a function wherever it comes to pass."""

    __slots__ = ("_then",)

    def __init__(self, cell: "Cell", method: str, then: Callable[[outcome.Outcome[Any]], object]) -> None:
        super().__init__(_NOBODY, cell, method, INFINITY)
        self._then = then

    def answer(self, result: object) -> None:
        """Hands over the result, once."""
        if self.task is not None:
            self.task = None
            self._then(outcome.Value(result))

    def fail(self, error: BaseException) -> None:
        """Hands over the error, once."""
        if self.task is not None:
            self.task = None
            self._then(outcome.Error(error))


class Reply:
    """A reply that an actor took over; the first answer counts, and only while the caller waits."""

    __slots__ = ("_call", "_forget", "later")

    def __init__(self, call: Call, forget: "dict[Call, None]") -> None:
        self._call = call
        self._forget = forget
        self.later: Any = None  # what the handler returns instead of a result

    def send(self, result: object) -> None:
        """Answers the caller."""
        self._forget.pop(self._call, None)
        self._call.answer(result)

    def fail(self, error: Exception) -> None:
        """Raises the error in the caller."""
        self._forget.pop(self._call, None)
        self._call.fail(error)

    @property
    def abandoned(self) -> bool:
        """Whether the caller has gone and the work may be dropped."""
        return self._call.abandoned


def check_cycle(caller: "Cell", target: "Cell", method: str) -> None:
    """Raises CallCycle, with every hop, if the target waits for the caller."""
    hops = [(target.path, method)]
    at: Cell = target
    while at is not caller:
        if at.waiting_on is None:
            return
        at, method = at.waiting_on
        hops.append((at.path, method))
    raise CallCycle([(caller.path, "(waits)"), *hops])
