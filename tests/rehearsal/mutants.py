# ruff: noqa: ARG005 - what stands in for a function has its parameters
"""Daemons that are broken on purpose, each in one place: a rehearsal that does not catch one is worth nothing there.

    python -m tests.rehearsal.mutants [NAME ...]

looks for the first seed that catches each, and prints what SEEDS has to say.
"""

import random
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import trio

from brokers import lifecycle, outcome, reconciliation
from brokers.account_books import AccountBooks
from brokers.account_desk import AccountDesk
from brokers.account_manager import AccountManager
from brokers.connection import Connection
from brokers.emulation.log import Entry
from brokers.guards.pauses import Pauses
from brokers.ledger import Ledger
from brokers.order_log import Attempted, Intended
from brokers.reconciliation import absences
from brokers.reconciliation import fills as fills_of_books
from brokers.reconciliation.events import Adopted, InferredFill, NotAccepted, OrderEvent
from brokers.tokens.reader import TokenReader
from brokers.tokens.token_store import TokenStore
from brokers.tradestation import house as tradestation_house
from brokers.tradestation.quota import Tolls
from config.settings import Source
from runtime import MailboxPolicy
from runtime.decisions import Roster
from runtime.wire.redaction import Redactor
from sessions import order_journal
from sessions.control.api.once import Once
from sessions.control.daemon import opening
from sessions.control.daemon.house import SOCKET_FILE
from sessions.control.rehearsal.cast import BROKER_TABLE
from sessions.control.rehearsal.checker import Invariant
from sessions.control.rehearsal.checker.catalogue import RULES
from sessions.control.rehearsal.checker.checker import Rule
from sessions.control.rehearsal.run import Outcome, Plan, rehearse
from sessions.control.rehearsal.storm import KINDS, Schedule, Strike
from sessions.health import Health
from sessions.journal import Chain
from sessions.journal.capture import JournalCapture
from sessions.journal.store import Store
from sessions.journal.writer import Writer
from sessions.order_journal import JournalOrderLog
from sessions.risk import gate
from sessions.risk.gate import RiskGate
from sessions.risk.kill_switch import HALT_FILE
from tests.rehearsal import breakers as make
from tests.rehearsal.breakers import Broken, both, instead, value

MOST_SEEDS: Final = 500
_SESSION: Final = """
[sessions.{broker}]
broker = "{broker}"
account = "main"
symbols = ["ES"]
strategy = "sessions.control.rehearsal.restless:Restless"
params = {{ seed = {seed}, every_seconds = {pace}, heeds_rung = {heeds} }}
"""


@attrs.frozen(kw_only=True)
class Mutant:
    """One broken build.

    trips   the invariants of which at least one must say so; the first is the one it was made for
    faults  the classes of strikes that bring it to light, twelve of them in a minute; none: it shows in calm weather
    """

    name: str
    trips: tuple[str, ...]
    breaks: Broken
    brokers: tuple[str, ...] = ("tradovate",)
    faults: tuple[str, ...] = ()
    seconds: float = 60.0
    pace: int = 6
    heeds: bool = True
    risk: str = ""
    strikes: int = 12
    hands: tuple[Rule, ...] = ()  # what a person does meanwhile

    def plan(self, seed: int) -> Plan:
        """The rehearsal that has to catch it."""
        text = "".join(
            BROKER_TABLE.format(broker=broker)
            + _SESSION.format(broker=broker, seed=seed, pace=self.pace, heeds=str(self.heeds).lower())
            + (f"[sessions.{broker}.risk]\n{self.risk}\n" if self.risk else "")
            for broker in self.brokers
        )
        return Plan(
            seed=seed,
            sources=(Source("mutant", text),),
            seconds=self.seconds,
            schedule=self._schedule(seed),
            rules=(*RULES, *self.hands),
        )

    def _schedule(self, seed: int) -> Schedule:
        chance = random.Random(f"{seed}/{self.name}")
        count = self.strikes if self.faults else 0
        return Schedule(tuple(sorted((self._strike(chance) for _ in range(count)), key=lambda one: one.at_ms)))

    def _strike(self, chance: random.Random) -> Strike:
        kind = KINDS[chance.choice(self.faults)]
        lasts = 0 if kind.lasts is None else int(min(kind.lasts(chance), 30) * 1000)
        at = chance.choice(self.brokers) if kind.place.value == "broker" else ""
        at_ms = int(chance.uniform(0, self.seconds) * 1000)
        return Strike(at_ms, kind.name, kind.row, at, kind.value(chance), lasts)

    def caught(self, seed: int) -> bool:
        """Whether the rehearsal of this seed catches it."""
        with self.breaks():
            found = rehearse(self.plan(seed))
        return any(name in self.trips for name in names(found))


def names(found: Outcome) -> set[str]:
    """The invariants that a rehearsal found broken."""
    return {one.invariant for one in found.violations}


class DropsAHaltFile(Invariant):
    """No rule: a person who drops a halt file into the state folder after a minute."""

    name = "a hand"
    dropped = False

    def entry(self, broker: str, entry: Entry) -> None:
        """Waits for the minute."""
        if self.now > 60 and not self.dropped:
            self.dropped = True
            self.scene.world.disk.write(self.scene.state / HALT_FILE, b"")


class SaysItTwice(Invariant):
    """No rule: a person whose command is sent a second time, under the id of the first."""

    name = "a hand"
    said = False

    def entry(self, broker: str, entry: Entry) -> None:
        """Waits for the minute."""
        if self.now > 60 and not self.said:
            self.said = True
            trio.lowlevel.spawn_system_task(self._say, name="a hand")

    async def _say(self) -> None:
        body = b'{"id": "twice", "session": "tradovate"}'
        head = f"POST /v1/start HTTP/1.0\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        for _ in range(2):
            stream = await self.scene.world.network.connect_unix(self.scene.state / SOCKET_FILE)
            await stream.send_all(head.encode() + body)
            while await stream.receive_some():
                pass


_LOST: Final = ("error-after", "hang", "reset")
_STREAMS: Final = ("break-all", "partition", "stream-drop")
_TS: Final = ("tradestation",)

MUTANTS: Final = (
    # Orders: none twice, none lost.
    Mutant(name="an answer that is in doubt is asked for again", trips=("I01", "I02"),
           breaks=instead(Connection, "place", make.retried), faults=("error-after",)),
    Mutant(name="every order is sent twice", trips=("I01", "I02"), breaks=instead(Connection, "place", make.sent_twice)),
    Mutant(name="what is in doubt is sent again when a stream is back", trips=("I01", "I02"), brokers=_TS,
           breaks=instead(AccountBooks, "hear", make.blind_resend), faults=("hang", "break-all"), strikes=20),
    Mutant(name="an order is sent before the journal has it", trips=("I02",),
           breaks=instead(JournalOrderLog, "when_durable", make.unsynced)),
    Mutant(name="intents are not written", trips=("I02",),
           breaks=instead(JournalOrderLog, "note", make.not_noted(Intended))),
    Mutant(name="attempts are not written", trips=("I02",),
           breaks=instead(JournalOrderLog, "note", make.not_noted(Attempted))),
    Mutant(name="a stranger's order is not adopted", trips=("I03", "I06"),
           breaks=both(instead(reconciliation, "reconcile", make.without(Adopted)),
                       instead(reconciliation, "heard", make.without(Adopted))), faults=("external-order",)),
    Mutant(name="the journal is not read at the start", trips=("I03", "I07", "I04"),
           breaks=instead(JournalOrderLog, "load", make.nothing_kept), faults=("kill",), strikes=3),
    Mutant(name="a 5xx is taken for a no", trips=("I03",),
           breaks=instead(outcome, "_unclear", make.doubt_is_refusal), faults=("error-after",)),
    Mutant(name="silence is taken for not sent", trips=("I03", "I07"),
           breaks=instead(outcome, "_unanswered", make.silence_is_not_sent), faults=("hang", "reset")),
    Mutant(name="an order that is not listed at once is proved absent", trips=("I03",), brokers=_TS,
           breaks=instead(absences, "_unconfirmed", make.absent_at_once), faults=_LOST),
    # Fills and positions.
    Mutant(name="one in three executions is dropped", trips=("I04", "I05", "I06"),
           breaks=both(instead(AccountDesk, "happen", make.some_fills_lost),
                       instead(reconciliation, "reconcile", make.without(InferredFill)))),
    Mutant(name="each execution is booked again", trips=("I05", "I04"),
           breaks=instead(AccountBooks, "hear", make.booked_again)),
    Mutant(name="the books are deaf", trips=("I06", "I03", "I04", "I05"),
           breaks=both(instead(AccountBooks, "hear", make.books_deaf), instead(AccountBooks, "look", make.looks_no_more))),
    Mutant(name="nobody looks after a lost update", trips=("I06", "I05", "I04", "I03"),
           breaks=instead(AccountBooks, "look", make.looks_no_more), faults=("lose-fill", "lose-update")),
    Mutant(name="a cancel that is to be sent is held for done", trips=("I03", "I06"), pace=3,
           breaks=instead(AccountManager, "continue_cancel", make.cancelled_when_asked)),
    Mutant(name="a bust is forgotten by the ledger", trips=("I24", "I04", "I05"),
           breaks=instead(AccountDesk, "_correct", make.corrections_ignored), faults=("bust", "correction")),
    Mutant(name="reconciliation never says what it found", trips=("R24", "I06"),
           breaks=instead(reconciliation, "reconcile", make.without(OrderEvent, NotAccepted)), faults=_LOST),
    # The life of an order.
    Mutant(name="an attempt is written twice", trips=("I07",),
           breaks=instead(JournalOrderLog, "note", make.noted_twice(Attempted))),
    Mutant(name="some notes never reach the disk", trips=("I07", "I05", "I04", "I06", "I21"),
           breaks=instead(Writer, "note", make.some_notes_lost)),
    Mutant(name="any step is legal", trips=("I07",), pace=2, seconds=120.0,
           breaks=instead(lifecycle, "_need_move", make.any_step), faults=("late-fill", "error-after", "hang")),
    # The journal.
    Mutant(name="every row has the same hash", trips=("I08",), breaks=instead(Chain, "hash", make.constant_hash)),
    Mutant(name="a start throws the last rows away", trips=("I08",),
           breaks=instead(Store, "_connect", make.tail_cut), faults=("kill",), strikes=2),
    # Actors.
    Mutant(name="a task is left behind", trips=("I09",), breaks=instead(AccountBooks, "on_start", make.leaking)),
    Mutant(name="a message waits inside for minutes", trips=("I10",), seconds=10.0, pace=20,
           breaks=instead(AccountBooks, "positions", make.slow_answer)),
    Mutant(name="a mailbox holds one message", trips=("I11",), pace=1, seconds=90.0, faults=("burst",),
           breaks=both(value(AccountBooks, "mailbox", MailboxPolicy(capacity=1)),
                       value(AccountManager, "mailbox", MailboxPolicy(capacity=1)))),
    Mutant(name="a supervisor never gives up", trips=("I18",), pace=20,
           breaks=both(instead(Health, "look", make.crashing), instead(Health, "on_start", make.unstartable), instead(Roster, "restart", make.endless),
                       instead(Roster, "delay", lambda _: lambda self, child_id, chance: 0.0))),
    # Logins, secrets, hosts, limits.
    Mutant(name="the first token is used for ever", trips=("I12",), seconds=90.0,
           breaks=instead(TokenReader, "token", make.first_token_for_ever), faults=("unauthorized",)),
    Mutant(name="a token is asked for twice at once", trips=("I12",),
           breaks=instead(TokenStore, "_exchange", make.exchanged_twice)),
    Mutant(name="headers are kept as they are", trips=("I13",),
           breaks=instead(Redactor, "headers", make.headers_as_they_are)),
    Mutant(name="bodies are kept as they are", trips=("I13",), breaks=instead(Redactor, "body", make.as_it_is)),
    Mutant(name="a broker's own hosts are used", trips=("I14",), breaks=instead(opening, "settings_of", make.own_hosts)),
    Mutant(name="nobody counts requests", trips=("I15",), brokers=_TS,
           breaks=both(instead(tradestation_house, "Host", make.boundless),
                       instead(Tolls, "heed", lambda _: lambda self, resource, answer, sent_ns: None),
                       instead(AccountBooks, "__init__", make.hurried))),
    Mutant(name="a broker that says when is not heeded", trips=("R22",), pace=2,
           breaks=instead(Pauses, "hold", lambda _: lambda self, held: False), faults=("quota",), strikes=20),
    # Risk.
    Mutant(name="every rung permits everything", trips=("I16",), heeds=False, pace=2, faults=_STREAMS,
           breaks=instead(gate, "_permitted", lambda _: lambda rung, action, origin: True)),
    Mutant(name="the gate does not ask the switch", trips=("I17",), heeds=False, pace=2, hands=(DropsAHaltFile,),
           breaks=instead(RiskGate, "_rung_of", make.deaf_to_the_switch)),
    Mutant(name="a check that breaks lets pass", trips=("I19",), risk='max_order_quantity = "1"',
           breaks=instead(RiskGate, "_limited", make.lets_all_pass)),
    # Times, records, ids, money, rooms.
    Mutant(name="stamps run backwards", trips=("I20",), breaks=instead(order_journal, "to_entries", make.backwards)),
    Mutant(name="orders leave no record", trips=("I21",),
           breaks=instead(JournalCapture, "__call__", make.commands_unrecorded)),
    Mutant(name="made-up fills have made-up ids", trips=("I22",), brokers=_TS, faults=("kill",), pace=2,
           breaks=instead(fills_of_books, "made_up_id", make.any_id)),
    Mutant(name="a command that comes again is done again", trips=("I23",), hands=(SaysItTwice,),
           breaks=instead(Once, "perform", make.forgetful_of_commands)),
    Mutant(name="fees are forgotten", trips=("I24",), breaks=instead(Ledger, "apply", make.free_of_fees)),
    Mutant(name="fills are booked a point off", trips=("I24",), breaks=instead(Ledger, "apply", make.a_tick_off)),
    Mutant(name="all accounts share one stream", trips=("I25", "I03"), brokers=("tradovate", "tradestation"),
           breaks=instead(order_journal, "order_stream", lambda _: lambda broker, account: "order/all/accounts")),
)  # fmt: skip


SEEDS: Final[Mapping[str, int]] = {
    "an answer that is in doubt is asked for again": 1,
    "every order is sent twice": 1,
    "what is in doubt is sent again when a stream is back": 2,
    "an order is sent before the journal has it": 1,
    "intents are not written": 1,
    "attempts are not written": 1,
    "a stranger's order is not adopted": 1,
    "the journal is not read at the start": 1,
    "a 5xx is taken for a no": 1,
    "silence is taken for not sent": 2,
    "an order that is not listed at once is proved absent": 1,
    "one in three executions is dropped": 1,
    "each execution is booked again": 2,
    "the books are deaf": 1,
    "nobody looks after a lost update": 1,
    "a cancel that is to be sent is held for done": 1,
    "a bust is forgotten by the ledger": 1,
    "reconciliation never says what it found": 1,
    "an attempt is written twice": 1,
    "some notes never reach the disk": 1,
    "any step is legal": 1,
    "every row has the same hash": 1,
    "a start throws the last rows away": 1,
    "a task is left behind": 1,
    "a message waits inside for minutes": 1,
    "a mailbox holds one message": 1,
    "a supervisor never gives up": 1,
    "the first token is used for ever": 1,
    "a token is asked for twice at once": 1,
    "headers are kept as they are": 1,
    "bodies are kept as they are": 1,
    "a broker's own hosts are used": 1,
    "nobody counts requests": 1,
    "a broker that says when is not heeded": 1,
    "every rung permits everything": 1,
    "the gate does not ask the switch": 1,
    "a check that breaks lets pass": 1,
    "stamps run backwards": 1,
    "orders leave no record": 1,
    "made-up fills have made-up ids": 11,
    "a command that comes again is done again": 1,
    "fees are forgotten": 1,
    "fills are booked a point off": 1,
    "all accounts share one stream": 1,
}
"""The first seed that catches each, as `python -m tests.rehearsal.mutants` finds it."""


def main(words: Sequence[str]) -> None:
    """Looks for the first seed of each; a number among the words is how many seeds to try."""
    most = next((int(word) for word in words if word.isdigit()), MOST_SEEDS)
    wanted = [word for word in words if not word.isdigit()]
    for mutant in MUTANTS:
        if not wanted or any(word in mutant.name for word in wanted):
            sys.stdout.write(f"    {_first(mutant, most)}\n")
            sys.stdout.flush()


def _first(mutant: Mutant, most: int) -> str:
    """The first seed that catches it, and what else it found; or what the last one found."""
    said = ""
    for seed in range(1, most + 1):
        with mutant.breaks():
            found = rehearse(mutant.plan(seed))
        said = ", ".join(sorted(names(found))) or found.error or "nothing"
        if names(found) & set(mutant.trips):
            return f'"{mutant.name}": {seed},  # {said}'
    return f'"{mutant.name}": not within {most},  # {said}'


if __name__ == "__main__":
    main(sys.argv[1:])
