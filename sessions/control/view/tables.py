"""Sessions, orders, positions, fills, money and bars, each as a table."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from sessions.control.view.lines import Cell, Column, Line, Span, Tone, line, table
from sessions.control.view.words import age, clock, listed, money, number

Record = Mapping[str, Any]
When = Callable[[int], str]

_CONDITIONS: Final[Mapping[str, Tone]] = {"running": "good", "stopped": "dim"}
_STATES: Final[Mapping[str, Tone]] = {"filled": "good", "working": "good", "unknown": "alarm", "rejected": "bad"}
_SIDES: Final[Mapping[str, Tone]] = {"buy": "good", "sell": "bad"}
_TIME, _ACCOUNT, _SYMBOL, _SIDE = Column("time", whole=True), Column("account"), Column("symbol"), Column("side")
_QUANTITY: Final = Column("quantity", right=True)


def session_rows(rows: Iterable[Record], width: int | None = None) -> list[Line]:
    """Every session: what it does, where it trades, and why it does less than it may."""
    titles = ("broker", "account", "symbols", "strategy", "why")
    head = (Column("session"), Column("condition"), Column("rung"), Column("feed", right=True))
    return table([*head, *map(Column, titles)], map(_session, rows), width)


def _session(row: Record) -> tuple[Cell, ...]:
    full = row["rung"] in ("full", "")
    why = "; ".join(filter(None, (row["why"], listed(row["causes"]), listed(row["missing"]))))
    return (
        Span(row["session"], "strong"),
        Span(row["condition"], _CONDITIONS.get(row["condition"], "bad")),
        Span(row["rung"], "" if full else "warn"),
        age(row["feed_age_ms"]),
        row["broker"],
        row["account"],
        listed(row["symbols"]),
        row["strategy"],
        why,
    )


def order_rows(rows: Iterable[Record], width: int | None = None) -> list[Line]:
    """Every order with what is known of it."""
    columns = (
        *(_TIME, _ACCOUNT, _SYMBOL, _SIDE, _QUANTITY, Column("type"), Column("limit", right=True)),
        *(Column("stop", right=True), Column("state"), Column("filled", right=True), Column("average", right=True)),
        *(Column("key", whole=True), Column("reason")),
    )
    return table(columns, (_order(row["report"], clock(width)) for row in rows), width)


def report_rows(reports: Iterable[Record], width: int | None = None) -> list[Line]:
    """Orders as a command answered with them."""
    return order_rows(({"report": report} for report in reports), width)


def _order(report: Record, when: When) -> tuple[Cell, ...]:
    order = report["order"]
    return (
        when(report["time_ns"]),
        report["account"],
        order["symbol"],
        _side(order["side"]),
        number(order["quantity"]),
        order["type"],
        number(order["limit_price"]),
        number(order["stop_price"]),
        Span(report["state"], _STATES.get(report["state"], "")),
        number(report["filled"]),
        number(report["average_price"]),
        order["key"],
        report["reason"],
    )


def position_rows(rows: Iterable[Record], width: int | None = None) -> list[Line]:
    """What is held."""
    columns = (
        *(Column("broker"), _ACCOUNT, _SYMBOL, _QUANTITY, Column("average", right=True), Column("mark", right=True)),
        *(Column("unrealised", right=True), Column("realised", right=True), Column("currency")),
    )
    return table(columns, (_position(row["broker"], row["position"]) for row in rows), width)


def _position(broker: str, one: Record) -> tuple[Cell, ...]:
    return (
        broker,
        one["account"],
        one["symbol"],
        number(one["quantity"]),
        number(one["average_price"]),
        number(one["mark"]),
        _result(one["unrealised"]),
        _result(one["realised"]),
        one["currency"],
    )


def result_rows(rows: Iterable[Record], width: int | None = None) -> list[Line]:
    """What every session's finished trades came to."""
    numbers = ("trades", "wins", "losses", "won", "lost", "result", "best", "worst", "fees")
    head = (Column("session"), _SYMBOL, *(Column(name, right=True) for name in numbers))
    columns = (*head, Column("currency"), Column("broker"), _ACCOUNT)
    return table(columns, map(_result_row, rows), width)


def _result_row(row: Record) -> tuple[Cell, ...]:
    one = row["result"]
    trades = one["trades"]
    return (
        one["session"] or "nobody's",
        one["symbol"],
        *(str(trades[name]) for name in ("trades", "wins", "losses")),
        money(trades["won"]),
        money(trades["lost"]),
        _result(str(Decimal(trades["won"]) + Decimal(trades["lost"]))),
        *("" if trades[name] is None else _result(trades[name]) for name in ("best", "worst")),
        money(trades["fees"]),
        one["currency"],
        row["broker"],
        row["account"],
    )


def fill_rows(rows: Iterable[Record], width: int | None = None) -> list[Line]:
    """Every execution."""
    columns = (
        *(_TIME, _ACCOUNT, _SYMBOL, _SIDE, _QUANTITY, Column("price", right=True), Column("fee", right=True)),
        *(Column("liquidity"), Column("session"), Column("order"), Column("fill")),
    )
    return table(columns, (_fill(row["fill"], clock(width)) for row in rows), width)


def _fill(fill: Record, when: When) -> tuple[Cell, ...]:
    return (
        when(fill["time_ns"]),
        fill["account"],
        fill["symbol"],
        _side(fill["side"]),
        number(fill["quantity"]),
        number(fill["price"]),
        number(fill["fee"]),
        fill["liquidity"],
        fill["session"] or "",
        fill["order_key"] or "",
        fill["id"],
    )


def equity_rows(rows: Iterable[Record], width: int | None = None) -> list[Line]:
    """Every account's money, or why it is not known."""
    amounts = ("equity", "cash", "unrealised", "realised", "fees", "buying power")
    columns = (Column("broker"), _ACCOUNT, *(Column(title, right=True) for title in amounts), Column("currency"))
    return table((*columns, Column("why not")), map(_equity, rows), width)


def _equity(row: Record) -> tuple[Cell, ...]:
    money_of = row["summary"]
    if money_of is None:
        return (row["broker"], row["account"], *[""] * 7, Span(row["why_not"], "bad"))
    return (
        row["broker"],
        row["account"],
        Span(money(money_of["equity"]), "strong"),
        money(money_of["cash"]),
        _result(money_of["unrealised"]),
        _result(money_of["realised"]),
        money(money_of["fees"]),
        money(money_of["buying_power"]),
        money_of["currency"],
        "",
    )


def bar_rows(rows: Iterable[Record], width: int | None = None) -> list[Line]:
    """Every bar, oldest first; the time is that of its close."""
    numbers = ("open", "high", "low", "close", "volume")
    columns = (_TIME, *(Column(name, right=True) for name in numbers), Column("trades", right=True))
    cells = (
        (clock(width)(row["time_ns"]), *(number(row[name]) for name in numbers), str(row["trades"])) for row in rows
    )
    return table(columns, cells, width)


def check_lines(rows: Iterable[Record]) -> list[Line]:
    """One line a check of the doctor."""
    return [
        line(Span("fine  ", "good") if row["fine"] else Span("ILL   ", "bad"), f"{row['name']}: {row['text']}")
        for row in rows
    ]


def facts(rows: Mapping[str, Mapping[str, str]], width: int | None = None) -> list[Line]:
    """What several things are, a column a thing and a line a property."""
    labels = dict.fromkeys(label for one in rows.values() for label in one)
    columns = (Column(""), *map(Column, rows))
    cells: list[Sequence[Cell]] = [
        (Span(label, "dim"), *(one.get(label, "") for one in rows.values())) for label in labels
    ]
    return table(columns, cells, width)


def symbol_rows(rows: Iterable[Record], width: int | None = None) -> list[Line]:
    """The roots of the instrument table."""
    columns = (
        *(Column("root"), Column("front"), Column("kind"), Column("currency"), Column("tick", right=True)),
        *(Column("multiplier", right=True), Column("description")),
    )
    cells = (
        (
            Span(row["root"], "strong"),
            row["front"],
            row["kind"],
            row["currency"],
            number(row["tick"]),
            number(row["multiplier"]),
            row["description"],
        )
        for row in rows
    )
    return table(columns, cells, width)


def _side(side: str) -> Span:
    return Span(side, _SIDES.get(side, ""))


def _result(amount: str) -> Span:
    """A gain or a loss."""
    tone: Tone = "bad" if amount.startswith("-") else "good" if amount.strip("0.") else ""
    return Span(money(amount), tone)
