"""Runs one emulator for `pitboss emulate` until it is interrupted."""

import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import trio

from brokers.emulation.catalogue import CATALOGUE
from brokers.emulation.emulator import Emulator, ready_line
from brokers.emulation.faults import FaultError
from brokers.emulation.table import EMULATORS
from brokers.symbols import SymbolError
from runtime.real import real_world

REFUSED = 2
FAILED = 1


def run_emulator(broker: str, port: int, seed: int, faults: Sequence[str], latency_ms: float, *, as_json: bool) -> int:
    """Serves until interrupted and returns the exit code; what cannot be is said in one sentence."""
    if "list" in faults:
        return _list_faults()
    if broker not in EMULATORS:
        return _refuse(f"expected a broker with an emulator, got {broker!r}; choose one of {', '.join(EMULATORS)}")
    serve = partial(EMULATORS[broker], real_world(), port=port, seed=seed, faults=faults, latency=latency_ms / 1000)
    try:
        trio.run(_serve, serve, as_json)
    except KeyboardInterrupt:
        return 0
    except BaseExceptionGroup as group:
        return _ended(group)
    return 0


async def _serve(serve: Callable[..., Awaitable[None]], as_json: bool) -> None:
    # Heard before it says that it is ready, and by a process too whose parent had it ignore them.
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as ends:
        async with trio.open_nursery() as nursery:
            emulator: Emulator = await nursery.start(serve)
            _tell(emulator, as_json=as_json)
            await anext(ends)
            nursery.cancel_scope.cancel(reason="interrupted")


def _tell(emulator: Emulator, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(ready_line(emulator) + "\n")
    else:
        lines = [f"{emulator.broker} is emulated at {emulator.http}"]
        lines += [f"  WebSocket    {emulator.ws}"] if emulator.ws else []
        lines += [f"  {name:<12} {value}" for name, value in emulator.credentials.items()]
        lines += [f"  accounts     {', '.join(emulator.accounts)}", "Ctrl-C ends it."]
        sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _ended(group: BaseExceptionGroup[BaseException]) -> int:
    """The exit code after an end that was not asked for."""
    refused, rest = group.split((FaultError, SymbolError))
    if refused is not None:
        return _refuse(str(_first(refused)))
    taken, rest = (None, None) if rest is None else rest.split(OSError)
    if rest is not None:
        raise rest
    sys.stderr.write(f"{_first(taken)}; nothing was served; choose another --port\n" if taken is not None else "")
    return FAILED


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _list_faults() -> int:
    for kind in CATALOGUE.values():
        takes = f"={kind.default or kind.takes.value}" if kind.takes.name != "NOTHING" else ""
        sys.stdout.write(f"{kind.row}  {kind.name + takes:<28} {kind.does}\n")
    return 0


def _refuse(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return REFUSED
