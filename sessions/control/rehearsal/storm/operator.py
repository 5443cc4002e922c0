"""The person at a rehearsed daemon: gives its commands, and now and then puts right what only a person can."""

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from brokers.account_books import AccountBooks, books_name
from brokers.emulation.emulator import Emulator
from brokers.errors import BrokerError, Code, CredentialError
from brokers.reconciliation.resolve import CannotResolve
from brokers.tokens.credentials import LoginId
from brokers.tokens.token_store import TokenStore
from config.reading import ConfigError
from runtime.errors import ActorError, NoSuchActor
from runtime.simulation import PowerCut
from sessions.control.api.errors import Refused
from sessions.control.daemon.house import House
from sessions.control.rehearsal.cast import Cast
from sessions.control.rehearsal.lives import Lives
from sessions.control.rehearsal.storm.screen import on_screen
from sessions.journal import JournalError
from sessions.risk.desk import RiskDesk
from sessions.risk.kill_switch import ResumeRefused
from sessions.sessions import Condition, SessionError, Sessions
from sessions.strategy import StrategyError

PERSONAL: Final = ("refresh-revoked", "captcha")  # faults of the wire that only a person gets the daemon out of
NAME: Final = "rehearsal"  # in whose name commands are given
LOOKS: Final = 20.0  # seconds between two looks while things go wrong
REFUSALS: Final = (
    CannotResolve,
    SessionError,
    StrategyError,
    ConfigError,
    BrokerError,
    JournalError,
    ActorError,
    ResumeRefused,
    Refused,
    OSError,
    trio.TooSlowError,
)

Work = Callable[[House], Awaitable[object]]


@attrs.define(eq=False)
class Operator:
    """What the person wants at the moment, and does about it.

    pulled   how many commands that pulled the kill switch still stand
    stopped  the sessions that are to stay down, each as often as a command says so
    """

    lives: Lives
    cast: Cast
    looks: float = LOOKS
    pulled: int = 0
    stopped: dict[str, int] = attrs.field(factory=dict)
    refused: list[str] = attrs.field(factory=list)  # answers that said no, for whoever wonders

    async def run(self) -> None:
        """Looks after the daemon until cancelled."""
        while True:
            await trio.sleep(self.looks)
            await self.do(self._tend)

    async def do(self, work: Work) -> None:
        """Does something with the daemon that is up; a daemon that is down, or says no, is left alone."""
        house = self.lives.house
        if house is None:
            return
        try:
            with trio.move_on_after(self.looks * 3):
                await work(house)
        except REFUSALS as error:
            self.refused.append(f"{type(error).__name__}: {error}")
        except PowerCut as error:
            self.refused.append(f"cut off under the command: {error}")

    async def _tend(self, house: House) -> None:
        if house.switch.mark is not None and not self.pulled:
            await house.risk.call(RiskDesk.resume, NAME)
        for status in await house.sessions.call(Sessions.statuses):
            runs = status.condition in (Condition.RUNNING, Condition.STARTING)
            if not runs and not self.stopped.get(status.session):
                await house.sessions.call(Sessions.start, status.session)
        for broker, emulator in self.cast.emulators.items():
            if all(emulator.faults.state(name) is None for name in PERSONAL):
                await self._log_in(house, broker, emulator)
            await self._answer_for(house, broker, emulator)

    async def _answer_for(self, house: House, broker: str, emulator: Emulator) -> None:
        """Looks at the broker's own screen for the orders of which the daemon could prove nothing."""
        settings = house.settings.brokers[broker]
        for account in settings.accounts:
            books = house.runtime.name(books_name(settings.kind, account), AccountBooks)
            if books.resolve() is not None:
                for key in (await books.call(AccountBooks.agreed)).escalated:
                    await books.call(AccountBooks.resolve, key, on_screen(emulator, key), NAME)

    async def _log_in(self, house: House, broker: str, emulator: Emulator) -> None:
        """Does what a login waits for that only a person can make right."""
        settings = house.settings.brokers[broker]
        for environment in ("paper", "live"):
            login = LoginId(settings.kind, settings.login, environment)
            store = house.runtime.name(login.store_key, TokenStore)
            try:
                await store.call(TokenStore.token)
            except NoSuchActor:
                continue  # it has one environment alone
            except CredentialError as error:
                if error.code is Code.HUMAN_NEEDED:
                    emulator.pardon()
                    store.cast(TokenStore.put_right)
