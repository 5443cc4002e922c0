"""What a person should know goes to the log too: where each session stands and why, the kill switch, alerts."""

from collections.abc import Callable
from typing import Final

from brokers.guards.alerts import Alert
from brokers.guards.ladder import Rung
from runtime import Runtime
from runtime.logs import Logger
from sessions.risk.desk import RISK_TOPIC, SessionStatus, SwitchStatus
from sessions.risk.kill_switch import Mark
from sessions.trader.causes import ALERTS

RUNG: Final = "rung"  # the events of these lines
SWITCH: Final = "switch"
ALERT: Final = "alert"


def log_news(runtime: Runtime, logger: Logger) -> Callable[[], None]:
    """Writes them from now on; the returned function ends that."""

    def risk(news: object) -> None:
        match news:
            case SessionStatus(session, rung, causes):
                write = logger.info if rung is Rung.FULL else logger.warning
                write(RUNG, session=session, rung=rung.name, causes=", ".join(causes))
            case SwitchStatus(Mark() as mark, survives, problem):
                logger.warning(
                    SWITCH,
                    mode=mark.mode.value,
                    by=mark.by,
                    reason=mark.reason,
                    flatten=mark.flatten,
                    survives=survives,
                    problem=problem,
                )
            case SwitchStatus():
                logger.info(SWITCH, mode="released")

    def alert(news: object) -> None:
        if isinstance(news, Alert):
            logger.warning(ALERT, cause=news.cause, account=news.account, text=news.text)

    leave_risk, leave_alerts = runtime.topics.attach(RISK_TOPIC, risk), runtime.topics.attach(ALERTS, alert)

    def leave() -> None:
        leave_risk()
        leave_alerts()

    return leave
