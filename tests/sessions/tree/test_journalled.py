"""A session over the journal: nothing leaves without its intent on disk, and the journal folds to the same books."""

from pathlib import Path
from typing import Any

import trio

from brokers.account_desk import AccountDesk
from brokers.catalogue import Catalogue
from brokers.guards.ladder import Rung
from brokers.ledger import AccountTerms
from brokers.market import Quote
from brokers.order_log import MemoryLog
from brokers.paper import open_paper
from brokers.reconciliation import Policy
from runtime import Child, DynamicSupervisor, Supervisor, open_runtime
from runtime.simulation import SimulatedWorld, simulate
from sessions.journal import Journal, JournalSettings
from sessions.journal.chain import Chain
from sessions.order_journal import JournalOrderLog
from sessions.risk.gate import RiskGate
from sessions.risk.kill_switch import KillSwitch
from sessions.strategy import Event, View, buy
from sessions.trader.causes import ALERTS
from sessions.trader.log import JournalSessionLog
from tests.sessions.risk.kit import calendars, wide_portfolio
from tests.sessions.trader.kit import CALM_PAPER, ES, OPEN_NS, A, Stage, orders_of, quote

SETTINGS = JournalSettings(Path("/journal"), Path("/elsewhere/head"))


def one_more(event: Event, view: View[Any]) -> Any:
    """Buys one on every quote."""
    return buy(ES, 1, tag=f"t{view.now_ns}") if isinstance(event, Quote) else None


def test_f24_d05_no_order_leaves_while_the_journal_fails_and_its_facts_fold_to_the_books() -> None:
    async def main(world: SimulatedWorld) -> None:
        async with open_runtime(world) as runtime:
            child = Child("journal", lambda: Journal(SETTINGS, Chain(b"k" * 32)), name="journal")
            await runtime.start(Supervisor([child]))
            journal = runtime.name("journal", Journal)
            log = JournalOrderLog(journal, "paper", A, world)
            broker = await open_paper(runtime, CALM_PAPER, recording=[quote()], logs=lambda _: log)
            switch = KillSwitch(world.disk, world.clock, Path("/risk"))
            switch.permit("the test")
            switch.open()
            gate = RiskGate(wide_portfolio(), switch, calendars())
            stage = Stage(runtime, world, broker, gate, switch, await runtime.start(DynamicSupervisor(), "sessions"))
            causes: list[str] = []
            leave = runtime.topics.attach(ALERTS, lambda alert: causes.append(alert.cause))  # type: ignore[attr-defined]  # only alerts go there
            await stage.begin(stage.script(one_more, whole={"log": JournalSessionLog(journal, "s1", world)}))
            await _trade(stage, 2)
            assert len(orders_of(stage.exchange)) == 2

            world.faults.arm("journal.full")
            stage.shows()
            await trio.sleep(10)
            assert "JOURNAL_WRITE_FAILED" in causes
            assert len(orders_of(stage.exchange)) == 2
            assert stage.gate.rung("s1") is Rung.FULL
            await _trade(stage, 1)
            assert stage.held() == stage.desk().quantity(ES, "s1") == 3
            assert not stage.risk().orders.orders

            folded = _desk(world)
            for fact in await log.load():
                folded.apply(fact, 0)
            assert folded.problems == 0
            assert folded.quantity(ES, "s1") == stage.held()
            assert folded.open.keys() == stage.desk().open.keys()
            leave()

    simulate(main, seed=1, epoch_ns=OPEN_NS).unwrap()


async def _trade(stage: Stage, times: int) -> None:
    for _ in range(times):
        stage.shows()
        await trio.sleep(0.5)


def _desk(world: SimulatedWorld) -> AccountDesk:
    terms = AccountTerms("paper", A, "USD")
    instruments = Catalogue.shipped().instrument
    return AccountDesk(terms, instruments, lambda *_: None, MemoryLog(), world.clock, Policy())
