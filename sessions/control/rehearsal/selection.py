"""Which of the configured sessions are rehearsed and where they trade, as the text of one configuration file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from brokers.listing import broker_names, broker_plan
from brokers.market import Quote
from config.settings import BrokerSettings, Loaded, SessionSettings, Settings, show
from config.settings.brokers import PAPER
from config.settings.sessions import NONE, SAME
from sessions.control.rehearsal.cast import HOSTS
from sessions.control.rehearsal.programme import ALL, EVERY_BROKER, Programme
from sessions.control.rehearsal.recorded import lasts
from sessions.control.rehearsal.refusal import NotRehearsable
from sessions.control.rehearsal.run import HOUR, SETTLE

NO_FAULTS: Final = "none"
_ACCOUNT: Final = "main"


@attrs.frozen(kw_only=True)
class Wish:
    """The words of a person."""

    sessions: tuple[str, ...] = ()
    broker: str | None = None
    seconds: float = HOUR
    faults: str = ALL
    data: Path | None = None
    invariants: tuple[str, ...] = ()


def programme(wish: Wish, loaded: Loaded, folder: Path) -> Programme:
    """What the words mean under these settings; raises NotRehearsable, UnknownFault, or what reading a file does."""
    if wish.sessions or loaded.settings.sessions:
        text, brokers = selected(loaded, wish.sessions, wish.broker), EVERY_BROKER
    else:
        text, brokers = "", _usual(wish.broker)
    found = Programme(
        settings=text,
        brokers=brokers,
        folder=str(folder),
        seconds=wish.seconds,
        faults=fault_names(wish.faults),
        invariants=wish.invariants,
    )
    found = found if wish.data is None else _on(found, wish.data)
    found.check()
    return found


def _on(programme: Programme, data: Path) -> Programme:
    """The same on a recorded market, for no longer than it lasts; who has named no symbols trades what is in it."""
    programme = attrs.evolve(programme, data=str(data.resolve()))
    events = programme.recording()
    quoted = next((event.symbol for event in events if isinstance(event, Quote)), programme.symbol)
    seconds = min(programme.seconds, max(lasts(events) - SETTLE, 1.0))
    return attrs.evolve(programme, seconds=seconds, symbol=quoted)


def fault_names(words: str) -> tuple[str, ...]:
    """The names that stand between commas; none for the word none."""
    names = tuple(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))
    return () if names == (NO_FAULTS,) else names or (ALL,)


def selected(loaded: Loaded, names: Sequence[str], broker: str | None) -> str:
    """The settings of the named sessions, or of all; raises NotRehearsable.

    What is left out is what a rehearsal has of its own: folders, the journal's place, the vault. Nothing in the text is
    live, and each broker has a login to itself, so that two logins of one broker can both be rehearsed. With `broker`
    every session trades there: at the configured one of that name, or at a new one of that kind.
    """
    settings = loaded.settings
    sessions = _sessions(settings, names)
    brokers = dict(settings.brokers)
    if broker is not None:
        if broker not in brokers:
            brokers[broker] = _new(broker)
        sessions = {name: _moved(one, broker, brokers) for name, one in sessions.items()}
    used = dict.fromkeys(at for one in sessions.values() for at in (one.broker, one.data) if at not in {SAME, NONE})
    default = Settings()
    chosen = attrs.evolve(
        settings,
        daemon=attrs.evolve(settings.daemon, state_folder=None, runtime_folder=None),
        journal=attrs.evolve(settings.journal, folder=None),
        vault=default.vault,
        brokers={name: _emulated(name, brokers[name]) for name in used},
        sessions=sessions,
    )
    return show(attrs.evolve(loaded, settings=chosen))


def _sessions(settings: Settings, names: Sequence[str]) -> Mapping[str, SessionSettings]:
    known = settings.sessions
    unknown = [name for name in names if name not in known]
    if unknown:
        there = f"there are {', '.join(known)}" if known else "none is configured"
        raise NotRehearsable(f"expected configured sessions, got {', '.join(unknown)}; {there}; nothing was rehearsed")
    return {name: attrs.evolve(known[name], autostart=True) for name in names or known}


def _emulated(name: str, broker: BrokerSettings) -> BrokerSettings:
    if broker.kind == PAPER:
        return broker
    if broker.kind not in HOSTS:
        raise NotRehearsable(
            f"brokers.{name}: expected a broker with an emulator, one of {', '.join(HOSTS)}, got {broker.kind}; "
            "nothing was rehearsed; take its sessions elsewhere for this rehearsal with --broker"
        )
    return attrs.evolve(broker, login=name, environment="paper", hosts={})


def _new(broker: str) -> BrokerSettings:
    if broker not in broker_names():
        raise NotRehearsable(
            f"--broker: expected a configured broker or one of {', '.join(broker_names())}, got {broker}; "
            "nothing was rehearsed"
        )
    return BrokerSettings(kind=broker, accounts=(_ACCOUNT,))


def _moved(session: SessionSettings, broker: str, brokers: dict[str, BrokerSettings]) -> SessionSettings:
    """The session at another broker; one that takes no orders gives the prices for trading on paper."""
    settings = brokers[broker]
    if broker_plan(settings.kind).capability.orders is not None:
        return attrs.evolve(session, broker=broker, account=settings.accounts[0], data=SAME)
    paper = next((name for name, one in brokers.items() if one.kind == PAPER), PAPER)
    brokers.setdefault(paper, BrokerSettings(kind=PAPER, accounts=(_ACCOUNT,)))
    return attrs.evolve(session, broker=paper, account=brokers[paper].accounts[0], data=broker)


def _usual(broker: str | None) -> tuple[str, ...]:
    """Where sessions are played when none is configured."""
    if broker is None:
        return EVERY_BROKER
    if broker not in HOSTS:
        raise NotRehearsable(
            f"--broker: expected one with an emulator, {', '.join(HOSTS)}, got {broker}; nothing was rehearsed"
        )
    return (broker,)
