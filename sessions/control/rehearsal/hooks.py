"""Assertions of one's own: functions that are asked after everything that happens at a broker, and at the end.

    from sessions.control.rehearsal import Moment, invariant

    @invariant
    def at_most_two(now: Moment) -> str | None:
        return f"{now.held('ES')} ES are held" if abs(now.held("ES")) > 2 else None

What they answer is the sentence that the report shows; None says that all is well. A class derived from
`sessions.control.rehearsal.checker.Invariant` hears the journal's rows and the daemon's log as well.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeAlias, overload

import attrs

from brokers.emulation.emulator import Emulator
from brokers.emulation.log import ACCEPTED, BUSTED, FILLED, REFUSED, Entry
from brokers.model import OrderReport
from brokers.symbols import Contract, SymbolError
from sessions.control.rehearsal.checker.checker import Rule
from sessions.control.rehearsal.checker.invariant import Invariant, Scene
from sessions.control.rehearsal.refusal import NotRehearsable
from sessions.strategy.errors import LoadError
from sessions.strategy.loading import load_module

TRADING: Final = frozenset({ACCEPTED, REFUSED, FILLED, BUSTED})  # after which an assertion is asked
_ZERO: Final = Decimal(0)
_REFERENCE: Final = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*)(?::([^\W\d]\w*))?")


@attrs.frozen(eq=False)
class Moment:
    """What all brokers hold now, by their own books, and what just happened at one of them; `entry` is None at the end.

    broker   the configured name of the broker at which it happened
    """

    emulators: Mapping[str, Emulator]
    began: Mapping[str, Decimal]
    broker: str = ""
    entry: Entry | None = None

    def held(self, symbol: str) -> Decimal:
        """The net position in a contract or, by its root, in all of its contracts, over all accounts."""
        return sum((quantity for one, quantity in self.positions().items() if symbol in (one, _root(one))), _ZERO)

    def positions(self) -> Mapping[str, Decimal]:
        """The net position in each symbol that is not flat, over all accounts."""
        found: dict[str, Decimal] = {}
        for emulator in self.emulators.values():
            exchange = emulator.desk.exchange
            for account in exchange.accounts:
                for one in exchange.positions(account):
                    found[one.symbol] = found.get(one.symbol, _ZERO) + one.quantity
        return {symbol: quantity for symbol, quantity in found.items() if quantity}

    def open_orders(self, broker: str | None = None) -> tuple[OrderReport, ...]:
        """What works at a broker, or at all."""
        return tuple(
            order
            for name, emulator in self.emulators.items()
            if broker in (None, name)
            for account in emulator.desk.exchange.accounts
            for order in emulator.desk.exchange.engine.open_orders(account)
        )

    def profit(self, broker: str | None = None) -> Decimal:
        """What a broker's accounts, or all, are worth beyond what they began with, each in its own currency."""
        return sum(
            (worth(emulator) - self.began[name] for name, emulator in self.emulators.items() if broker in (None, name)),
            _ZERO,
        )


def worth(emulator: Emulator) -> Decimal:
    """What all accounts of a broker are worth together."""
    exchange = emulator.desk.exchange
    return sum((exchange.summary(account).equity for account in exchange.accounts), _ZERO)


def _root(symbol: str) -> str:
    try:
        return Contract.parse(symbol).root
    except SymbolError:
        return symbol


Assertion: TypeAlias = Callable[[Moment], str | None]


@attrs.frozen
class Hook:
    """An assertion, and when it is asked: after each event of trading, or once at the end."""

    assertion: Assertion
    name: str
    at_end: bool

    def __call__(self, scene: Scene, report: Callable[[str, str], None]) -> Invariant:
        """The invariant of one run."""
        return _Asked(self, scene, report)


@overload
def invariant(assertion: Assertion) -> Hook: ...
@overload
def invariant(*, name: str = ..., at_end: bool = ...) -> Callable[[Assertion], Hook]: ...
def invariant(
    assertion: Assertion | None = None, *, name: str = "", at_end: bool = False
) -> Hook | Callable[[Assertion], Hook]:
    """Makes a function an assertion of rehearsals; with `at_end` it is asked when all faults are over."""

    def hooked(function: Assertion) -> Hook:
        return Hook(function, name or function.__name__.replace("_", "-"), at_end)

    return hooked if assertion is None else hooked(assertion)


class _Asked(Invariant):
    """Asks one assertion, and tells each time when it stops holding."""

    def __init__(self, hook: Hook, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self.name = hook.name
        self._hook = hook
        self._emulators: Mapping[str, Emulator] = {}
        self._began: Mapping[str, Decimal] = {}
        self._held = True
        self._raised = False

    def attend(self, emulators: Mapping[str, Emulator]) -> None:
        """The brokers are up."""
        self._emulators = emulators
        self._began = {name: worth(emulator) for name, emulator in emulators.items()}

    def entry(self, broker: str, entry: Entry) -> None:
        """Asks after what moves orders or positions."""
        if not self._hook.at_end and entry.kind in TRADING:
            self._ask(Moment(self._emulators, self._began, broker, entry))

    def at_rest(self) -> None:
        """Asks once more, or for the only time."""
        self._ask(Moment(self._emulators, self._began))

    def _ask(self, moment: Moment) -> None:
        if self._raised:
            return
        try:
            sentence = self._hook.assertion(moment)
        except Exception as error:  # noqa: BLE001 - whatever it raises is its author's to see, once
            self._raised = True
            sentence = f"the assertion itself raised {type(error).__name__}: {error}"
        if sentence and self._held:
            self.broken(sentence)
        self._held = not sentence


def load_rules(reference: str, folder: Path | None, cwd: Path) -> tuple[Rule, ...]:
    """The assertions that `module:Name` names, or `module` holds; raises NotRehearsable."""
    form = _REFERENCE.fullmatch(reference)
    if form is None:
        raise _refused(reference, "it has not the form of a reference", "write module:name or module")
    module_name, name = form.groups()
    try:
        module = load_module(reference, module_name, folder, cwd)
    except LoadError as error:
        raise _refused(reference, error.problem, error.advice) from error
    found = {key: value for key, value in vars(module).items() if _is_rule(value, module.__name__)}
    if not name and found:
        return tuple(found.values())
    if name in found:
        return (found[name],)
    there = f"its assertions are {', '.join(found)}" if found else "it has none"
    raise _refused(
        reference,
        f"expected {name or 'assertions'} in {module_name}; {there}",
        "mark a function with @invariant, or derive a class from Invariant",
    )


def _refused(reference: str, problem: str, advice: str) -> NotRehearsable:
    return NotRehearsable(f"--invariant {reference}: {problem}; nothing was rehearsed; {advice}")


def _is_rule(value: Any, module: str) -> bool:
    if isinstance(value, Hook):
        return value.assertion.__module__ == module
    return isinstance(value, type) and issubclass(value, Invariant) and value.__module__ == module
