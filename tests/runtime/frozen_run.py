"""A trio run that stands still between the steps of a Hypothesis state machine, virtual time included."""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

import trio
from outcome import Error, Outcome, Value
from trio.testing import MockClock, wait_all_tasks_blocked

T = TypeVar("T")


class FrozenRun(Generic[T]):
    """Runs async functions one at a time inside one trio run, and inside what `opened` opens for its length."""

    value: T

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._opened = opened
        self._clock = MockClock()
        self._host: deque[Callable[[], object]] = deque()
        self._over: list[Outcome[Any]] = []
        self._ready: list[tuple[trio.Nursery, trio.lowlevel.TrioToken]] = []
        trio.lowlevel.start_guest_run(
            self._main,
            run_sync_soon_threadsafe=self._host.append,
            done_callback=self._over.append,
            clock=self._clock,
            host_uses_signal_set_wakeup_fd=True,
        )
        self._pump(lambda: bool(self._ready))

    async def _main(self) -> None:
        async with self._opened() as self.value, trio.open_nursery() as nursery:
            self._ready.append((nursery, trio.lowlevel.current_trio_token()))
            await trio.sleep_forever()

    def _pump(self, until: Callable[[], bool]) -> None:
        while not until():
            if self._over:
                self._over[0].unwrap()
                raise AssertionError("the run ended early")
            if self._host:
                self._host.popleft()()

    def do(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Runs function inside and returns or raises what it does; everything else moves on meanwhile."""
        results: list[Outcome[Any]] = []

        async def call() -> None:
            try:
                results.append(Value(await function(*args)))
            except Exception as error:  # noqa: BLE001 - handed to the caller below
                results.append(Error(error))

        nursery, token = self._ready[0]
        token.run_sync_soon(nursery.start_soon, call)
        self._pump(lambda: bool(results))
        return results[0].unwrap()

    def advance(self, seconds: float) -> None:
        """Lets time pass, in one jump, and everything that was due happen; otherwise it stands still."""
        self._clock.jump(seconds)
        self.do(wait_all_tasks_blocked)

    def close(self) -> None:
        """Cancels everything inside and ends the run."""
        nursery, token = self._ready[0]
        token.run_sync_soon(nursery.cancel_scope.cancel)
        while not self._over:
            if self._host:
                self._host.popleft()()
        self._over[0].unwrap()
