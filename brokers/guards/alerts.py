"""Alerts without repetition: one for a cause and account in five minutes, with a count of what it stands for."""

from collections.abc import Callable

import attrs
import trio

from brokers.guards.timeline import NEVER_NS, SECOND_NS, Timeline


@attrs.frozen
class Alert:
    """Something a person should know, and how many times it happened since the last alert of its kind."""

    cause: str
    account: str
    text: str
    count: int
    first_ns: int
    last_ns: int


@attrs.define
class _Quiet:
    """A cause and account that was alerted lately, and what has come since."""

    until_ns: int
    held: Alert | None = None


class Dedup:
    """Decides which alerts go out."""

    def __init__(self, window_ns: int = 300 * SECOND_NS) -> None:
        self._window_ns = window_ns
        self._quiet: dict[tuple[str, str], _Quiet] = {}

    def raised(self, cause: str, account: str, text: str, now_ns: int) -> Alert | None:
        """The alert to send now; None when it is only counted."""
        alert = Alert(cause, account, text, 1, now_ns, now_ns)
        quiet = self._quiet.get((cause, account))
        if quiet is None:
            self._quiet[cause, account] = _Quiet(now_ns + self._window_ns)
            return alert
        if held := quiet.held:
            alert = attrs.evolve(alert, count=held.count + 1, first_ns=held.first_ns)
        if now_ns < quiet.until_ns:
            quiet.held = alert
            return None
        self._quiet[cause, account] = _Quiet(now_ns + self._window_ns)
        return alert

    def due(self, now_ns: int) -> list[Alert]:
        """The counted alerts whose window is over; forgets what has stayed quiet."""
        over = [(key, quiet) for key, quiet in self._quiet.items() if quiet.until_ns <= now_ns]
        for key, quiet in over:
            if quiet.held is None:
                del self._quiet[key]
            else:
                self._quiet[key] = _Quiet(now_ns + self._window_ns)
        return [quiet.held for _, quiet in over if quiet.held is not None]

    @property
    def next_ns(self) -> int:
        """When `due` has something to do at the soonest."""
        return min((quiet.until_ns for quiet in self._quiet.values()), default=NEVER_NS)


class AlertDesk:
    """Takes alerts from everywhere and sends each kind once a window."""

    def __init__(self, send: Callable[[Alert], None], timeline: Timeline, *, window_ns: int = 300 * SECOND_NS) -> None:
        self._send = send
        self._timeline = timeline
        self._dedup = Dedup(window_ns)
        self._raised = trio.Event()

    def alert(self, cause: str, account: str, text: str) -> None:
        """Sends the alert, or counts it when its like went out lately."""
        alert = self._dedup.raised(cause, account, text, self._timeline.now_ns())
        self._raised.set()
        if alert is not None:
            self._send(alert)

    async def run(self) -> None:
        """Sends what was counted when its window ends; runs until cancelled."""
        while True:
            with trio.move_on_at(self._timeline.on_trio_clock(self._dedup.next_ns)):
                await self._raised.wait()
            self._raised = trio.Event()
            for alert in self._dedup.due(self._timeline.now_ns()):
                self._send(alert)
