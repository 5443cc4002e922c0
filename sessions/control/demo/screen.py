"""What the demo looks like: a calm picture in a terminal, a line an event when piped, one object as JSON."""

import json
import signal
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import attrs
import trio

from sessions.control.commands.output import is_terminal, show, width
from sessions.control.demo.play import Summary, Watch, play
from sessions.control.demo.scene import Scene
from sessions.control.demo.stage import Seat
from sessions.control.demo.summary import as_record, crash_lines, summary_lines
from sessions.control.view.lines import BLANK, Cell, Column, Line, Span, Tone, coloured, line, table
from sessions.control.view.words import money

FINE, BROKEN, INTERRUPTED = 0, 1, 130  # exit codes
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_COLUMNS: Final = (
    *(Column("session"), Column("account"), Column("trades"), Column("state")),
    *(Column("orders", right=True), Column("fills", right=True), Column("profit", right=True)),
)
_STATES: Final[dict[str, Tone]] = {"running": "good", "down": "bad", "failed": "bad"}


def run_demo(duration: float, seed: int, *, as_json: bool, faults: Sequence[str] = ()) -> int:
    """Runs the demo in this terminal and returns the exit code; `faults` are for tests.

    An interruption ends the trading early and leads to the audit; a second one ends everything at once.
    """
    with _shown(as_json=as_json) as watch:
        summary = trio.run(_play, duration, seed, watch, faults)
    if summary is None:
        return INTERRUPTED
    if as_json:
        print(json.dumps(as_record(summary)))  # noqa: T201 - the output of the command
    else:
        show(summary_lines(summary, width()))
    return FINE if summary.ok else BROKEN


async def _play(duration: float, seed: int, watch: Watch, faults: Sequence[str]) -> Summary | None:
    interrupted, summary = trio.Event(), None
    async with trio.open_nursery() as nursery:
        await nursery.start(_obey, interrupted, nursery.cancel_scope)
        summary = await play(duration, seed, watch, interrupted, faults)
        nursery.cancel_scope.cancel(reason="the demo is over")
    return summary


async def _obey(
    interrupted: trio.Event, scope: trio.CancelScope, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(*_SIGNALS) as received:
        task_status.started()
        async for _ in received:
            if interrupted.is_set():
                scope.cancel(reason="interrupted twice")
            interrupted.set()


def _shown(*, as_json: bool) -> AbstractContextManager[Watch]:
    if as_json:
        return nullcontext(lambda _: None)
    return Picture() if is_terminal() else nullcontext(Lines())


# A line an event.


@attrs.define
class Lines:
    """Says what is new."""

    said: dict[Any, None] = attrs.field(factory=dict)

    def __call__(self, scene: Scene) -> None:
        """Looks at the scene and prints what has happened since."""
        self._say("doing", scene.doing, f"{scene.passed():5.1f} s  the demo {scene.doing}")
        for number, crash in enumerate(scene.crashes):
            self._say(number, "crash", f"{crash.at_s:5.1f} s  crash of the {crash.what}: {crash.how}")
            if crash.whole_s is not None:
                back = f"{crash.at_s + crash.whole_s:5.1f} s  all is whole again"
                self._say(number, "whole", f"{back}, {crash.whole_s:.2f} s after the {crash.what} crashed")

    def _say(self, *what: Any) -> None:
        *key, text = what
        if tuple(key) not in self.said:
            self.said[tuple(key)] = None
            show([line(text)])


# The picture.


class Picture:
    """Redraws one picture in place, and takes it away at the end."""

    def __enter__(self) -> Watch:
        """Begins to draw."""
        from rich.live import Live  # noqa: PLC0415 - only a terminal needs it
        from rich.text import Text  # noqa: PLC0415 - as above

        self._live = Live(auto_refresh=False, transient=True)
        self._live.__enter__()

        def watch(scene: Scene) -> None:
            text = "\n".join(map(coloured, picture(scene, width())))
            self._live.update(Text.from_ansi(text, no_wrap=True), refresh=True)

        return watch

    def __exit__(self, *how: object) -> None:
        """Leaves the terminal as it was."""
        self._live.__exit__(None, None, None)


def picture(scene: Scene, columns: int | None) -> list[Line]:
    """The scene as it is now."""
    left = max(scene.duration - scene.passed(), 0)
    return [
        line(("pitboss demo", "strong"), "  a real daemon, an emulated broker, nothing of yours is touched"),
        line((f"{scene.doing}; {left:.0f} s left" if scene.began is not None and left else scene.doing, "dim")),
        BLANK,
        *table(_COLUMNS, (_session(scene, seat) for seat in scene.seats), columns),
        BLANK,
        line(
            *(Span(f"{scene.broker.ticks:,}", "strong"), Span(" ticks   ", "dim")),
            *(Span(f"{len(scene.broker.orders):,}", "strong"), Span(" orders and ", "dim")),
            *(Span(f"{len(scene.broker.fills):,}", "strong"), Span(" fills at the broker   ", "dim")),
            *(Span(f"{len(scene.journal.fills):,}", "strong"), Span(" fills in the journal", "dim")),
        ),
        BLANK,
        *(crash_lines(scene.crashes, columns) if scene.crashes else [line(("nothing has crashed yet", "dim"))]),
    ]


def _session(scene: Scene, seat: Seat) -> tuple[Cell, ...]:
    state, tone = _state(scene, seat.session)
    where = (seat.account, seat.symbol)
    fills = sum((fill.account, fill.symbol) == where for fill in scene.journal.fills.values())
    earned = scene.journal.earnings(seat.session)
    return (
        Span(seat.session, "strong"),
        seat.account,
        seat.symbol,
        Span(state, tone),
        f"{scene.traded(seat):,}",
        f"{fills:,}",
        Span(money(str(earned)), "good" if earned > 0 else "bad" if earned < 0 else ""),
    )


def _state(scene: Scene, session: str) -> tuple[str, Tone]:
    """What a session does, in a word."""
    status = scene.status
    if status is None:
        return ("starting", "dim") if scene.began is None else ("ended", "dim") if scene.over else ("down", "bad")
    row = next((row for row in status["sessions"] if row["session"] == session), None)
    if row is None:
        return "down", "bad"
    if row["condition"] != "running":
        return row["condition"], _STATES.get(row["condition"], "warn")
    return ("running", "good") if row["rung"] == "full" else (row["rung"].replace("_", " "), "warn")
