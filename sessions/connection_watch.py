"""What stands against trading over one broker's connection, told to its sessions and kept for later ones."""

from collections.abc import Callable

from brokers.guards.alerts import Alert, Dedup
from brokers.guards.ladder import Cause, Cleared, LadderEvent, Raised
from brokers.tokens.news import CredentialLost, CredentialRegained
from runtime import Actor, Child, Runtime
from sessions.trader.causes import ALERTS, cause_topic


def watch_name(broker: str) -> tuple[str, str]:
    """The name of a broker's watch in the registry."""
    return ("connection-watch", broker)


class ConnectionWatch(Actor):
    """Turns news of a connection into causes: cancel-only for its sessions, and a word to a person."""

    def __init__(self, broker: str) -> None:
        self.broker = broker
        self.causes: dict[tuple[Cause, str], Raised] = {}
        self.dedup = Dedup()

    def hear(self, news: object) -> None:
        """Takes in what a token store or a stream tells; what is no cause is for a person to know."""
        match news:
            case CredentialLost(login, text):
                self.step(Raised(Cause.TOKEN_LOST, str(login)))
                self._alert(Cause.TOKEN_LOST.name, text)
            case CredentialRegained(login):
                self.step(Cleared(Cause.TOKEN_LOST, str(login)))
            case Raised() | Cleared():
                self.step(news)
            case _:
                self._alert(type(news).__name__, str(news))

    def step(self, event: Raised | Cleared) -> None:
        """Notes a cause that came or went, and tells the sessions."""
        if isinstance(event, Raised):
            self.causes[event.cause, event.about] = event
        else:
            self.causes.pop((event.cause, event.about), None)
        self.runtime.topics.publish(cause_topic(self.broker), event)

    def standing(self) -> tuple[LadderEvent, ...]:
        """The causes that stand now."""
        return tuple(self.causes.values())

    def _alert(self, cause: str, text: str) -> None:
        alert: Alert | None = self.dedup.raised(cause, self.broker, text, self.world.clock.wall_ns())
        if alert is not None:
            self.runtime.topics.publish(ALERTS, alert)


def connection_watch(broker: str) -> Child[ConnectionWatch]:
    """The child that watches one broker's connection."""
    return Child("watch", lambda: ConnectionWatch(broker), name=watch_name(broker))


def tell_watch(runtime: Runtime, broker: str) -> Callable[[object], None]:
    """What hands news of a connection to the broker's watch."""
    watch = runtime.name(watch_name(broker), ConnectionWatch)
    return lambda news: watch.cast(ConnectionWatch.hear, news)
