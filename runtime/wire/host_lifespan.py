"""The application's lifespan: its startup and its shutdown always run, and both are bounded in time."""

from collections.abc import Awaitable, Callable

import trio

from runtime.wire.host_context import ASGI, Context, Message, run_app
from runtime.wire.host_errors import AppProtocolError, LifespanStartupError
from runtime.wire.host_events import LifespanFailed


async def within_lifespan(context: Context, serve: Callable[[], Awaitable[None]]) -> None:
    """Runs serve between the application's startup and its shutdown; raises LifespanStartupError.

    The shutdown runs however serve ends, a cancel included. An application without a lifespan just serves.
    """
    life = _Lifespan(context)
    refusal = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(life.run)
        try:
            refusal = await life.start()
            if refusal is None:
                await serve()
        finally:
            await life.stop()
    if refusal is not None:
        raise LifespanStartupError(refusal)


class _Lifespan:
    """The exchange of lifespan messages with one application."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._to_app, self._from_host = trio.open_memory_channel[Message](2)
        self._started = trio.Event()
        self._stopped = trio.Event()
        self._refusal: str | None = None
        self._phase = "startup"
        self._scope = trio.CancelScope(shield=True)

    async def run(self) -> None:
        """Runs the application's lifespan; shielded, so that a cancel from outside leaves time for the shutdown."""
        scope: Message = {"type": "lifespan", "asgi": ASGI, "state": self._context.state}
        failure = await run_app(self._context.app, scope, self._from_host.receive, self._send, self._scope)
        if failure is not None:
            self._context.report(LifespanFailed(self._phase, failure))
        self._phase = "over"
        self._started.set()
        self._stopped.set()

    async def start(self) -> str | None:
        """Waits for the startup; returns why there is nothing to serve, None if there is."""
        seconds = self._context.limits.lifespan_seconds
        self._to_app.send_nowait({"type": "lifespan.startup"})
        with trio.move_on_after(seconds) as patience:
            await self._started.wait()
        return f"it did not answer within {seconds} s" if patience.cancelled_caught else self._refusal

    async def stop(self) -> None:
        """Runs the shutdown, even under a cancel, for as long as the limit allows; then ends the application's task."""
        if self._phase == "running":
            self._phase = "shutdown"
            self._to_app.send_nowait({"type": "lifespan.shutdown"})
            with trio.move_on_after(self._context.limits.lifespan_seconds, shield=True) as patience:
                await self._stopped.wait()
            if patience.cancelled_caught:
                self._context.report(LifespanFailed("shutdown", TimeoutError("it took longer than its limit")))
        self._scope.cancel()

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self._phase = "running"
                self._started.set()
            case "lifespan.startup.failed":
                self._refusal = message.get("message", "") or "it gave no reason"
                self._started.set()
            case "lifespan.shutdown.complete":
                self._stopped.set()
            case "lifespan.shutdown.failed":
                self._context.report(LifespanFailed("shutdown", RuntimeError(message.get("message", ""))))
                self._stopped.set()
            case _:
                raise AppProtocolError("not a lifespan message; answer with complete or failed", message)
