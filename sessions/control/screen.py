"""What the demo looks like in a terminal; plain lines where the output is not one."""

import json
from typing import Any

import trio
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from runtime.events import Event, EventKind
from runtime.inspection import TreeNode
from sessions.control.demo import play

_COLOURS = {
    EventKind.FAILED: "red",
    EventKind.RESTARTING: "yellow",
    EventKind.READY: "green",
    EventKind.GAVE_UP: "bold red",
}


def run_demo(duration: float, seed: int, *, as_json: bool) -> int:
    """Runs the demo in this terminal; returns 0, or 1 if something did not come back."""
    if as_json:
        summary = trio.run(play, duration, seed, None)
        print(json.dumps(summary))  # noqa: T201 - the output of the command
    else:
        summary = show_demo(duration, seed)
    return 0 if summary["ok"] else 1


def show_demo(duration: float, seed: int) -> dict[str, Any]:
    """Plays the demo live and prints its summary."""
    console = Console()
    if console.is_terminal:
        with Live(console=console, refresh_per_second=12) as live:
            summary = trio.run(
                play,
                duration,
                seed,
                lambda node, events, left: live.update(_picture(node, events, left, console.height)),
            )
    else:
        summary = trio.run(play, duration, seed, None)
    console.print(_summary(summary), soft_wrap=True)
    return summary


def _picture(node: TreeNode, events: list[Event], left: float, height: int) -> Group:
    lines = max(height - 20, 4)
    told = [event for event in events if event.kind in _COLOURS][-lines:]
    return Group(
        Text(f"pitboss demo: supervised actors, crashed from a seed; {left:.0f} s left", style="bold"),
        _branch(node, None),
        *(Text(event.line(), style=_COLOURS[event.kind], no_wrap=True, overflow="ellipsis") for event in told),
    )


def _branch(node: TreeNode, parent: Tree | None) -> Tree:
    colour = {"ready": "green", "restarting": "yellow", "down": "red"}.get(node.status, "yellow")
    label = Text.assemble(
        (node.id or "/", "bold"), f"  {node.kind}  ", (node.status, colour), f"  start {node.instance}"
    )
    branch = parent.add(label) if parent is not None else Tree(label)
    for child in node.children:
        _branch(child, branch)
    return branch


def _summary(summary: dict[str, Any]) -> Text:
    verdict = ("all whole", "bold green") if summary["ok"] else ("something did not come back", "bold red")
    return Text.assemble(
        f"{summary['crashes']} crashes in {summary['seconds']:g} s, {summary['restarts']} restarts, "
        f"slowest back after {summary['slowest_ms']:.2f} ms: ",
        verdict,
    )
