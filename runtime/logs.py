"""Structured logging: one event a line, as JSON or for people, to a stream that the caller opens."""

import datetime as dt
import sys
from collections.abc import Callable
from typing import Any, TextIO

from runtime.crash import CrashReport
from runtime.events import Event, EventKind
from runtime.node import Runtime

# structlog loads rich wherever it finds it: sixty modules for tracebacks in colour, in a log of one line an event.
_rich = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]  # by this the import system means that there is none
try:
    import structlog
finally:
    del sys.modules["rich"]
    if _rich is not None:
        sys.modules["rich"] = _rich

Logger = structlog.typing.FilteringBoundLogger

_LEVELS = {
    EventKind.FAILED: "error",
    EventKind.START_FAILED: "error",
    EventKind.GAVE_UP: "error",
    EventKind.RESTARTING: "warning",
    EventKind.STOP_SLOW: "warning",
    EventKind.MAILBOX_FULL: "warning",
    EventKind.CALL_SLOW: "warning",
    EventKind.CAST_LOST: "debug",
    EventKind.BAD_MESSAGE: "warning",
    EventKind.TIMER_LOST: "warning",
    EventKind.READY: "info",
    EventKind.STOPPED: "info",
}


def open_log(stream: TextIO, stamp: Callable[[], int], *, json: bool, level: str = "info") -> Logger:
    """A logger that writes to the stream; `stamp` gives wall nanoseconds, so a simulated run logs simulated time."""

    def add_time(_: Any, __: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if json:
            fields["time_ns"] = stamp()
        else:
            fields["timestamp"] = _moment(stamp())
        return fields

    shape: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer(sort_keys=False)]
        if json
        else [_one_line, structlog.dev.ConsoleRenderer(colors=False, exception_formatter=_plain)]
    )
    logger: Logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[structlog.processors.add_log_level, add_time, *shape],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return logger


def _moment(time_ns: int) -> str:
    """A moment in UTC, to the millisecond."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03}Z"


def _plain(stream: TextIO, info: Any) -> None:
    stream.write(repr(info[1]))


def _one_line(_: Any, __: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escapes what would break a line or move the cursor."""
    return {
        key: value.encode("unicode_escape").decode("ascii")
        if isinstance(value, str) and not value.isprintable()
        else value
        for key, value in fields.items()
    }


def log_events(runtime: Runtime, logger: Logger) -> Callable[[], None]:
    """Writes every event of the runtime to the log, crash reports included; the returned function ends that."""

    def write(event: Event) -> None:
        fields: dict[str, Any] = {
            "path": event.path or "/",
            "instance": event.instance,
            "sequence": event.sequence,
        }
        if event.reason is not None:
            fields["reason"] = str(event.reason)
        if event.detail:
            fields["detail"] = event.detail
        if isinstance(event.report, CrashReport):
            fields["message"] = event.report.message
            fields["state"] = dict(event.report.state)
            fields["trace"] = event.report.trace()
        getattr(logger, _LEVELS.get(event.kind, "debug"))(event.kind.value, **fields)

    return runtime.events.listen(write)
