"""One screen that answers: is it all right, and if not, why."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sessions.control.view.lines import BLANK, Column, Line, Span, Tone, line, table
from sessions.control.view.tables import session_rows
from sessions.control.view.words import listed, span

Record = Mapping[str, Any]

_BANNER_WIDTH: Final = 78
_GAP: Final = "  "
_DOT: Final = " · "
_BROKERS: Final = (Column("broker"), Column("login"), Column("environment"), Column("connection"), Column("why not"))
_ACCOUNTS: Final = (
    Column("account"),
    Column("broker"),
    Column("books"),
    Column("open", right=True),
    Column("unknown", right=True),
    Column("fills", right=True),
    Column("last problem"),
)


def status_lines(status: Record, width: int | None = None) -> list[Line]:
    """The whole screen."""
    return [
        *_banner(status, width),
        _verdict(status, width),
        *(line("  ", (reason, "bad")) for reason in reasons(status)),
        *_section("sessions", session_rows(status["sessions"], width) if status["sessions"] else []),
        *_section("brokers", table(_BROKERS, map(_broker, status["brokers"]), width) if status["brokers"] else []),
        *_section("accounts", table(_ACCOUNTS, map(_account, status["accounts"]), width) if status["accounts"] else []),
    ]


def reasons(status: Record) -> list[str]:
    """Everything that keeps the daemon from being well, the gravest first."""
    return list(status["reasons"])


def _banner(status: Record, width: int | None) -> Iterator[Line]:
    if status["live"]:
        armed = listed(row["broker"] for row in status["brokers"] if row["armed"])
        text = f" LIVE TRADING IS ARMED: {armed} -- real money; `pitboss disarm` ends it "
        yield line((text.ljust(width or _BANNER_WIDTH), "alarm"))


def _verdict(status: Record, width: int | None) -> Line:
    verdict = Span("all is well", "good") if status["well"] else Span("not all is well", "bad")
    up = span(status["time_ns"] - status["started_ns"])
    facts = (
        f"pitboss {status['version']}",
        f"up {up}",
        f"epoch {status['epoch']}",
        f"{status['restarts']} restarts",
        f"journal {status['journal']}",
        f"loop {float(status['lag_ms']):.1f} ms late",
    )
    room = None if width is None else width - len(verdict.text) - len(_GAP)
    return line(verdict, (_GAP + _joined(facts, room), "dim"))


def _joined(facts: Sequence[str], room: int | None) -> str:
    """As many facts as there is room for."""
    while room is not None and facts and len(_DOT.join(facts)) > room:
        facts = facts[:-1]
    return _DOT.join(facts)


def _section(title: str, lines: list[Line]) -> list[Line]:
    return [BLANK, line((title, "strong")), *lines] if lines else []


def _broker(row: Record) -> tuple[Span, ...]:
    word, tone = _connection(row)
    environment = Span(f"{row['environment']}, armed", "alarm") if row["armed"] else Span(row["environment"])
    return (
        Span(row["broker"]),
        Span(row["login"]),
        environment,
        Span(word, tone),
        Span(row["why_not"] or ", ".join(row["troubles"])),
    )


def _connection(row: Record) -> tuple[str, Tone]:
    if row["open"]:
        return "open", "good"
    if row["environment"] == "live" and not row["armed"]:
        return "not armed", "warn"
    return f"down, try {row['attempts']}", "bad"


def _account(row: Record) -> tuple[Span, ...]:
    agree = Span("agree", "good") if row["reconciled"] else Span("not known", "bad")
    unknown = Span(str(row["unknown_orders"]), "bad" if row["unknown_orders"] else "")
    counts = (Span(str(row["open_orders"])), unknown, Span(str(row["fills"])))
    return (Span(row["account"]), Span(row["broker"]), agree, *counts, Span(row["last_problem"]))
