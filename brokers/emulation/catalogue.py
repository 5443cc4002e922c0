"""The faults that an emulator can have on purpose, as data: their names, what they take, and what they hit."""

import enum
from collections.abc import Mapping

import attrs


class Where(enum.Enum):
    """The classes of requests."""

    TOKEN = "token"  # noqa: S105 - the word for what a request is about, no secret
    QUERY = "query"
    COMMAND = "command"
    STREAM = "stream"


class Part(enum.Enum):
    """What a protocol must have so that a fault can be told in it."""

    LINE = "line"  # connections
    REPLIES = "replies"  # requests with one reply each
    FRAMES = "frames"  # a stream of messages
    ORDER_FRAMES = "order_frames"  # order updates in a stream
    ORDER_LISTS = "order_lists"  # finished orders can be asked for
    TOKENS = "tokens"  # access tokens that expire
    REFRESH = "refresh"  # a refresh token behind them
    TICKETS = "tickets"  # a log-in that can be penalised with a ticket or a captcha
    FILL_IDS = "fill_ids"  # executions have ids of their own
    SEQUENCES = "sequences"  # messages are numbered
    SNAPSHOTS = "snapshots"  # a stream begins with the state of things
    GO_AWAY = "go_away"  # the server says that it is about to leave
    HEARTBEATS = "heartbeats"
    REFUSAL_IN_200 = "refusal_in_200"  # a refused order inside a reply of success


class Takes(enum.Enum):
    """What a switch's value is."""

    NOTHING = "nothing"
    COUNT = "a whole number"
    SECONDS = "a number of seconds, below 0 allowed for a clock"
    WORD = "one of its words"
    STATUS = "an HTTP status, and after a comma the seconds of Retry-After"


@attrs.frozen
class FaultKind:
    """One kind of fault: the row of the fault table it realises, and how its switch is written."""

    name: str
    row: str
    part: Part
    does: str
    takes: Takes = Takes.NOTHING
    default: str = ""
    words: tuple[str, ...] = ()
    where: frozenset[Where] = frozenset()
    times: int | None = 1  # how often unless told otherwise; None: always


EVERYWHERE = frozenset(Where)
REPLIES = EVERYWHERE - {Where.STREAM}
_COMMAND = frozenset({Where.COMMAND})
_STREAM = frozenset({Where.STREAM})
_API = frozenset({Where.QUERY, Where.COMMAND})

HOSTILE = (
    *("huge", "deep", "nan", "infinite", "long-number", "bad-utf8", "nul", "duplicate-keys", "bomb"),
    *("long-header", "endless"),
)
WRONG = ("empty", "truncated", "not-json", "wrong-schema", "wrong-account", "extra-fields")
LIES = ("negative-quantity", "zero-price", "unknown-status", "unknown-symbol", "wrong-side", "overfill")

CATALOGUE: Mapping[str, FaultKind] = {
    kind.name: kind
    for kind in (
        FaultKind(
            "stream-drop", "F01", Part.FRAMES, "ends the connection after so many frames", Takes.COUNT, "1", (), _STREAM
        ),
        FaultKind(
            "cut",
            "F02",
            Part.LINE,
            "ends the connection when so many bytes of the reply, its head included, are sent",
            Takes.COUNT,
            "20",
            (),
            _COMMAND,
        ),
        FaultKind(
            "half-open",
            "F03",
            Part.LINE,
            "nothing is sent any more after so many frames, and the connection stays open",
            Takes.COUNT,
            "1",
            (),
            _STREAM,
        ),
        FaultKind(
            "reset",
            "F04",
            Part.LINE,
            "resets the connection once the request is read, before or after it took effect",
            Takes.WORD,
            "after",
            ("before", "after"),
            _COMMAND,
        ),
        FaultKind(
            "refuse-connects",
            "F05",
            Part.LINE,
            "refuses connects for so many seconds, from the answer to a request on",
            Takes.SECONDS,
            "5",
            (),
            _API,
        ),
        FaultKind(
            "hang",
            "F06",
            Part.REPLIES,
            "goes silent for ever: before the first byte, after the head, or half-way in the body",
            Takes.WORD,
            "head",
            ("head", "body", "middle"),
            _COMMAND,
        ),
        FaultKind(
            "delay", "F06", Part.REPLIES, "answers so many seconds late", Takes.SECONDS, "3", (), _COMMAND, times=None
        ),
        FaultKind(
            "body",
            "F07",
            Part.REPLIES,
            "answers 200 with a body that is not what was asked for",
            Takes.WORD,
            "truncated",
            WRONG,
            _COMMAND,
        ),
        FaultKind(
            "error-after",
            "F08",
            Part.REPLIES,
            "does what was asked and answers with an error",
            Takes.STATUS,
            "504",
            (),
            _COMMAND,
        ),
        FaultKind(
            "error-before",
            "F09",
            Part.REPLIES,
            "does nothing and answers with an error",
            Takes.STATUS,
            "500",
            (),
            _COMMAND,
        ),
        FaultKind("quota", "F10", Part.REPLIES, "answers that the quota is used up", Takes.STATUS, "429,5", (), _API),
        FaultKind("unauthorized", "F11", Part.TOKENS, "answers 401 to a good token", where=_API),
        FaultKind(
            "short-tokens",
            "F11",
            Part.TOKENS,
            "access tokens live only so many seconds",
            Takes.SECONDS,
            "30",
            times=None,
        ),
        FaultKind("refresh-fails", "F11", Part.REFRESH, "answers 503 to a refresh of the token", times=3),
        FaultKind("refresh-revoked", "F11", Part.REFRESH, "the refresh token is no longer good", times=None),
        FaultKind(
            "ticket", "F13", Part.TICKETS, "a log-in must wait so many seconds with a ticket", Takes.SECONDS, "5"
        ),
        FaultKind("captcha", "F13", Part.TICKETS, "a log-in asks for a captcha", times=None),
        FaultKind("update-twice", "F14", Part.ORDER_FRAMES, "an order update is sent twice"),
        FaultKind("fill-twice", "F14", Part.ORDER_FRAMES, "the update that tells a fill is sent twice"),
        FaultKind("fill-two-ids", "F14", Part.FILL_IDS, "one fill has two ids, in the stream and in the list"),
        FaultKind(
            "late-fill",
            "F15",
            Part.ORDER_FRAMES,
            "a fill is told as a cancel, and as a fill so many seconds later",
            Takes.SECONDS,
            "2",
        ),
        FaultKind("out-of-order", "F16", Part.ORDER_FRAMES, "two updates of one order change places"),
        FaultKind("stale-snapshot", "F16", Part.SNAPSHOTS, "the snapshot shows orders as they were one update ago"),
        FaultKind("lose-update", "F17", Part.ORDER_FRAMES, "an order update is never sent"),
        FaultKind("lose-fill", "F17", Part.ORDER_FRAMES, "the update that tells a fill is never sent"),
        FaultKind("sequence-gap", "F17", Part.SEQUENCES, "a number is left out"),
        FaultKind("bust", "F18", Part.ORDER_FRAMES, "a fill is taken back so many seconds later", Takes.SECONDS, "2"),
        FaultKind(
            "correction",
            "F18",
            Part.ORDER_FRAMES,
            "the price of a fill is corrected by one tick so many seconds later",
            Takes.SECONDS,
            "2",
        ),
        FaultKind("external-order", "F19", Part.ORDER_FRAMES, "after an order a stranger's appears in the account"),
        FaultKind(
            "forget-finished",
            "F20",
            Part.ORDER_LISTS,
            "finished orders leave all lists after so many seconds",
            Takes.SECONDS,
            "60",
            times=None,
        ),
        FaultKind(
            "clock-skew",
            "F21",
            Part.LINE,
            "every stamp on the wire is so many seconds off",
            Takes.SECONDS,
            "30",
            times=None,
        ),
        FaultKind(
            "hostile",
            "F36",
            Part.REPLIES,
            "sends what breaks parsers instead of a reply or a frame",
            Takes.WORD,
            "huge",
            HOSTILE,
            frozenset({Where.QUERY}),
        ),
        FaultKind(
            "drip", "F36", Part.LINE, "sends so many bytes a second", Takes.COUNT, "100", (), frozenset({Where.QUERY})
        ),
        FaultKind(
            "lie", "F39", Part.ORDER_FRAMES, "an order is told with a fact that cannot be", Takes.WORD, LIES[0], LIES
        ),
        FaultKind(
            "swizzle",
            "F40",
            Part.LINE,
            "stops all connections one by one and resumes them in random order, up to so many seconds between",
            Takes.SECONDS,
            "2",
            (),
            _STREAM,
        ),
        # Ways of a protocol that are legal, and that careless clients do not survive.
        FaultKind(
            "slice", "F02", Part.FRAMES, "frames come in pieces of so many bytes", Takes.COUNT, "1", (), _STREAM, None
        ),
        FaultKind("clump", "F02", Part.FRAMES, "so many frames come as one piece", Takes.COUNT, "2", (), _STREAM, None),
        FaultKind("blank-lines", "F02", Part.FRAMES, "blank lines come between frames", where=_STREAM, times=None),
        FaultKind("mute", "F03", Part.HEARTBEATS, "heartbeats are not sent", times=None),
        FaultKind(
            "go-away",
            "F01",
            Part.GO_AWAY,
            "the server says goodbye after so many frames",
            Takes.COUNT,
            "1",
            (),
            _STREAM,
        ),
        FaultKind("refuse-order", "F07", Part.REFUSAL_IN_200, "an order is refused inside a reply of success"),
        FaultKind("reject-later", "F16", Part.ORDER_FRAMES, "an order is taken and rejected a moment later"),
        FaultKind("out-on-replace", "F16", Part.ORDER_FRAMES, "a replaced order is told as out first", times=None),
        FaultKind("rotate-tokens", "F11", Part.REFRESH, "each refresh makes the refresh token a new one", times=None),
    )
}

NOT_ON_THE_WIRE: Mapping[str, str] = {
    "F12": "a token store that restarts is a matter of the client's actors",
    "F37": "memory, file descriptors and processes belong to the client's machine",
    "F38": "stopping a process is done to the client from outside",
}
