"""What the demo came to, for machines and for people."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sessions.control.demo.play import Summary
from sessions.control.demo.scene import Crash
from sessions.control.demo.verdict import Profit
from sessions.control.view.lines import BLANK, Cell, Column, Line, Span, line, table
from sessions.control.view.words import money


def as_record(summary: Summary) -> dict[str, Any]:
    """The object that `--json` prints; amounts are exact and therefore text."""
    verdict = summary.verdict
    return {
        "ok": summary.ok,
        "broken": list(summary.broken),
        "seconds": summary.seconds,
        "seed": summary.seed,
        "ticks": summary.ticks,
        "orders": verdict.orders,
        "fills": verdict.fills,
        "duplicates": len(verdict.duplicates),
        "lost": len(verdict.lost),
        "invented": len(verdict.invented),
        "in_doubt": summary.in_doubt,
        "restarts": list(map(_restart, summary.crashes)),
        "profit_and_loss": {
            **{name: str(amount) for name, amount in _totals(verdict.profits).items()},
            "reconciled": all(one.agrees for one in verdict.profits),
            "accounts": list(map(_profit, verdict.profits)),
        },
    }


def _restart(crash: Crash) -> dict[str, Any]:
    whole = None if crash.whole_s is None else round(crash.whole_s * 1_000, 1)
    return {"what": crash.what, "how": crash.how, "at_s": round(crash.at_s, 3), "whole_after_ms": whole}


def _profit(one: Profit) -> dict[str, Any]:
    amounts = {"journal": str(one.journal), "broker": str(one.broker), "fees": str(one.fees)}
    return {"account": one.account, **amounts, "reconciled": one.agrees}


def _totals(profits: tuple[Profit, ...]) -> dict[str, Decimal]:
    return {name: sum((getattr(one, name) for one in profits), Decimal(0)) for name in ("journal", "broker", "fees")}


def summary_lines(summary: Summary, width: int | None = None) -> list[Line]:
    """The audit and its verdict."""
    verdict, totals = summary.verdict, _totals(summary.verdict.profits)
    counts = {
        "ticks": summary.ticks,
        "orders": verdict.orders,
        "fills": verdict.fills,
        "duplicates": len(verdict.duplicates),
        "lost": len(verdict.lost),
    }
    agree = all(one.agrees for one in verdict.profits)
    return [
        line(("The audit: the broker's own record against the daemon's journal", "strong")),
        BLANK,
        tuple(_counted(counts)),
        BLANK,
        *((*crash_lines(summary.crashes, width), BLANK) if summary.crashes else ()),
        line(
            f"profit before fees: {money(str(totals['journal']))} by the journal, "
            f"{money(str(totals['broker']))} by the broker: ",
            ("they agree", "good") if agree else ("they differ", "bad"),
        ),
        *(line(f"orders that are in doubt yet: {count}") for count in (summary.in_doubt,) if count),
        *(line(("broken: ", "bad"), sentence) for sentence in summary.broken),
        line(("every promise was kept", "good") if summary.ok else ("a promise was broken", "alarm")),
    ]


def _counted(counts: dict[str, int]) -> Iterator[Span]:
    for name, count in counts.items():
        wanted_none = name in ("duplicates", "lost")
        yield Span(f"{count:,}", ("bad" if count else "good") if wanted_none else "strong")
        yield Span(f" {name}   ", "dim")


def crash_lines(crashes: tuple[Crash, ...] | list[Crash], width: int | None = None) -> list[Line]:
    """What was broken, when, and how soon all was whole."""
    columns = (Column("at", right=True), Column("crashed"), Column("how"), Column("whole after", right=True))
    return table(columns, map(_row, crashes), width)


def _row(crash: Crash) -> tuple[Cell, ...]:
    whole = ("…", "warn") if crash.whole_s is None else (f"{crash.whole_s:.2f} s", "good")
    return f"{crash.at_s:.1f} s", (crash.what, "strong"), crash.how, Span(*whole)  # type: ignore[arg-type]  # its tones
