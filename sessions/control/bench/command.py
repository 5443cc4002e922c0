"""The `pitboss bench` command: runs one benchmark and prints it for a machine or a person."""

import json
from importlib import import_module

from rich.console import Console
from rich.table import Table

from brokers.collector import collector_for_life
from sessions.control.bench.report import Measurements


def run_bench(name: str, rounds: int, *, as_json: bool) -> int:
    """Runs the benchmark and prints it; returns 0, or 1 if a bar is missed."""
    collector_for_life()  # as the daemon does
    progress = Console(stderr=True)
    with progress.status(f"bench {name}") as status:
        results: Measurements = import_module(f"sessions.control.bench.{name}").run(
            rounds, lambda text: status.update(f"bench {name}: {text}")
        )
    if as_json:
        print(json.dumps(results.as_json()))  # noqa: T201 - the output of the command
    else:
        _show(results)
    return 0 if results.ok else 1


def _show(results: Measurements) -> None:
    console = Console()
    figures = Table("figure", "median", "min", "max", "unit", title=f"bench {results.bench}")
    for name, metric in results.as_json()["metrics"].items():
        figures.add_row(name, f"{metric['median']:g}", f"{metric['min']:g}", f"{metric['max']:g}", metric["unit"])
    console.print(figures)
    bars = Table("bar", "value", "promised", "kept")
    for bar in results.bars:
        kept = "[green]yes[/]" if bar.ok else "[red]no[/]"
        bars.add_row(bar.name, f"{bar.value:.4g} {bar.unit}", bar.promise, kept)
    console.print(bars)
