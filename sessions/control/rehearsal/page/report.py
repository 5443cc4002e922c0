"""The whole page: what came of all runs, and each of those that are worth a look along its time."""

from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Final

import attrs

from sessions.control.rehearsal.page.marks import clock, tag, text
from sessions.control.rehearsal.page.timeline import strike_words, timeline
from sessions.control.rehearsal.run import SETTLE, Outcome
from sessions.control.rehearsal.storm import Schedule
from sessions.control.view.rehearsal import profit_words, span, whole_words

NAMED: Final = 8  # faults that are named one by one
LOOKED_AT: Final = 5  # runs that are drawn: the first that broke, else the first


@attrs.frozen
class Shown:
    """A run as the page takes it.

    seconds  how long its storm lasted
    replay   the file that plays it again, if it failed
    needed   the faults that are enough for it to fail
    """

    outcome: Outcome
    schedule: Schedule
    seconds: float
    replay: str = ""
    needed: Schedule | None = None


def report(runs: Sequence[Shown], title: str) -> str:
    """The page of at least one run."""
    chosen = [one for one in runs if not one.outcome.sound][:LOOKED_AT] or runs[:1]
    body = [_head(runs, title)]
    if len(runs) > 1:
        body += [tag("h2", "All runs"), _runs(runs)]
    for one in chosen:
        body.append(_run(one, alone=len(runs) == 1))
    body.append(
        tag("footer", "Made by pitboss. Nothing in here was real: brokers, prices, money and time were simulated.")
    )
    style = files("sessions.control.rehearsal.page").joinpath("style.css").read_text()
    head = tag(
        "head",
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        tag("title", text(f"Rehearsal: {title}")),
        tag("style", style),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', *body)), lang='en')}\n"


def _head(runs: Sequence[Shown], title: str) -> str:
    broken = [one for one in runs if not one.outcome.sound]
    outcomes = [one.outcome for one in runs]
    words = "sound" if len(runs) == 1 else f"all {len(runs)} runs sound"
    if broken:
        words = "broken" if len(runs) == 1 else f"{len(broken)} of {len(runs)} runs broken"
    verdict = tag("span", text(words), class_=f"verdict {'broken' if broken else 'sound'}")
    lead = f"The daemon at emulated brokers, {clock_words(outcomes)} simulated, while things went wrong from a seed."
    return "".join([tag("h1", text(title)), tag("p", verdict), tag("p", text(lead), class_="soft"), _tiles(outcomes)])


def clock_words(outcomes: Iterable[Outcome]) -> str:
    """How much time was simulated."""
    return span(sum(one.simulated_s for one in outcomes))


def _tiles(outcomes: Sequence[Outcome]) -> str:
    simulated, wall = sum(one.simulated_s for one in outcomes), max(sum(one.wall_s for one in outcomes), 1e-9)
    events = sum(one.events for one in outcomes)
    figures = [
        (f"{simulated / wall:,.0f} x", "as fast as life"),
        (f"{events / wall:,.0f}", "wire events a second"),
        (f"{events:,}", "wire events"),
        (f"{sum(one.orders for one in outcomes):,}", "orders"),
        (f"{sum(one.fills for one in outcomes):,}", "fills"),
        (f"{sum(sum(one.faults.values()) for one in outcomes):,}", "faults"),
        (f"{sum(len(one.restarts) for one in outcomes):,}", "restarts of the daemon"),
        (f"{sum(len(one.complaints) for one in outcomes):,}", "violations"),
    ]
    if len(outcomes) == 1:
        figures.append((whole_words(outcomes[0]), "from the last fault to whole"))
        figures += [(f"{amount:+,.2f}", f"{currency} earned") for currency, amount in outcomes[0].story.profit.items()]
    return tag("div", *(_tile(*one) for one in figures), class_="tiles")


def _tile(figure: str, words: str) -> str:
    return tag("div", tag("b", text(figure)), tag("span", text(words)), class_="tile")


def _runs(runs: Sequence[Shown]) -> str:
    rows = []
    for one in runs:
        outcome = one.outcome
        cells = [
            outcome.seed,
            "sound" if outcome.sound else f"broken: {outcome.failure}",
            f"{outcome.events:,}",
            f"{outcome.orders:,}",
            f"{outcome.fills:,}",
            f"{sum(outcome.faults.values()):,}",
            len(outcome.restarts),
            whole_words(outcome),
            profit_words(outcome.story.profit),
            outcome.trace_hash[:12],
        ]
        rows.append((cells, "" if outcome.sound else "bad"))
    titles = ("seed", "", "events", "orders", "fills", "faults", "restarts", "whole after", "profit and loss", "trace")
    return _table(titles, rows, numbers=frozenset({0, 2, 3, 4, 5, 6, 7, 8}))


def _run(shown: Shown, *, alone: bool) -> str:
    outcome = shown.outcome
    parts = [] if alone else [tag("h2", text(f"Seed {outcome.seed}"))]
    if outcome.complaints:
        parts.append(_broken(shown))
    parts.append(tag("div", timeline(outcome, shown.schedule, shown.seconds, shown.needed), class_="drawing"))
    parts.append(_key())
    struck = [([row, names, f"{count:,}"], "") for row, names, count in _struck(shown)]
    ended = [([clock(one.at_s), one.why or f"ended with code {one.code}"], "") for one in outcome.restarts]
    tables = []
    if struck:
        tables.append(tag("h3", "Faults") + _table(("row", "classes", "times"), struck, numbers=frozenset({2})))
    if ended:
        tables.append(tag("h3", "Restarts of the daemon") + _table(("at", "why"), ended))
    tables.append(tag("h3", "Numbers") + _table(("", ""), [(row, "") for row in _numbers(shown)]))
    parts.append(tag("div", *(tag("section", one) for one in tables), class_="tables"))
    return "".join(parts)


def _broken(shown: Shown) -> str:
    sentences = [tag("li", text(one)) for one in shown.outcome.complaints]
    parts = [tag("b", "What broke"), tag("ul", *sentences)]
    if shown.needed is not None:
        parts.append(tag("p", text(_enough(shown.needed, len(shown.schedule.strikes)))))
    if shown.replay:
        parts.append(tag("p", "Play it again: ", tag("code", text(f"pitboss rehearse --replay {shown.replay}"))))
    return tag("div", *parts, class_="broken-box")


def _enough(needed: Schedule, drawn: int) -> str:
    """Which faults it takes, if they are few."""
    if not needed.strikes:
        return "It takes no fault at all."
    if len(needed.strikes) > NAMED:
        return f"{len(needed.strikes)} of {drawn} faults are enough for it."
    words = (f"{strike_words(one)} at {clock(SETTLE + one.at_ms / 1000)}" for one in needed.strikes)
    return f"Enough for it, of {drawn} faults: {', '.join(words)}."


def _key() -> str:
    words = (
        "Tinted: while faults struck.",
        "Filled triangles buy, hollow ones sell.",
        "Bars above the line are orders, below it fills.",
        "Rest the pointer on anything to read what it is.",
    )
    return tag("div", *(tag("span", text(one)) for one in words), class_="key")


def _struck(shown: Shown) -> Iterable[tuple[str, str, int]]:
    for row, count in sorted(shown.outcome.faults.items()):
        names = dict.fromkeys(one.fault for one in shown.schedule.strikes if one.row == row)
        yield row, ", ".join(sorted(names)), count


def _numbers(shown: Shown) -> Iterable[list[object]]:
    outcome, wall = shown.outcome, max(shown.outcome.wall_s, 1e-9)
    yield ["seed", outcome.seed]
    yield ["trace hash", outcome.trace_hash]
    yield ["simulated", span(outcome.simulated_s)]
    yield ["wall time", f"{outcome.wall_s:.1f} s, {outcome.simulated_s / wall:,.0f} times as fast as life"]
    yield ["wire events", f"{outcome.events:,}, {outcome.events / wall:,.0f} a second of wall time"]
    yield ["whole after", whole_words(outcome)]
    yield ["profit and loss", profit_words(outcome.story.profit)]


def _table(
    titles: Sequence[str], rows: Sequence[tuple[Sequence[object], str]], numbers: frozenset[int] = frozenset()
) -> str:
    def row(name: str, cells: Sequence[object], class_: str = "") -> str:
        inner = (tag(name, text(cell), class_="n" if at in numbers else None) for at, cell in enumerate(cells))
        return tag("tr", *inner, class_=class_ or None)

    head = tag("thead", row("th", titles)) if any(titles) else ""
    body = tag("tbody", *(row("td", cells, class_) for cells, class_ in rows))
    return tag("div", tag("table", head, body), class_="scroll")
