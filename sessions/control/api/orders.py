"""An operator's orders: for a running session, in its name, past the same risk gate as its strategy's."""

from decimal import Decimal
from typing import Final

import attrs
import trio

from brokers.account_manager import AccountManager
from brokers.broker import Broker
from brokers.errors import BrokerError
from brokers.instruments import Instrument
from brokers.market import MarketStatus, Quote
from brokers.market_data import MarketDataSource
from brokers.model import Change, Order, OrderReport
from runtime import Name
from sessions.control.api.errors import Refused
from sessions.control.api.records import Cancel, Modify, Submit
from sessions.control.daemon.house import House
from sessions.risk.case import Amend, Facts, Request
from sessions.risk.denial import Reason
from sessions.risk.events import ChangeSettled, Closed
from sessions.risk.gate import Denied, Origin
from sessions.session import account_name, source_name
from sessions.sessions import UnknownSession

ANSWER_SECONDS: Final = 60.0
_TWO: Final = Decimal(2)
_RUNGS: Final = frozenset({Reason.HALTED, Reason.CANCEL_ONLY, Reason.NO_NEW_RISK})
_SMALLER: Final = "see the limits with `pitboss config show`, or a smaller order"


async def submit(house: House, command: Submit) -> tuple[OrderReport, ...]:
    """Places one order and tells what is known of it; raises Refused for a denial, BrokerError for a definite no."""
    account, instrument = _account(house, command.session), _instrument(house, command.symbol)
    order = Order(
        key=str(await account.call(AccountManager.new_key)),
        symbol=instrument.symbol,
        side=command.side,
        type=command.type,
        quantity=command.quantity,
        limit_price=command.limit_price,
        stop_price=command.stop_price,
        time_in_force=command.time_in_force,
        reduce_only=command.reduce_only,
    )
    _admit(house, command.session, order, await _facts(house, command.session, instrument))
    try:
        with trio.fail_after(ANSWER_SECONDS):
            return await account.call(AccountManager.submit, order)
    except BrokerError:
        house.gate.record(Closed(command.session, order.key), house.world.clock.wall_ns())
        raise


async def modify(house: House, command: Modify) -> OrderReport:
    """Asks for new terms of an order; raises Refused for a denial, BrokerError for a definite no."""
    account = _account(house, command.session)
    order = (await account.call(AccountManager.order, command.key)).order
    change = Change(command.key, command.quantity, command.limit_price, command.stop_price)
    facts = await _facts(house, command.session, _instrument(house, order.symbol))
    _admit(house, command.session, Amend(order, change), facts)
    try:
        with trio.fail_after(ANSWER_SECONDS):
            return await account.call(AccountManager.modify, change)
    except BrokerError:
        settled = ChangeSettled(command.session, command.key, order.quantity)
        house.gate.record(settled, house.world.clock.wall_ns())
        raise


async def cancel(house: House, command: Cancel) -> OrderReport:
    """Asks for the end of an order; nothing keeps an operator from that."""
    with trio.fail_after(ANSWER_SECONDS):
        return await _account(house, command.session).call(AccountManager.cancel, command.key)


async def flatten(house: House, session: str) -> tuple[OrderReport, ...]:
    """Cancels what is open and closes what is held; nothing keeps an operator from that."""
    with trio.fail_after(ANSWER_SECONDS):
        return await _account(house, session).call(AccountManager.flatten)


def _account(house: House, session: str) -> Name[AccountManager]:
    if session not in house.settings.sessions:
        raise UnknownSession(session, house.settings.sessions)
    name = house.runtime.name(account_name(session), AccountManager)
    if name.resolve() is None:
        raise Refused(409, "not_running", f"expected session {session} to run, it does not", "start the session first")
    return name


def _admit(house: House, session: str, request: Request, facts: Facts) -> None:
    verdict = house.gate.admit(session, request, facts, Origin.OPERATOR)
    if isinstance(verdict, Denied):
        next_step = "see why with `pitboss status`" if verdict.denial.reason in _RUNGS else _SMALLER
        raise Refused(409, verdict.denial.code.value, str(verdict.denial), next_step)


def _instrument(house: House, symbol: str) -> Instrument:
    """What a symbol names; of a future's root its front contract."""
    catalogue = house.catalogue
    if symbol not in catalogue.table:
        return catalogue.instrument(symbol)
    return catalogue.front(symbol, catalogue.calendar(symbol).trading_day(house.world.clock.wall_ns()))


async def _facts(house: House, session: str, instrument: Instrument) -> Facts:
    """What risk wants to know; without prices, or without a rate, that is nothing, and nothing new is risked."""
    broker = house.brokers.get(house.settings.sessions[session].broker)
    quote = await _quote(house, session, instrument)
    facts = Facts(house.world.clock.wall_ns(), instrument, None, None, None, None)
    if broker is None or quote is None:
        return facts
    return attrs.evolve(
        facts,
        last=_middle(quote),
        quoted_ns=quote.time_ns,
        rate=await _rate(house, session, instrument),
        market=_status(house, broker, instrument, facts.now_ns),
    )


async def _quote(house: House, session: str, instrument: Instrument) -> Quote | None:
    source = house.runtime.name(source_name(session), MarketDataSource)
    return None if source.resolve() is None else await source.call(MarketDataSource.latest_quote, instrument.symbol)


async def _rate(house: House, session: str, instrument: Instrument) -> Decimal | None:
    summary = await _account(house, session).call(AccountManager.summary)
    return Decimal(1) if summary.currency == instrument.currency else None


def _middle(quote: Quote) -> Decimal | None:
    if quote.bid is None or quote.ask is None:
        return quote.bid if quote.ask is None else quote.ask
    return (quote.bid + quote.ask) / _TWO


def _status(house: House, broker: Broker, instrument: Instrument, now_ns: int) -> MarketStatus:
    told = broker.need_orders().market_status(instrument.symbol)
    return told or house.catalogue.calendar(instrument.symbol).status(now_ns)
