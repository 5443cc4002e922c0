"""What is known about the bytes of one request or frame: nothing left this process, or perhaps something did.

The floor above decides from it between a definite failure, safe to repeat, and an unknown one, to be looked up.
"""

import enum

import attrs


class Sent(enum.Enum):
    """Whether the other side can have seen anything."""

    NOTHING = "nothing"  # no byte was handed to the network: it cannot have happened
    MAYBE = "maybe"  # at least one byte was: it may have happened, whatever came back


class Phase(enum.IntEnum):
    """How far a request or frame got."""

    CHECK = 0  # nothing was done yet
    QUEUE = 1  # waits for a connection, or for its turn to be written
    CONNECT = 2  # a new connection is made for it
    SEND = 3  # its first byte was handed to the network
    ANSWER = 4  # waits for the head of the answer
    BODY = 5  # reads the body of the answer
    DONE = 6  # complete


@attrs.define
class Delivery:
    """The progress of one request or frame; hand one in to know, after a cancellation, whether bytes left."""

    phase: Phase = Phase.CHECK

    @property
    def sent(self) -> Sent:
        """NOTHING until the first byte is handed to the network, MAYBE for ever after."""
        return Sent.NOTHING if self.phase < Phase.SEND else Sent.MAYBE

    def reach(self, phase: Phase) -> None:
        """Moves on to `phase`; a phase that was already passed changes nothing."""
        self.phase = max(self.phase, phase)
