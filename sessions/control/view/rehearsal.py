"""Rehearsals: a line a run, what broke in it, and all runs together."""

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sessions.control.rehearsal.run import Outcome
from sessions.control.view.lines import Line, Tone, line


def run_record(outcome: Outcome) -> dict[str, Any]:
    """A run as plain values."""
    wall = max(outcome.wall_s, 1e-9)
    return {
        "seed": outcome.seed,
        "trace_hash": outcome.trace_hash,
        "simulated_s": round(outcome.simulated_s, 3),
        "wall_s": round(outcome.wall_s, 3),
        "simulated_per_wall": round(outcome.simulated_s / wall, 1),
        "events": outcome.events,
        "events_per_s": round(outcome.events / wall),
        "orders": outcome.orders,
        "fills": outcome.fills,
        "faults": dict(sorted(outcome.faults.items())),
        "cells": {" ".join(cell): count for cell, count in sorted(outcome.cells.items())},
        "restarts": len(outcome.restarts),
        "converged_s": round(outcome.converged_s, 3) if math.isfinite(outcome.converged_s) else None,
        "violations": len(outcome.complaints),
        "profit": {currency: f"{profit:f}" for currency, profit in outcome.story.profit.items()},
        "broken": list(outcome.complaints),
    }


def run_lines(outcome: Outcome) -> list[Line]:
    """A run on one line, and under it what broke."""
    verdict: tuple[str, Tone] = ("sound ", "good") if outcome.sound else ("BROKEN", "bad")
    faults = sum(outcome.faults.values())
    wall = max(outcome.wall_s, 1e-9)
    head = line(
        f"seed {outcome.seed:<6} ",
        verdict,
        f"  {span(outcome.simulated_s)} in {outcome.wall_s:.1f} s",
        (f" ({outcome.simulated_s / wall:,.0f}x, {outcome.events / wall:,.0f} events/s)", "dim"),
        f"  {outcome.events:,} events  {outcome.orders:,} orders  {outcome.fills:,} fills",
        f"  {faults:,} faults of {len(outcome.faults)} rows  {len(outcome.restarts)} restarts",
        f"  whole after {whole_words(outcome)}",
        f"  {profit_words(outcome.story.profit)}",
        (f"  {outcome.trace_hash[:12]}", "dim"),
    )
    return [head, *(line(("  " + one, "bad")) for one in outcome.complaints)]


def summary_line(outcomes: Sequence[Outcome], wall_s: float) -> Line:
    """All runs together; `wall_s` is what they took, side by side."""
    broken = sum(not one.sound for one in outcomes)
    verdict: tuple[str, Tone] = (f"{broken} BROKEN", "bad") if broken else ("all sound", "good")
    simulated = sum(one.simulated_s for one in outcomes)
    return line(
        (f"{len(outcomes)} runs: ", "strong"),
        verdict,
        f"; {span(simulated)} in {wall_s:.1f} s ({simulated / max(wall_s, 1e-9):,.0f}x)",
        f", {total(one.events for one in outcomes)} events, {total(one.orders for one in outcomes)} orders",
        f", {total(one.fills for one in outcomes)} fills",
        f", {total(sum(one.faults.values()) for one in outcomes)} faults",
        f", {total(len(one.restarts) for one in outcomes)} restarts",
    )


def total(numbers: Iterable[int]) -> str:
    """Their sum, in words."""
    return f"{sum(numbers):,}"


def span(seconds: float) -> str:
    """A length of time for people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def whole_words(outcome: Outcome) -> str:
    """How long it took from the last fault until all agreed."""
    return f"{outcome.converged_s:.1f} s" if math.isfinite(outcome.converged_s) else "never"


def profit_words(profit: Mapping[str, Decimal]) -> str:
    """Profit and loss in each currency."""
    return ", ".join(f"{amount:+,.2f} {currency}" for currency, amount in profit.items()) or "no money at stake"
