"""Guards the standard library's logging: no record of any library can hold a secret or more than one line.

httpx logs URLs, httpcore logs headers and cookies, trio-websocket logs pings; all of them at levels somebody may
switch on one day. A filter would have to sit on each of their loggers, also on those that do not exist yet; the
record factory is the one place that every record passes.
"""

import logging
from collections.abc import Callable
from typing import Any

from runtime.wire.redaction import Redactor


def guard_logs(redactor: Redactor) -> Callable[[], None]:
    """Redacts every log record of this process from now on; the returned function ends that."""
    before = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        _redact(record, redactor)
        return record

    logging.setLogRecordFactory(make)
    return lambda: logging.setLogRecordFactory(before)


def _redact(record: logging.LogRecord, redactor: Redactor) -> None:
    parts = [_message(record)]
    if record.exc_info:
        parts.append(logging.Formatter().formatException(record.exc_info))
    if record.stack_info:
        parts.append(record.stack_info)
    record.msg, record.args = redactor.line("\n".join(parts)), None
    record.exc_info = record.exc_text = record.stack_info = None


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # logging itself would print the arguments to stderr
        return f"{record.msg} {record.args!r}"
