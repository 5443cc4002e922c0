"""The streamer's frames: commands out; answers, notices and batches of rows in. Nothing here does I/O."""

import enum
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar

import attrs
import msgspec

from brokers.figures import decoder
from brokers.thinkorswim.fields import Service
from brokers.thinkorswim.rows import EquityRow, FutureRow
from brokers.thinkorswim.settings import Qos
from runtime.wire.secret import Secret

T = TypeVar("T")

LONGEST: Final = 1024 * 1024  # bytes of one frame; a whole subscription of 500 symbols is a quarter of it
_SHOWN: Final = 120


class Malformed(ValueError):
    """Bytes that are not what they should be; `kind` is what was expected, `size` and `text` what came."""

    def __init__(self, kind: str, data: bytes | str, reason: str) -> None:
        self.kind = kind
        self.size = len(data)
        self.text = repr(data[:_SHOWN])
        super().__init__(f"expected {kind}, got {self.size} bytes beginning {self.text}: {reason}")


def decoded(decoder: "msgspec.json.Decoder[T]", data: bytes | str | msgspec.Raw, kind: str) -> T:
    """What a decoder reads; raises Malformed, also for what is nested too deep."""
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise Malformed(kind, data if isinstance(data, str) else bytes(data), str(error)) from None


# What we send.


class Verb(enum.Enum):
    """What a command does to a service's subscription."""

    LOGIN = "LOGIN"  # must be answered before anything else is sent
    LOGOUT = "LOGOUT"
    QOS = "QOS"
    SUBS = "SUBS"  # these symbols in place of all others
    ADD = "ADD"
    UNSUBS = "UNSUBS"
    VIEW = "VIEW"  # these fields for all symbols


@attrs.frozen
class Command:
    """One command, without who says it."""

    service: Service
    verb: Verb
    keys: tuple[str, ...] = ()
    fields: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.verb.value} {self.service.value} of {len(self.keys)} symbols"


@attrs.frozen
class Streamer:
    """Where the streamer is and how it wants to be spoken to, as the user's preferences tell."""

    url: str
    customer: str
    correlation: str
    channel: str
    function: str


def login_parameters(streamer: Streamer, access: Secret) -> dict[str, str]:
    """What a LOGIN carries; the token is in clear from here on."""
    return {
        "Authorization": access.reveal(),
        "SchwabClientChannel": streamer.channel,
        "SchwabClientFunctionId": streamer.function,
    }


def qos_parameters(qos: Qos) -> dict[str, str]:
    """What a QOS carries."""
    return {"qoslevel": qos.value}


def subscription_parameters(command: Command) -> dict[str, str]:
    """What SUBS, ADD, UNSUBS and VIEW carry."""
    named = {"keys": ",".join(command.keys), "fields": ",".join(map(str, command.fields))}
    return {name: text for name, text in named.items() if text}


def encode_command(streamer: Streamer, number: int, command: Command, parameters: Mapping[str, str]) -> str:
    """The frame of one command."""
    request: dict[str, Any] = {
        "requestid": str(number),
        "service": command.service.value,
        "command": command.verb.value,
        "SchwabClientCustomerId": streamer.customer,
        "SchwabClientCorrelId": streamer.correlation,
        "parameters": dict(parameters),
    }
    return msgspec.json.encode({"requests": [request]}).decode()


# What we are sent.


class Said(msgspec.Struct, frozen=True, gc=False):
    """A code and its words."""

    code: int
    msg: str = ""


class Answer(msgspec.Struct, frozen=True):
    """The answer to a command."""

    content: Said
    requestid: str | int = ""
    service: str = ""
    command: str = ""

    def is_to(self, number: int) -> bool:
        """Whether it answers the command of that number; it comes back as text."""
        return str(self.requestid) == str(number)


class Notice(msgspec.Struct, frozen=True):
    """A heartbeat, or what the streamer says by itself, such as that it hangs up."""

    heartbeat: str | int | None = None
    service: str = ""
    content: Said | None = None


class Batch(msgspec.Struct, frozen=True):
    """Rows of one service, not yet read; `timestamp` is in milliseconds, 0 where there is none."""

    service: str
    content: msgspec.Raw
    timestamp: int = 0


class FutureBatch(msgspec.Struct, frozen=True, gc=False, tag_field="service", tag=Service.LEVELONE_FUTURES.value):
    """Rows of futures' best prices, read with their frame."""

    service: ClassVar = Service.LEVELONE_FUTURES.value
    content: list[FutureRow]
    timestamp: int = 0


class EquityBatch(msgspec.Struct, frozen=True, gc=False, tag_field="service", tag=Service.LEVELONE_EQUITIES.value):
    """Rows of stocks' best prices, read with their frame."""

    service: ClassVar = Service.LEVELONE_EQUITIES.value
    content: list[EquityRow]
    timestamp: int = 0


ReadBatch = FutureBatch | EquityBatch


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One message of the streamer; what else it may hold is passed over."""

    response: tuple[Answer, ...] = ()
    notify: tuple[Notice, ...] = ()
    data: Sequence[Batch | ReadBatch] = ()


class _AnyFrame(Frame, frozen=True, gc=False):
    data: tuple[Batch, ...] = ()


class _PriceFrame(Frame, frozen=True, gc=False):
    data: tuple[ReadBatch, ...] = ()


_FRAMES: Final = msgspec.json.Decoder(_AnyFrame)
_prices: Final = decoder(_PriceFrame).decode


def decode_frame(data: bytes | str) -> Frame:
    """One message of the streamer; raises Malformed.

    Most are best prices and fit in every field: those are read in one go, and whatever does not fit the way for all.
    """
    if len(data) > LONGEST:
        raise Malformed(f"a frame of at most {LONGEST} bytes", data, "it is longer")
    try:
        return _prices(data)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return decoded(_FRAMES, data, "a frame of the streamer")
