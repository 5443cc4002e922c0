"""Every error the runtime raises, each with the actor, the offending value and what to do next.

ActorError
├── CallError                  a call got no answer
│   ├── ActorGone              the callee is dead, dying or ended during the call
│   │   └── NoSuchActor        nobody has that name
│   ├── CallTimeout            no answer before the deadline (also a TimeoutError)
│   ├── CallCycle              the callee waits, directly or through others, for the caller
│   ├── MailboxFull            the mailbox refused the message
│   └── BadMessage             the arguments do not fit the method
├── NotAMessage                the method is not one of that actor
├── InvalidSpec                a child, supervisor or mailbox is described wrongly
├── StartFailed                a child did not start
├── NameTaken, NotTheOwner     the registry refused
└── ChildError                 an administration call was refused
    ├── AlreadyStarted, AlreadyPresent, NotFound, StillRunning, StillRestarting, TooManyChildren
"""

from collections.abc import Sequence

from runtime.reasons import Reason, Unknown


class ActorError(Exception):
    """The root of all errors that the runtime raises."""


class CallError(ActorError):
    """A call or cast that did not reach an answer; `actor` is the path, `method` the message."""

    def __init__(self, actor: str, method: str, text: str) -> None:
        super().__init__(f"{actor}.{method}: {text}")
        self.actor = actor
        self.method = method


class ActorGone(CallError):
    """The callee is dead, dying, or ended before it answered; `reason` says why."""

    def __init__(self, actor: str, method: str, reason: Reason) -> None:
        super().__init__(actor, method, f"the actor is gone ({reason}); call its name to reach its next instance")
        self.reason = reason


class NoSuchActor(ActorGone):
    """No actor is registered under that name."""

    def __init__(self, name: object, method: str) -> None:
        CallError.__init__(self, repr(name), method, "no actor has that name; start it, or wait_for() the name first")
        self.reason = Unknown()
        self.name = name


class CallTimeout(CallError, TimeoutError):
    """The answer did not come in time; a late one is dropped."""

    def __init__(self, actor: str, method: str, seconds: float) -> None:
        super().__init__(actor, method, f"no answer within {seconds:g} s, queueing included; a late one is dropped")
        self.seconds = seconds


class CallCycle(CallError):
    """The call would wait for ever, because the callee waits for the caller; `hops` names each step."""

    def __init__(self, hops: Sequence[tuple[str, str]]) -> None:
        actor, method = hops[0]
        chain = " -> ".join(f"{path}.{name}" for path, name in hops)
        super().__init__(actor, method, f"cycle of calls: {chain}; use cast, or a deferred reply, in one of them")
        self.hops = tuple(hops)


class MailboxFull(CallError):
    """The mailbox holds its capacity and its policy refuses or dropped this message."""

    def __init__(self, actor: str, method: str, capacity: int) -> None:
        super().__init__(actor, method, f"mailbox full ({capacity} messages); slow down, or choose another policy")
        self.capacity = capacity


class BadMessage(CallError):
    """The arguments of the message do not fit the method; the callee was not harmed."""

    def __init__(self, actor: str, method: str, error: TypeError) -> None:
        super().__init__(actor, method, f"the arguments do not fit: {error}")
        self.error = error


class NotAMessage(ActorError):
    """The method does not belong to the actor it was sent to, or is not a message."""

    def __init__(self, actor: str, cls: type, method: object) -> None:
        name = getattr(method, "__qualname__", repr(method))
        super().__init__(f"{actor}: expected a public method of {cls.__qualname__}, got {name}")
        self.actor = actor
        self.method = method


class InvalidSpec(ActorError):
    """A description that cannot be run: `field` got `value`, `expected` says what is allowed."""

    def __init__(self, field: str, value: object, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}, got {value!r}")
        self.field = field
        self.value = value
        self.expected = expected


class StartFailed(ActorError):
    """A child did not start; `reason` is its own, which may hold a further StartFailed below it."""

    def __init__(self, path: str, child: str, reason: Reason) -> None:
        super().__init__(f"{path}: child {child!r} did not start: {reason}")
        self.path = path
        self.child = child
        self.reason = reason


class NameTaken(ActorError):
    """The unique name belongs to `owner`; nothing was changed."""

    def __init__(self, name: object, owner: object) -> None:
        super().__init__(f"name {name!r} belongs to {owner}; choose another, or stop its owner first")
        self.name = name
        self.owner = owner


class NotTheOwner(ActorError):
    """Only the owner of a key may update its value; nothing was changed."""

    def __init__(self, key: object, who: object) -> None:
        super().__init__(f"key {key!r} is not registered by {who}; only its owner may update the value")
        self.key = key
        self.who = who


class ChildError(ActorError):
    """An administration call on a child that its state does not allow."""

    text = "refused"

    def __init__(self, supervisor: str, child: str, ref: object = None) -> None:
        super().__init__(f"{supervisor}: child {child!r} {self.text}")
        self.supervisor = supervisor
        self.child = child
        self.ref = ref


class AlreadyStarted(ChildError):
    """A child with that id runs; `ref` is its instance."""

    text = "is already running"


class AlreadyPresent(ChildError):
    """A child with that id is known but does not run."""

    text = "is already known; restart_child() it, or delete_child() it first"


class NotFound(ChildError):
    """No child has that id."""

    text = "is not known; which_children() lists the ids"


class StillRunning(ChildError):
    """The call needs a child without an instance."""

    text = "is running; terminate_child() it first"


class StillRestarting(ChildError):
    """The call needs a child that is not being restarted."""

    text = "is being restarted; wait, or terminate_child() it first"


class TooManyChildren(ChildError):
    """The dynamic supervisor holds max_children, restarting ones included; the start was not tried."""

    text = "was not started: the supervisor holds its maximum of children"


def is_count(value: object) -> bool:
    """Whether a value given by a user is a whole number of at least 0, and not a truth value."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
