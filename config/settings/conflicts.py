"""What no key can tell alone: a session's broker and account exist, and nothing leads to real money by accident."""

from collections.abc import Iterator, Mapping
from itertools import combinations

import attrs

from config.lines import Path
from config.reading import Remark, show
from config.settings.brokers import PAPER, BrokerSettings
from config.settings.keys import did_you_mean
from config.settings.layers import Layer
from config.settings.risk import PortfolioRisk, SessionRisk
from config.settings.sections import VaultSettings
from config.settings.sessions import NONE, SAME, SessionSettings


@attrs.frozen
class Readable:
    """The parts of the settings that could be read; None stands for one that was refused."""

    brokers: Mapping[str, BrokerSettings | None]
    sessions: Mapping[str, SessionSettings]
    vault: VaultSettings | None
    risk: PortfolioRisk | None


@attrs.frozen
class Conflict:
    """A key that does not fit another one."""

    path: Path
    expected: str
    got: object

    @property
    def words(self) -> str:
        """What came, as it stands in a report."""
        return show(self.got)


def conflicts(parts: Readable, stated: Layer) -> Iterator[Conflict]:
    """Every conflict between the parts; `stated` tells where each key comes from."""
    brokers = {name: broker for name, broker in parts.brokers.items() if broker is not None}
    for name, broker in brokers.items():
        path = ("brokers", name)
        yield from _of_paper(path, broker) if broker.kind == PAPER else _of_remote(path, broker)
        yield from _of_live(path, broker, stated)
        yield from _of_emulated(path, broker)
    yield from _shared_logins(brokers)
    for name, session in parts.sessions.items():
        yield from _of_session(("sessions", name), session, parts.brokers)
        yield from _of_rates(("sessions", name, "risk"), session.risk)
    if parts.risk is not None:
        yield from _of_rates(("risk",), parts.risk)
    if parts.vault is not None and parts.vault.unlock == "key_file" and parts.vault.key_file is None:
        yield Conflict(("vault", "key_file"), "a path, because vault.unlock is key_file", Remark("none"))


def _of_paper(path: Path, broker: BrokerSettings) -> Iterator[Conflict]:
    if broker.environment != "paper":
        yield Conflict((*path, "environment"), "paper, because a paper broker has no other", broker.environment)
    if broker.hosts:
        yield Conflict((*path, "hosts"), "none, because a paper broker has no host", Remark("hosts"))
    if not broker.accounts:
        yield Conflict((*path, "accounts"), "at least one account, because a paper broker keeps them", Remark("none"))


def _of_emulated(path: Path, broker: BrokerSettings) -> Iterator[Conflict]:
    if broker.acts_within_ms is not None and not broker.hosts:
        expected = "none, because without hosts this is no emulator, and nobody knows that of a broker"
        yield Conflict((*path, "acts_within_ms"), expected, broker.acts_within_ms)


def _of_remote(path: Path, broker: BrokerSettings) -> Iterator[Conflict]:
    if broker.market is not None:
        yield Conflict((*path, "market"), f"none, because {broker.kind} has a market of its own", Remark("a table"))


def _of_live(path: Path, broker: BrokerSettings, stated: Layer) -> Iterator[Conflict]:
    if broker.environment != "live":
        return
    if broker.hosts:
        yield Conflict((*path, "hosts"), "none, because a live login goes to its broker alone", Remark("hosts"))
    for key in ("environment", "accounts"):
        origin = stated.origins.get((*path, key))
        if origin is not None and origin.variable:
            yield Conflict((*path, key), "a live account to be stated in a file", Remark("an environment variable"))


def _shared_logins(brokers: Mapping[str, BrokerSettings]) -> Iterator[Conflict]:
    """Two brokers on one login would close each other's connections."""
    remote = [(name, broker) for name, broker in brokers.items() if broker.kind != PAPER]
    for (first, one), (second, other) in combinations(remote, 2):
        if (one.kind, one.login, one.environment) == (other.kind, other.login, other.environment):
            expected = f"another login or environment than brokers.{first}, or its accounts listed there"
            yield Conflict(("brokers", second, "login"), expected, other.login)


def _of_session(
    path: Path, session: SessionSettings, brokers: Mapping[str, BrokerSettings | None]
) -> Iterator[Conflict]:
    sources = (SAME, NONE, *brokers)
    broker = brokers.get(session.broker)
    if session.broker not in brokers:
        expected = f"a configured broker, {_one_of(tuple(brokers), session.broker)}"
        yield Conflict((*path, "broker"), expected, session.broker)
    if broker is not None and session.account not in broker.accounts:
        known = _one_of(broker.accounts, session.account) if broker.accounts else "whose accounts name none"
        expected = f"an account of brokers.{session.broker}, {known}"
        yield Conflict((*path, "account"), expected, session.account)
    if session.data not in sources:
        yield Conflict((*path, "data"), f"a source of prices, {_one_of(sources, session.data)}", session.data)


def _one_of(known: tuple[str, ...], word: str) -> str:
    return f"one of {', '.join(known)}{did_you_mean(word, known)}"


def _of_rates(path: Path, risk: SessionRisk | PortfolioRisk) -> Iterator[Conflict]:
    if risk.order_burst > risk.orders_per_minute:
        expected = f"at most orders_per_minute, which is {risk.orders_per_minute}"
        yield Conflict((*path, "order_burst"), expected, risk.order_burst)
