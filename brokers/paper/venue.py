"""The actor that drives the paper exchange: it lets the market happen, answers requests, and injects faults.

The exchange, the source and the hub are the "broker" and outlive this actor: when it crashes, its next instance goes on
where it stopped, as a broker does when only our line to it broke.
"""

import enum
import random
from collections import deque
from collections.abc import Iterator, Mapping

import trio

from brokers.errors import BrokerError, Code, DuplicateKey, broker_error
from brokers.gateway import AccountNews, CashNews, LinkNews
from brokers.guards.timeline import Timeline
from brokers.market import MarketEvent, MarketStatus, Quote
from brokers.matching import Event
from brokers.matching.events import (
    Accepted,
    AlreadyKnown,
    Canceled,
    CancelRefused,
    Rejected,
    Replaced,
    ReplaceRefused,
)
from brokers.model import Change, Order, OrderGroup
from brokers.outcome import Accepted as AcceptedOutcome
from brokers.outcome import Exists, NotSent, Outcome
from brokers.outcome import Rejected as RejectedOutcome
from brokers.paper.exchange import BROKER, Cascade, PaperExchange
from brokers.paper.hub import Hub
from brokers.paper.keeper import Keeper
from brokers.paper.settings import SECOND_NS, Dividend, Funding, PaperSettings
from brokers.paper.source import MarketSource
from brokers.paper.translate import neutral_code
from runtime import Actor, MailboxPolicy, Name, Reason
from runtime.calls import Reply
from runtime.errors import CallError

BATCH = 256  # market events between two checkpoints when many are due at once


class _Request(enum.Enum):
    """What can be asked of an order."""

    __hash__ = object.__hash__  # members are singletons; the standard hash is a call into Python

    PLACE = "place"
    CHANGE = "change"
    CANCEL = "cancel"


_ANSWERS: Mapping[type[Event], _Request] = {
    Accepted: _Request.PLACE,
    Rejected: _Request.PLACE,
    AlreadyKnown: _Request.PLACE,
    Replaced: _Request.CHANGE,
    ReplaceRefused: _Request.CHANGE,
    Canceled: _Request.CANCEL,
    CancelRefused: _Request.CANCEL,
}
Pending = tuple[str, str, _Request]


class PaperVenue(Actor):
    """Lets time pass at the paper exchange and carries requests to it."""

    expects = (BrokerError,)
    mailbox = MailboxPolicy(capacity=100_000)

    def __init__(
        self,
        exchange: PaperExchange,
        source: MarketSource,
        events: Iterator[MarketEvent],
        hub: Hub,
        chance: random.Random,
        timeline: Timeline,
        keeper: Keeper | None = None,
    ) -> None:
        self.timeline = timeline
        self.exchange = exchange
        self.source = source
        self.events = events
        self.hub = hub
        self.chance = chance
        self.keeper = keeper  # None: nothing outlives the process
        self.settings: PaperSettings = exchange.settings
        self.pending: dict[Pending, deque[Reply]] = {}
        self.untold: dict[str, deque[Cascade]] = {}
        self.armed_ns: int | None = None

    async def on_start(self) -> None:
        """Opens the markets that are open now and lets the rest happen in helper tasks.

        Whoever listens already has outlived an instance, with whose end news may have been lost.
        """
        now = self.now()
        self.hub.set_line(LinkNews(True, "the venue is up", now))
        if self.keeper is not None:
            self.spawn(self.keeper.run, self._plan_to_tell, self._tell_of_disk)
        for instrument in self.source.instruments:
            self._status(instrument.symbol, self.source.status(instrument.symbol, now))
            self.spawn(self._keep_hours, instrument.symbol)
            funding = self.settings.funding_of(instrument)
            if funding is not None:
                self.spawn(self._keep_funding, instrument.symbol, funding)
        self.spawn(self._let_market_happen)
        for dividend in self.settings.dividends:
            if dividend.time_ns > now:
                self.spawn(self._await_dividend, dividend)
        if self.settings.faults.disconnects_per_hour:
            self.spawn(self._break_line)

    async def on_stop(self, reason: Reason) -> None:
        """The line goes down with the venue."""
        self.hub.set_line(LinkNews(False, f"the venue is down: {reason}", self.now()))

    def now(self) -> int:
        """The time at the venue, which never steps."""
        return self.timeline.now_ns()

    # Requests.

    def place(self, account: str, order: Order | OrderGroup) -> Outcome:
        """An order or a group is sent; the answer comes when the venue's answer is known here."""
        refused = self._refused(account)
        if refused is not None:
            return refused
        if self.chance.random() < self.settings.faults.reject:
            text = "refused on purpose, as brokers do now and then; settings.faults.reject says how often"
            return RejectedOutcome(broker_error(BROKER, Code.ORDER_REJECTED, text))
        key = order.key if isinstance(order, Order) else order.orders[0].key
        return self._answer(account, key, _Request.PLACE, self.exchange.submit(account, order, self.timeline.now_ns()))

    def change(self, account: str, change: Change) -> Outcome:
        """A change is sent."""
        refused = self._refused(account)
        if refused is not None:
            return refused
        cascades = self.exchange.change(account, change, self.now())
        return self._answer(account, change.key, _Request.CHANGE, cascades)

    def cancel(self, account: str, key: str) -> Outcome:
        """A cancel is sent."""
        refused = self._refused(account)
        if refused is not None:
            return refused
        return self._answer(account, key, _Request.CANCEL, self.exchange.cancel(account, key, self.now()))

    def need_line(self, account: str | None = None) -> None:
        """Passes a question that can be asked; raises BrokerError while the line is down or for a strange account."""
        if not self.hub.up:
            raise broker_error(BROKER, Code.CONNECTION_FAILED, "the line is down")
        if account is not None and not self.exchange.has(account):
            raise broker_error(BROKER, Code.FORBIDDEN, f"there is no account {account!r} here")

    def _refused(self, account: str) -> Outcome | None:
        try:
            self.need_line(account)
        except BrokerError as error:
            return NotSent(error)
        return None

    def _answer(self, account: str, key: str, request: _Request, cascades: tuple[Cascade, ...]) -> Outcome:
        """Tells what a request did; its answer is the event that answers it, now or when that is known here."""
        reply = self.defer()
        self.pending.setdefault((account, key, request), deque()).append(reply)
        self._tell(cascades)
        later: Outcome = reply.later
        return later

    # What happens is told when its owner learns of it.

    def _tell(self, cascades: tuple[Cascade, ...]) -> None:
        if self.keeper is None:
            self._plan_to_tell(cascades)
        elif cascades:
            self.keeper.note(cascades)
        due = self.exchange.engine.next_due
        if due is not None and (self.armed_ns is None or due < self.armed_ns):
            self.armed_ns = due
            self.send_after(max(due - self.now(), 0) / SECOND_NS, PaperVenue.advance)

    def _plan_to_tell(self, cascades: tuple[Cascade, ...]) -> None:
        for cascade in cascades:
            untold = self.untold.get(cascade.account)
            if untold:
                untold.append(cascade)
            elif cascade.known_ns <= self.timeline.now_ns():
                self._tell_one(cascade)
            else:
                self.untold[cascade.account] = deque((cascade,))
                self.tell_due(cascade.account)

    def _tell_of_disk(self, error: OSError | None) -> None:
        """A venue that cannot keep what happens answers nobody until it can."""
        text = "what happens can be kept again" if error is None else f"what happens cannot be kept: {error}"
        self.hub.set_line(LinkNews(error is None, text, self.now()))

    def tell_due(self, account: str) -> None:
        """Tells an account in order what it may know by now; the first that it may not holds up the rest."""
        now, untold = self.now(), self.untold[account]
        while untold and untold[0].known_ns <= now:
            self._tell_one(untold.popleft())
        if untold:
            self.send_after((untold[0].known_ns - now) / SECOND_NS, PaperVenue.tell_due, account)

    def _tell_one(self, cascade: Cascade) -> None:
        account, equity, tell = cascade.account, cascade.equity, self.hub.tell
        for news in cascade.news:
            tell(account, news)
        for flow in cascade.flows:
            tell(account, CashNews(account, flow))
        if cascade.positions or cascade.executions or not cascade.events:
            tell(account, AccountNews(account, equity, cascade.positions, equity.time_ns))
        for event in cascade.events:
            self._resolve(event, cascade)

    def _resolve(self, event: Event, cascade: Cascade) -> None:
        request = _ANSWERS.get(type(event))
        if request is None:
            return
        asked = (event.account, event.key, request)
        waiting = self.pending.get(asked)
        if waiting:
            waiting.popleft().send(_outcome(event, cascade))
            if not waiting:
                del self.pending[asked]

    def advance(self) -> None:
        """Lets happen what is due at the exchange."""
        self.armed_ns = None
        self._tell(self.exchange.advance(self.now()))

    # The market.

    async def _let_market_happen(self) -> None:
        handled = 0
        for event in self.events:
            wait_ns = event.time_ns - self.now()
            if wait_ns > 0:
                await trio.sleep(wait_ns / SECOND_NS)
            else:
                handled += 1
                if handled % BATCH == 0:
                    await trio.lowlevel.checkpoint()
            self.market(event)

    def market(self, event: MarketEvent) -> None:
        """The market moves; the exchange comes first, then those who watch."""
        if self.settings.faults.thin and isinstance(event, Quote) and self.chance.random() < self.settings.faults.thin:
            event = self._thinned(event)
        cascades = self.exchange.market(event, max(event.time_ns, 0))
        self.hub.show(event)
        if cascades:
            self._tell(cascades)

    def _thinned(self, quote: Quote) -> MarketEvent:
        """The quote with a tenth of its size, at least a lot, so that orders fill in parts."""
        lot = self.exchange.instruments[quote.symbol].lot
        sizes = [max(size / 10 // lot * lot, lot) if size else size for size in (quote.bid_size, quote.ask_size)]
        return Quote(quote.symbol, quote.bid, quote.ask, sizes[0], sizes[1], quote.time_ns)

    async def _keep_hours(self, symbol: str) -> None:
        while (change := self.source.next_status(symbol, self.now())) is not None:
            time_ns, status = change
            await trio.sleep(max(time_ns - self.now(), 0) / SECOND_NS)
            self._status(symbol, status)
            if status is MarketStatus.CLOSED and self.source.is_over(symbol, self.now()):
                self._settle(symbol)
                return

    async def _keep_funding(self, symbol: str, funding: Funding) -> None:
        while True:
            now = self.now()
            await trio.sleep((funding.next_ns(now) - now) / SECOND_NS)
            self._tell(self.exchange.fund(symbol, funding.share, self.now()))

    async def _await_dividend(self, dividend: Dividend) -> None:
        await trio.sleep((dividend.time_ns - self.now()) / SECOND_NS)
        self._tell(self.exchange.pay_dividend(dividend.symbol, dividend.amount, self.now()))

    def _status(self, symbol: str, status: MarketStatus) -> None:
        self._tell(self.exchange.set_status(symbol, status, self.now()))
        if self.keeper is not None:
            self.keeper.note_market(symbol)

    def _settle(self, symbol: str) -> None:
        """Closes what is held of a contract whose last session is over, at its last price."""
        price = self.exchange.last_price(symbol)
        if price is not None:
            self._tell(self.exchange.settle(symbol, price, self.now()))
            if self.keeper is not None:
                self.keeper.note_market(symbol)

    async def _break_line(self) -> None:
        faults = self.settings.faults
        while True:
            await trio.sleep(self.chance.expovariate(faults.disconnects_per_hour / 3600))
            await self.break_line(faults.disconnect_ns)

    async def break_line(self, for_ns: int) -> None:
        """Takes the line down for so long; news of that time is lost and must be asked for."""
        self.hub.set_line(LinkNews(False, "the line went down on purpose; settings.faults says how often", self.now()))
        await trio.sleep(for_ns / SECOND_NS)
        self.hub.set_line(LinkNews(True, "the line is up again", self.now()))


async def need_line(venue: Name[PaperVenue], account: str | None = None) -> None:
    """Passes a question that can be asked now; raises BrokerError, also while the venue is being restarted."""
    try:
        await venue.call(PaperVenue.need_line, account)
    except CallError as error:
        raise broker_error(BROKER, Code.CONNECTION_FAILED, str(error)) from error


def _outcome(event: Event, cascade: Cascade) -> Outcome:
    if isinstance(event, AlreadyKnown):
        ids = event.report.broker_order_ids
        return Exists(DuplicateKey(BROKER, Code.DUPLICATE_KEY, "the key is known"), ids[-1] if ids else None)
    if isinstance(event, Rejected | ReplaceRefused | CancelRefused):
        code = neutral_code(event.refusal.code)
        if code is Code.DUPLICATE_KEY:
            return Exists(DuplicateKey(BROKER, code, event.refusal.sentence))
        return RejectedOutcome(broker_error(BROKER, code, event.refusal.sentence))
    legs = [other for other in cascade.events if isinstance(other, Accepted) and other is not event]
    same = [
        leg.order_id
        for leg in legs
        if isinstance(event, Accepted) and event.group is not None and leg.group == event.group
    ]
    return AcceptedOutcome(event.order_id, tuple(same))
