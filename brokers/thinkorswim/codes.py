"""What the streamer's codes mean and what we do about each, as data."""

import enum
from collections.abc import Mapping
from typing import Final

import attrs

from brokers.errors import Code


class Reaction(enum.Enum):
    """What follows from a code."""

    GO_ON = "go on"
    REFUSE = "tell whoever asked for it"
    REPEAT = "send the command again, alone"
    RENEW = "get a fresh token, then connect again"
    RECONNECT = "back off, then connect again"
    STAY_AWAY = "leave the connection to the other program for a while"


@attrs.frozen
class ResponseCode:
    """One code; `ends` says whether the streamer hangs up after it."""

    number: int
    name: str
    ends: bool
    reaction: Reaction
    means: Code | None  # in the vocabulary of all brokers; None for a success


_ROWS: Final = (
    ResponseCode(0, "SUCCESS", False, Reaction.GO_ON, None),
    ResponseCode(3, "LOGIN_DENIED", True, Reaction.RENEW, Code.SESSION_EXPIRED),
    ResponseCode(9, "UNKNOWN_FAILURE", True, Reaction.RECONNECT, Code.API_ERROR),
    ResponseCode(11, "SERVICE_NOT_AVAILABLE", False, Reaction.REFUSE, Code.UNSUPPORTED),
    ResponseCode(12, "CLOSE_CONNECTION", True, Reaction.STAY_AWAY, Code.CONNECTION_FAILED),
    ResponseCode(19, "REACHED_SYMBOL_LIMIT", False, Reaction.REFUSE, Code.RATE_LIMITED),
    ResponseCode(20, "STREAM_CONN_NOT_FOUND", True, Reaction.RECONNECT, Code.CONNECTION_FAILED),
    ResponseCode(21, "BAD_COMMAND_FORMAT", False, Reaction.REFUSE, Code.API_ERROR),
    ResponseCode(22, "FAILED_COMMAND_SUBS", False, Reaction.REPEAT, Code.API_ERROR),
    ResponseCode(23, "FAILED_COMMAND_UNSUBS", False, Reaction.REPEAT, Code.API_ERROR),
    ResponseCode(24, "FAILED_COMMAND_ADD", False, Reaction.REPEAT, Code.API_ERROR),
    ResponseCode(25, "FAILED_COMMAND_VIEW", False, Reaction.REPEAT, Code.API_ERROR),
    ResponseCode(26, "SUCCEEDED_COMMAND_SUBS", False, Reaction.GO_ON, None),
    ResponseCode(27, "SUCCEEDED_COMMAND_UNSUBS", False, Reaction.GO_ON, None),
    ResponseCode(28, "SUCCEEDED_COMMAND_ADD", False, Reaction.GO_ON, None),
    ResponseCode(29, "SUCCEEDED_COMMAND_VIEW", False, Reaction.GO_ON, None),
    ResponseCode(30, "STOP_STREAMING", True, Reaction.RECONNECT, Code.CONNECTION_FAILED),
)

CODES: Final[Mapping[int, ResponseCode]] = {row.number: row for row in _ROWS}


def response_code(number: int) -> ResponseCode:
    """What a code means; one that is not known is a refusal of whatever was asked."""
    return CODES.get(number) or ResponseCode(number, "not documented", False, Reaction.REFUSE, Code.UNKNOWN)
