"""References: a Ref is one instance and dies with it, a Name resolves at each use and survives restarts."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, Generic, NoReturn, ParamSpec, TypeVar, overload

from runtime.errors import NoSuchActor
from runtime.events import EventKind
from runtime.reasons import Normal, Reason, Unknown

if TYPE_CHECKING:
    from runtime.cell import Cell
    from runtime.node import Runtime

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")


class Ref(Generic[A]):
    """One instance of an actor.

    `await ref.call(Quotes.latest, "ES")` gives the method's result or raises: a declared error of the actor;
    ActorGone when it is dead, dying or ends meanwhile; CallTimeout when there is no answer in time (the caller's
    cancel scope, else 5 s, queueing included); CallCycle when it waits for the caller; BadMessage, NotAMessage.
    `ref.cast(...)` never waits: a gone actor is fine, a full mailbox raises MailboxFull if its policy says so.
    """

    __slots__ = ("__weakref__", "_cell")

    def __init__(self, cell: "Cell") -> None:
        self._cell = cell

    @overload
    def call(
        self,
        method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Coroutine[Any, Any, R]: ...
    @overload
    def call(
        self, method: Callable[Concatenate[A, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...
    def call(self, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Sends a request; await the result for its answer."""
        return self._cell.call(method, args, kwargs)

    def cast(self, method: Callable[Concatenate[A, P], object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Sends a message without waiting."""
        self._cell.cast(method, args, kwargs)

    def tell(self, method: Callable[Concatenate[A, P], object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Sends a message without waiting; an actor that has nothing to do handles it before this returns.

        For those who tell of what has happened: order and errors are a cast's, and two switches of tasks are saved.
        """
        self._cell.tell(method, args, kwargs)

    async def stop(self, reason: Reason | None = None) -> Reason:
        """Asks for an orderly end and waits for it; on the caller's deadline the actor still stops later."""
        self._cell.request_stop(reason or Normal())
        return await self._cell.ended()

    def kill(self, why: str = "killed by hand") -> None:
        """Cancels the actor without clean-up."""
        self._cell.kill(why)

    async def ended(self) -> Reason:
        """Waits until this instance has ended; returns why, at once if it has."""
        return await self._cell.ended()

    def cell(self) -> "Cell":
        """The instance itself, for the runtime's own tools."""
        return self._cell

    @property
    def alive(self) -> bool:
        """Whether the instance takes messages."""
        return self._cell.exit is None and self._cell.stop_reason is None

    @property
    def idle(self) -> bool:
        """Whether the instance waits for a message and has handled all that were sent."""
        return self._cell.idle

    @property
    def path(self) -> str:
        """Where the actor stands in the tree."""
        return self._cell.path

    @property
    def instance(self) -> int:
        """Which start of that child this is, from 1."""
        return self._cell.instance

    def __repr__(self) -> str:
        return f"<Ref {self._cell!r}>"


class Name(Generic[A]):
    """Whoever is registered under a name at the moment of each use; interface and errors as Ref's.

    A call to a name that nobody has raises NoSuchActor at once; a cast to it is an event and otherwise fine.
    """

    __slots__ = ("_runtime", "key")

    def __init__(self, runtime: "Runtime", key: object) -> None:
        self._runtime = runtime
        self.key = key

    def resolve(self) -> Ref[A] | None:
        """The present owner, or None."""
        return self._runtime.registry.whereis(self.key)

    def cell(self) -> "Cell | None":
        """The present owner's instance, for the runtime's own tools."""
        owner = self.resolve()
        return owner.cell() if owner is not None else None

    @overload
    def call(
        self,
        method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Coroutine[Any, Any, R]: ...
    @overload
    def call(
        self, method: Callable[Concatenate[A, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...
    def call(self, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Sends a request to the present owner; await the result for its answer."""
        owner = self.resolve()
        if owner is None:
            return _no_such_actor(self.key, method)
        return owner.cell().call(method, args, kwargs)

    def cast(self, method: Callable[Concatenate[A, P], object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Sends a message to the present owner, if there is one."""
        owner = self.resolve()
        if owner is not None:
            owner.cell().cast(method, args, kwargs)
        else:
            self._runtime.emit(EventKind.CAST_LOST, f"{self.key!r}", reason=Unknown(), detail=method.__name__)

    def __repr__(self) -> str:
        return f"<Name {self.key!r}>"


async def _no_such_actor(key: object, method: Callable[..., Any]) -> NoReturn:
    """Raises where an answer is waited for, like every other failure of a call."""
    raise NoSuchActor(key, getattr(method, "__name__", repr(method)))
