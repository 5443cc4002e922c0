"""Finding and checking the raw bytes of a request head; pure.

Line ends are CRLF and nothing else, headers are not folded, no control character is forgiven. What a proxy could read
in another way is how requests are smuggled, so there is one way to read a head, and all other bytes are refused. h11
is more lenient and, behind such a gate, would only read everything again, for a third of a request's price; the tests
hold this grammar against it.
"""

import re
from typing import Final

from runtime.wire.host_errors import Refused
from runtime.wire.host_limits import HostLimits

Headers = list[tuple[bytes, bytes]]

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT: Final = rb"[\t\x20-\x7e\x80-\xff]*"
_FIELD: Final = _TOKEN + rb":" + _TEXT + rb"\r\n"
NAME: Final = re.compile(_TOKEN)
VALUE: Final = re.compile(_TEXT)
FIELD_LINE: Final = re.compile(_FIELD)
_HEAD: Final = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])\r\n(?:" + _FIELD + rb")*\r\n")
_NAME_AND_VALUE: Final = re.compile(rb"\r\n([^:\r]+):([^\r]*)")
_HOPELESS: Final = re.compile(rb"(?<!\r)\n|\r(?=[^\n])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MALFORMED: Final = (
    (re.compile(rb"(?<!\r)\n"), "bare_lf"),
    (re.compile(rb"\r(?!\n)"), "bare_cr"),
    (re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"), "control_character"),
    (re.compile(rb"\r\n[ \t]"), "obs_fold"),
    (re.compile(rb"\r\n[^:\r]*[ \t]:"), "space_before_colon"),
    (re.compile(rb"\A(?!" + _TOKEN + rb" [\x21-\x7e]+ HTTP/[0-9]\.[0-9]\r\n)"), "bad_request_line"),
)


def why_malformed(raw: bytes) -> str:
    """One word for the first thing that is wrong with a head that does not follow the grammar."""
    return next((reason for pattern, reason in _MALFORMED if pattern.search(raw)), "bad_header")


def split_head(raw: bytes) -> tuple[bytes, bytes, bytes, Headers]:
    """Method, target, version and headers, names in lower case; raises Refused (400) for any byte out of place."""
    match = _HEAD.fullmatch(raw)
    if match is None:
        raise Refused(400, why_malformed(raw))
    method, target, version = match.groups()
    headers = [(name.lower(), value.strip(b" \t")) for name, value in _NAME_AND_VALUE.findall(raw)]
    return method, target, version, headers


class HeadScan:
    """Takes one request head from a growing buffer, and refuses early what can no longer become one."""

    def __init__(self, limits: HostLimits) -> None:
        self._limits = limits
        self._seen = 0
        self._skipped = False

    def take(self, buffer: bytearray) -> bytes | None:
        """Removes a whole head and returns it, None while it is incomplete; raises Refused (400, 414, 431)."""
        self._skip_empty_line(buffer)
        end = buffer.find(b"\r\n\r\n", max(0, self._seen - 3))
        if end < 0:
            self._check_part(buffer)
            self._seen = len(buffer)
            return None
        head = bytes(buffer[: end + 4])
        del buffer[: end + 4]
        self._check_sizes(head.find(b"\r\n"), len(head))
        if head.count(b"\r\n") - 2 > self._limits.header_count:
            raise Refused(431, "too_many_headers")
        return head

    def _skip_empty_line(self, buffer: bytearray) -> None:
        """Old clients send one empty line too many after a body."""
        if not self._skipped and buffer.startswith(b"\r\n"):
            del buffer[:2]
            self._seen, self._skipped = 0, True

    def _check_part(self, buffer: bytearray) -> None:
        hopeless = _HOPELESS.search(buffer, max(0, self._seen - 1))
        if hopeless is not None:
            raise Refused(400, why_malformed(bytes(buffer[: hopeless.end() + 1])))
        self._check_sizes(buffer.find(b"\r\n", 0, self._limits.request_line_bytes + 2), len(buffer))

    def _check_sizes(self, line: int, total: int) -> None:
        """Line is where the request line ends, negative while it does not."""
        line_bytes = total if line < 0 else line
        if line_bytes > self._limits.request_line_bytes:
            raise Refused(414, "long_request_line")
        if total - line_bytes > self._limits.header_bytes:
            raise Refused(431, "long_headers")
