"""What stands against trading over one broker's connection, told to its sessions and kept for later ones.

A broker's demand to stay away ends with its time. So does what an open breaker stands for: the next order after that
is the probe that closes it, and sessions that waited for it to close would wait for ever.
"""

from collections.abc import Callable
from typing import Final

import attrs

from brokers.guards.alerts import Alert, Dedup
from brokers.guards.breaker import Phase
from brokers.guards.events import BreakerMoved, PauseBegan
from brokers.guards.health import HealthMoved, State
from brokers.guards.ladder import Cause, Cleared, LadderEvent, Raised
from brokers.guards.operation import Kind
from brokers.guards.skew import ClockMoved, Skew
from brokers.tokens.news import CredentialLost, CredentialRegained
from runtime import Actor, Child, Runtime
from sessions.trader.causes import ALERTS, cause_topic

_SECOND_NS: Final = 1_000_000_000
_MARGIN_NS: Final = 1_000_000  # a timer that rounds must not look too early


def watch_name(broker: str) -> tuple[str, str]:
    """The name of a broker's watch in the registry."""
    return ("connection-watch", broker)


@attrs.frozen
class Stands:
    """A cause that stands: until it is cleared, or until this moment of the monotonic clock."""

    event: Raised
    until_ns: int | None = None

    def over(self, now_ns: int) -> bool:
        """Whether its time is over."""
        return self.until_ns is not None and self.until_ns <= now_ns


Causes = dict[tuple[Cause, str], Stands]


class ConnectionWatch(Actor):
    """Turns news of a connection into causes that take its sessions down, and a word to a person."""

    def __init__(self, broker: str, causes: Causes) -> None:
        """`causes` outlives this actor: the sessions still stand where it took them."""
        self.broker = broker
        self.causes = causes
        self.dedup = Dedup()

    async def on_start(self) -> None:
        """Goes on with what stood before a crash."""
        for stands in self.causes.values():
            self._wait_for(stands)

    def hear(self, news: object) -> None:
        """Takes in what guards, token store and streams tell; what is no cause is for a person to know."""
        match news:
            case CredentialLost(login, text):
                self.step(Raised(Cause.TOKEN_LOST, str(login)))
                self._alert(Cause.TOKEN_LOST.name, text)
            case CredentialRegained(login):
                self.step(Cleared(Cause.TOKEN_LOST, str(login)))
            case PauseBegan():
                self._paused(news)
            case BreakerMoved():
                self._breaker_moved(news)
            case HealthMoved():
                self._health_moved(news)
            case ClockMoved():
                self._clock_moved(news)
            case Raised() | Cleared():
                self.step(news)
            case _:
                self._alert(type(news).__name__, str(news))

    def step(self, event: Raised | Cleared, lasts_ns: int | None = None) -> None:
        """Notes a cause that came, perhaps for a time, or went, and tells the sessions."""
        key = event.cause, event.about
        if isinstance(event, Raised):
            self.causes[key] = self._longer(self.causes.get(key), event, lasts_ns)
            self._wait_for(self.causes[key])
        else:
            self.causes.pop(key, None)
        self.runtime.topics.publish(cause_topic(self.broker), event)

    def lapse(self) -> None:
        """Takes away the causes whose time is over."""
        now_ns = self.world.clock.monotonic_ns()
        for stands in [one for one in self.causes.values() if one.over(now_ns)]:
            self.step(Cleared(stands.event.cause, stands.event.about))

    def standing(self) -> tuple[LadderEvent, ...]:
        """The causes that stand now."""
        return tuple(stands.event for stands in self.causes.values())

    # What news means.

    def _paused(self, news: PauseBegan) -> None:
        """A pause of mere questions, such as a used-up quota of quotes, stops nobody from trading."""
        lasts_ns = news.until_ns - news.at_ns
        if news.stops_trading:
            self.step(Raised(Cause.PAUSED, news.scope), lasts_ns)
        wanted = f"; it asked for {_seconds(news.asked_ns)}: look at its own page" if news.capped else ""
        text = f"{news.scope} is left alone for {_seconds(lasts_ns)}: {news.reason}{wanted}"
        self._alert(f"PAUSED {news.scope}", text)

    def _breaker_moved(self, news: BreakerMoved) -> None:
        moved, submits = news.transition, news.kind is Kind.SUBMIT
        lasts_ns = moved.until_ns - moved.at_ns
        if moved.after is Phase.OPEN:
            if submits:
                self.step(Raised(Cause.SUBMIT_BREAKER_OPEN, news.connection), lasts_ns)
            text = f"{news.connection}: {news.kind.value} keeps failing and is not tried for {_seconds(lasts_ns)}"
            self._alert(f"BREAKER {news.connection} {news.kind.value}", text)
        elif submits and moved.after is Phase.CLOSED:
            self.step(Cleared(Cause.SUBMIT_BREAKER_OPEN, news.connection))

    def _health_moved(self, news: HealthMoved) -> None:
        causes = {State.DEGRADED: Cause.CONNECTION_DEGRADED, State.DOWN: Cause.CONNECTION_DOWN}
        for state, cause in causes.items():
            if news.after is state:
                self.step(Raised(cause, news.connection))
            elif news.before is state:
                self.step(Cleared(cause, news.connection))
        if news.after is State.DOWN:
            self._alert(Cause.CONNECTION_DOWN.name, f"{news.connection} answers no more")

    def _clock_moved(self, news: ClockMoved) -> None:
        if news.skew is Skew.NONE:
            self.step(Cleared(Cause.CLOCK_SKEW, news.host))
            return
        self.step(Raised(Cause.CLOCK_SKEW, news.host))
        side = "ahead of" if news.ahead_ns > 0 else "behind"
        text = f"this machine's clock is at least {abs(news.ahead_ns) / _SECOND_NS:.1f} s {side} that of {news.host}"
        after = "; whatever is live there is disarmed: set the clock, then arm it" if news.skew is Skew.FAR else ""
        self._alert(f"{Cause.CLOCK_SKEW.name} {news.skew.value}", text + after)

    # Time and people.

    def _longer(self, present: Stands | None, event: Raised, lasts_ns: int | None) -> Stands:
        """A cause that is raised again never ends sooner than it would have."""
        until_ns = None if lasts_ns is None else self.world.clock.monotonic_ns() + lasts_ns
        if present is not None and until_ns is not None:
            until_ns = None if present.until_ns is None else max(present.until_ns, until_ns)
        return Stands(event, until_ns)

    def _wait_for(self, stands: Stands) -> None:
        if stands.until_ns is not None:
            left_ns = stands.until_ns - self.world.clock.monotonic_ns() + _MARGIN_NS
            self.send_after(max(left_ns, 0) / _SECOND_NS, ConnectionWatch.lapse)

    def _alert(self, cause: str, text: str) -> None:
        alert: Alert | None = self.dedup.raised(cause, self.broker, text, self.world.clock.wall_ns())
        if alert is not None:
            self.runtime.topics.publish(ALERTS, alert)


def _seconds(lasts_ns: int) -> str:
    return f"{lasts_ns / _SECOND_NS:.0f} s"


def connection_watch(broker: str) -> Child[ConnectionWatch]:
    """The child that watches one broker's connection."""
    causes: Causes = {}
    return Child("watch", lambda: ConnectionWatch(broker, causes), name=watch_name(broker))


def tell_watch(runtime: Runtime, broker: str) -> Callable[[object], None]:
    """What hands news of a connection to the broker's watch."""
    watch = runtime.name(watch_name(broker), ConnectionWatch)
    return lambda news: watch.cast(ConnectionWatch.hear, news)
