"""Schwab's streamer: log-in, numbered fields that come as they change, finished minutes, account activity."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

import attrs
import trio

from brokers.emulation.desk import Desk
from brokers.emulation.duplex import Duplex
from brokers.emulation.house import House
from brokers.emulation.log import ANSWERED, ARRIVED
from brokers.emulation.updates import Update
from brokers.instruments import Kind
from brokers.market import Bar
from brokers.thinkorswim.emulator import level_one
from brokers.thinkorswim.emulator.board import Board
from brokers.thinkorswim.emulator.book import OrderBook
from brokers.thinkorswim.emulator.charts import SERVICE, Minutes, numbered
from brokers.thinkorswim.emulator.names import Names
from brokers.thinkorswim.emulator.oauth import SignIn
from brokers.thinkorswim.emulator.subscriptions import (
    ACTIVITY,
    BAD_FORMAT,
    COMMANDS,
    LEVEL_ONE,
    SERVICE_NOT_AVAILABLE,
    SUCCESS,
    SYMBOL_LIMIT,
    Subscriptions,
)
from brokers.thinkorswim.emulator.words import compact, milliseconds

HEARTBEAT_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 30.0
WORK_SECONDS: Final = 0.01  # how long a command takes; one that comes meanwhile fails
LOGIN_DENIED, CLOSE_CONNECTION, NOT_FOUND, STOP_STREAMING = 3, 12, 20, 30
_PARALLEL: Final = {"SUBS": 22, "UNSUBS": 23, "ADD": 24, "VIEW": 25}
_NUMBERED_SUCCESS: Final = {"SUBS": 26, "UNSUBS": 27, "ADD": 28, "VIEW": 29}
_QOS_SECONDS: Final = {"0": 0.5, "1": 0.75, "2": 1.0, "3": 1.5, "4": 3.0, "5": 5.0}
_SAID: Final = {
    LOGIN_DENIED: "Login Denied.: token is invalid or has expired.",
    SERVICE_NOT_AVAILABLE: "Service not available",
    SYMBOL_LIMIT: "Reached symbol limit",
    NOT_FOUND: "Stream connection not found",
    BAD_FORMAT: "Bad command format",
}


@attrs.frozen
class Manners:
    """Ways of the streamer that are told differently by different sources."""

    numbered_success: bool = False  # commands succeed with 26 to 29 where 0 is usual
    evict_in_response: bool = False  # code 12 comes as a response, not as a notice
    knows_qos: bool = False  # ADMIN/QOS sets how often changes are told, as it once did
    changes_seconds: float = 0.5  # how often changes are told


@attrs.frozen
class Identity:
    """What a client is told of itself, and must say in every command."""

    customer_id: str
    correl_id: str
    channel: str = "N9"
    function_id: str = "APIAPP"


class Streamer:
    """All connections; a person has one of them at a time."""

    def __init__(
        self,
        house: House,
        desk: Desk,
        names: Names,
        board: Board,
        book: OrderBook,
        sign_in: SignIn,
        identity: Identity,
        manners: Manners,
    ) -> None:
        self.house = house
        self.desk = desk
        self.names = names
        self.board = board
        self.book = book
        self.sign_in = sign_in
        self.identity = identity
        self.manners = manners
        self.minutes = Minutes(desk)
        self._logged_in: Session | None = None

    async def serve(self, duplex: Duplex) -> None:
        """One connection until it ends."""
        session = Session(self, duplex)
        try:
            await session.run()
        finally:
            if self._logged_in is session:
                self._logged_in = None

    def farewell(self) -> str:
        """What an administrator's end of streaming says."""
        return self.notice(STOP_STREAMING, "Stop streaming due to administrator request")

    def notice(self, code: int, said: str) -> str:
        """A notice with a code."""
        content = {"code": code, "msg": said}
        told = {"service": "ADMIN", "timestamp": milliseconds(self.house.wall_ns()), "content": content}
        return compact({"notify": [told]}).decode()

    def log_in(self, session: "Session") -> None:
        """A connection becomes the person's one; the one before is told so and ended."""
        before, self._logged_in = self._logged_in, session
        if before is not None and before is not session:
            before.evict()

    def level_one(self, service: str, key: str) -> level_one.Numbered | None:
        """The fields of a key; None for what this service does not show."""
        instrument = self.names.instrument(key)
        if instrument is None or instrument.kind is not level_one.SERVICES[service]:
            return None
        sight, skew = self.board.sight(instrument.symbol), self.house.wall_ns() - self.house.now_ns()
        if sight is None:
            return None
        if instrument.kind is Kind.FUTURE:
            return level_one.future(sight, self.names.active(instrument), skew)
        return level_one.equity(sight, skew)


class Session:
    """One connection."""

    def __init__(self, streamer: Streamer, duplex: Duplex) -> None:
        self._streamer = streamer
        self._house = streamer.house
        self._duplex = duplex
        self._subscriptions = Subscriptions()
        self._sequences: Counter[str] = Counter()
        self._changes_seconds = streamer.manners.changes_seconds
        self._logged_in = False
        self._busy_until = -1.0
        self._quiet_since = self._idle_since = trio.current_time()
        self._over = trio.Event()

    async def run(self) -> None:
        """Serves commands and data until the connection ends."""
        with ExitStack() as leaving:
            leaving.callback(self._streamer.minutes.hear(self._minute))
            leaving.callback(self._streamer.book.updates.hear(self._activity))
            async with trio.open_nursery() as nursery:
                for work in (self._commands, self._changes, self._pulse):
                    nursery.start_soon(work)
                await self._over.wait()
                nursery.cancel_scope.cancel()

    def evict(self) -> None:
        """Another connection of the same person takes this one's place."""
        said = "Another connection of this user was opened"
        if self._streamer.manners.evict_in_response:
            self._respond("ADMIN", "LOGIN", "0", CLOSE_CONNECTION, said)
        else:
            self._tell(self._streamer.notice(CLOSE_CONNECTION, said))
        self._over.set()

    # Commands.

    async def _commands(self) -> None:
        while True:
            try:
                text = await self._duplex.receive()
            except trio.EndOfChannel:
                self._over.set()
                return
            requests, busy = _requests(text), trio.current_time() < self._busy_until
            was_in = self._logged_in
            if requests is None:
                self._respond("ADMIN", "", "", BAD_FORMAT, _SAID[BAD_FORMAT])
                continue
            for request in requests:
                self._command(request, busy=busy, was_in=was_in)
            if not busy:
                self._busy_until = trio.current_time() + WORK_SECONDS

    def _command(self, request: Mapping[str, Any], *, busy: bool, was_in: bool) -> None:
        """One command; those that come with a log-in come before it is done."""
        service, command, number = (str(request.get(name, ""))[:40] for name in ("service", "command", "requestid"))
        facts = {"service": service, "command": command, "line": self._duplex.line.number}
        self._house.log.put(ARRIVED, method="WS", path="/ws", **facts)
        if (service, command) == ("ADMIN", "LOGIN"):
            self._log_in(request, number)
        elif not was_in or (busy and command not in COMMANDS) or not self._is_known(request):
            self._answer(service, command, number, NOT_FOUND)
        elif busy:
            self._answer(service, command, number, _PARALLEL[command])
        elif service == "ADMIN":
            self._administer(request, command, number)
        else:
            self._subscribe(request, service, command, number)

    def _is_known(self, request: Mapping[str, Any]) -> bool:
        mine = self._streamer.identity
        ids = request.get("SchwabClientCustomerId"), request.get("SchwabClientCorrelId")
        return ids == (mine.customer_id, mine.correl_id)

    def _log_in(self, request: Mapping[str, Any], number: str) -> None:
        mine, said = self._streamer.identity, _parameters(request)
        ids = said.get("SchwabClientChannel"), said.get("SchwabClientFunctionId")
        good = self._is_known(request) and ids == (mine.channel, mine.function_id)
        token = str(said.get("Authorization", ""))
        if not good or not self._streamer.sign_in.admits(token, self._house.now_ns()):
            self._answer("ADMIN", "LOGIN", number, LOGIN_DENIED)
            self._over.set()
            return
        self._logged_in, self._idle_since = True, trio.current_time()
        self._respond("ADMIN", "LOGIN", number, SUCCESS, "server=s0166bdv-1;status=NP")
        self._streamer.log_in(self)

    def _administer(self, request: Mapping[str, Any], command: str, number: str) -> None:
        if command == "LOGOUT":
            self._respond("ADMIN", "LOGOUT", number, SUCCESS, "SUCCESS")
            self._over.set()
            return
        seconds = _QOS_SECONDS.get(str(_parameters(request).get("qoslevel")))
        if command != "QOS" or seconds is None or not self._streamer.manners.knows_qos:
            self._answer("ADMIN", command, number, BAD_FORMAT)
            return
        self._changes_seconds = seconds
        self._respond("ADMIN", "QOS", number, SUCCESS, "QoS command succeeded")

    def _subscribe(self, request: Mapping[str, Any], service: str, command: str, number: str) -> None:
        code = self._subscriptions.apply(service, command, _parameters(request))
        if code != SUCCESS:
            self._answer(service, command, number, code)
            return
        shown = _NUMBERED_SUCCESS[command] if self._streamer.manners.numbered_success else SUCCESS
        self._respond(service, command, number, shown, f"{command} command succeeded")
        if service == ACTIVITY and command in {"SUBS", "ADD"}:
            self._tell_activity("", "SUBSCRIBED", "")
        self._tell_changes()

    def _answer(self, service: str, command: str, number: str, code: int) -> None:
        """A command that fails."""
        self._respond(service, command, number, code, _SAID.get(code, f"{command} command failed"))

    def _respond(self, service: str, command: str, number: str, code: int, said: str) -> None:
        facts = {"service": service, "command": command, "code": code, "line": self._duplex.line.number}
        self._house.log.put(ANSWERED, path="/ws", **facts)
        response = {
            "service": service,
            "command": command,
            "requestid": number,
            "SchwabClientCorrelId": self._streamer.identity.correl_id,
            "timestamp": milliseconds(self._house.wall_ns()),
            "content": {"code": code, "msg": said},
        }
        self._tell(compact({"response": [response]}).decode(), after_seconds=WORK_SECONDS)

    # Data.

    async def _changes(self) -> None:
        while True:
            await trio.sleep(self._changes_seconds)
            self._tell_changes()

    def _tell_changes(self) -> None:
        found = [item for service in LEVEL_ONE if (item := self._changed(service)) is not None]
        if found:
            self._tell(compact({"data": found}).decode())

    def _changed(self, service: str) -> dict[str, Any] | None:
        """What has changed of a service's keys; a key that nobody knows is passed over in silence."""
        subscription = self._subscriptions.get(service)
        if subscription is None:
            return None
        content = []
        for key in subscription.keys:
            now = self._streamer.level_one(service, key)
            first = key not in subscription.told
            changes = {} if now is None else subscription.changes(key, now)
            if changes:
                asset = level_one.ASSETS[level_one.SERVICES[service]]
                content.append({"key": key, **({"delayed": False, "assetMainType": asset} if first else {}), **changes})
        return self._data(service, content) if content else None

    def _data(self, service: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        now = milliseconds(self._house.wall_ns())
        return {"service": service, "timestamp": now, "command": "SUBS", "content": content}

    def _minute(self, bar: Bar) -> None:
        instrument = self._streamer.desk.instruments[bar.symbol]
        service = SERVICE[instrument.kind]
        subscription = self._subscriptions.get(service)
        keys = () if subscription is None else subscription.keys
        for key in keys:
            shown = self._streamer.names.instrument(key)
            if subscription is not None and shown is not None and shown.symbol == bar.symbol:
                skew = self._house.wall_ns() - self._house.now_ns()
                fields = numbered(bar, instrument.kind, skew)
                told = {str(number): value for number, value in fields.items() if number in subscription.fields}
                content = {**told, "seq": self._next(service), "key": key}
                self._tell(compact({"data": [self._data(service, [content])]}).decode())

    def _activity(self, update: Update) -> None:
        if self._subscriptions.get(ACTIVITY) is not None:
            kind = update.frame["BaseEvent"]["EventType"]
            self._tell_activity(update.account, kind, compact(update.frame).decode())

    def _tell_activity(self, account: str, kind: str, said: str) -> None:
        subscription = self._subscriptions.get(ACTIVITY)
        assert subscription is not None  # noqa: S101 - whoever calls has looked
        fields = {1: account, 2: kind, 3: said}
        told = {str(number): value for number, value in fields.items() if number in subscription.fields}
        content = {"seq": self._next(ACTIVITY), "key": subscription.keys[0], **told}
        self._tell(compact({"data": [self._data(ACTIVITY, [content])]}).decode())

    def _next(self, service: str) -> int:
        """The next number of a service's messages on this connection, from 0 on."""
        if self._house.faults.strikes("sequence-gap") is not None:
            self._sequences[service] += 1
        number = self._sequences[service]
        self._sequences[service] += 1
        return number

    # The connection itself.

    async def _pulse(self) -> None:
        """A heartbeat when nothing else is said, and the end of a connection that wants nothing."""
        while True:
            await trio.sleep_until(min(self._quiet_since + HEARTBEAT_SECONDS, self._idle_since + IDLE_SECONDS))
            now = trio.current_time()
            if self._subscriptions:
                self._idle_since = now
            elif now >= self._idle_since + IDLE_SECONDS:
                self._stop("Stop streaming due to empty subscription")
            if now >= self._quiet_since + HEARTBEAT_SECONDS:
                self._quiet_since = now
                if self._house.faults.state("mute") is None:
                    heartbeat = {"heartbeat": str(milliseconds(self._house.wall_ns()))}
                    self._tell(compact({"notify": [heartbeat]}).decode())

    def _stop(self, why: str) -> None:
        self._duplex.tell(self._streamer.notice(STOP_STREAMING, why))
        self._over.set()

    def _tell(self, text: str, after_seconds: float = 0.0) -> None:
        if self._over.is_set():
            return
        self._quiet_since = trio.current_time()
        if not self._duplex.tell(text, after_seconds):
            self._stop("Stop streaming due to slow consumption")


def _requests(text: str) -> list[Mapping[str, Any]] | None:
    """The commands of a message, one or several; None for what is no message."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    found = value.get("requests", [value])
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
        return None
    return found


def _parameters(request: Mapping[str, Any]) -> Mapping[str, Any]:
    found = request.get("parameters")
    return found if isinstance(found, dict) else {}
