"""The base class of actors: public methods are messages, hooks begin and end the life, helpers live no longer.

    class Quotes(Actor):
        async def on_start(self) -> None: ...
        async def latest(self, symbol: str) -> Quote: ...
        async def on_stop(self, reason: Reason) -> None: ...

State lives in the instance and is lost with it: a restart makes a new instance, whose on_start must
rebuild what it needs from the outside (a broker, a journal), not from memory.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, Self, TypeVar

from runtime.mailbox import MailboxPolicy
from runtime.reasons import Normal, Reason

if TYPE_CHECKING:
    from runtime.calls import Reply
    from runtime.monitors import Down, Monitor
    from runtime.node import Runtime
    from runtime.ref import Name, Ref
    from runtime.server import ActorCell
    from runtime.ticker import Ticker
    from runtime.timers import Timer
    from runtime.world import World

A = TypeVar("A", bound="Actor")
B = TypeVar("B")
P = ParamSpec("P")
T = TypeVar("T")


class Actor:
    """One supervised object with a mailbox; it handles one message at a time.

    `expects` are errors that a handler may raise to its caller; any other error ends the actor.
    `safe` names the attributes whose values may show in crash reports and inspection.
    """

    __slots__ = ("__weakref__", "_cell")

    expects: ClassVar[tuple[type[Exception], ...]] = ()
    safe: ClassVar[frozenset[str]] = frozenset()
    mailbox: ClassVar[MailboxPolicy] = MailboxPolicy()

    _cell: "ActorCell"

    async def on_start(self) -> None:
        """Runs before any message; the supervisor waits for it.

        May raise (a failed start), raise Refuse (the same without a crash report) or Ignore (not needed).
        """

    async def on_stop(self, reason: Reason) -> None:
        """Runs at the end whatever the reason, within the child's shutdown limit; only a kill skips it."""

    async def on_down(self, down: "Down") -> None:
        """Handles the end of an actor that this one monitors."""

    @property
    def ref(self) -> "Ref[Self]":
        """The reference to this instance."""
        return self._cell.ref

    @property
    def path(self) -> str:
        """Where this actor stands in the tree."""
        return self._cell.path

    @property
    def runtime(self) -> "Runtime":
        """The runtime: registry, topics, events."""
        return self._cell.runtime

    @property
    def world(self) -> "World":
        """Clock, chance, network, disk, threads and fault points."""
        return self._cell.runtime.world

    def stop(self, reason: Reason | None = None) -> None:
        """Ends this actor after the present message; a caller gets its reply after the clean-up."""
        self._cell.request_stop(reason or Normal())

    def continue_with(
        self, method: Callable[Concatenate[Self, P], object], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Runs a method right after the present hook or message, before anything that waits in the mailbox."""
        self._cell.continue_with(method, args, kwargs)

    def defer(self) -> "Reply":
        """Takes over the reply of the present call: `return reply.later` now, reply.send(value) once, later."""
        return self._cell.defer()

    def request(
        self,
        target: "Ref[B] | Name[B]",
        then: Callable[[Any], object],
        method: Callable[Concatenate[B, P], object],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Sends a request that nobody waits for: `then(outcome)` is called once, with its value or error.

        That happens wherever the answer comes to pass, perhaps before this returns, so `then` must not wait; what it
        raises ends this actor. It saves the helper task that a call would need. Who is gone is an outcome as well.
        """
        self._cell.request(target, then, method, args, kwargs)

    def receiver(self, then: Callable[[T], object]) -> Callable[[T], None]:
        """`then` for others to call in their turn: it does nothing after this actor's end, and must not wait.

        What it raises ends this actor, as if it had been raised in a message of its own.
        """
        return self._cell.receiver(then)

    def spawn(self, function: Callable[..., Awaitable[object]], /, *args: Any) -> Callable[[], None]:
        """Runs a helper task that ends with this actor and ends it when it raises; returns its cancel function."""
        return self._cell.spawn(function, args)

    def at_end(self, tell: Callable[[Reason], object]) -> Callable[[], None]:
        """Calls tell(reason) when this actor has ended, killed or not; returns what withdraws that."""
        return self._cell.on_end(tell)

    def send_after(
        self,
        seconds: float,
        method: Callable[Concatenate[Self, P], object],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> "Timer":
        """Sends this actor a message in so many seconds, unless it has ended by then."""
        return self._cell.send_after(seconds, method, args, kwargs)

    def every(
        self,
        seconds: float,
        method: Callable[Concatenate[Self, P], object],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> "Ticker":
        """Sends this actor a message every so many seconds; a tick is skipped while the one before still waits."""
        return self._cell.every(seconds, method, args, kwargs)

    def idle_after(
        self, seconds: float, method: Callable[Concatenate[Self, P], object], /, *args: P.args, **kwargs: P.kwargs
    ) -> "Timer":
        """Sends this actor a message if none comes within so many seconds; any message before that calls it off."""
        return self._cell.idle_after(seconds, method, args, kwargs)

    def monitor(self, target: "Ref[Any] | Name[Any]") -> "Monitor":
        """Lets on_down hear of the target's end, at once if it has ended; each monitor tells once."""
        return self._cell.monitor(target)

    def register(self, key: object, value: object = None) -> None:
        """Puts this actor under a unique name; raises NameTaken."""
        self._cell.runtime.registry.register(key, self._cell.ref, value)
