"""The exceptions of the ASGI host."""


class Refused(Exception):
    """A request that the host will not pass on: the status to answer with and one word why."""

    def __init__(self, status: int, reason: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(f"request refused with status {status}: {reason}")
        self.status = status
        self.reason = reason
        self.headers = headers


class ClientGone(OSError):
    """Raised by `send` when the client is no longer there to be sent to; nothing more will reach it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the client is gone ({reason}); stop sending")
        self.reason = reason


class AppProtocolError(Exception):
    """An application broke the ASGI protocol; carries the message it sent, or None when it returned too early."""

    def __init__(self, problem: str, message: object = None) -> None:
        super().__init__(problem)
        self.message = message


class LifespanStartupError(Exception):
    """The application did not start; carries its own words."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"the application's startup did not succeed, so nothing is served: {detail}")
        self.detail = detail
