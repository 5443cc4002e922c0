"""The brokers' wires: a quote from bytes to the model, a stream from the socket to three strategies, an order's share.

The other side is a process of its own that answers with fixed bytes. Streams are compared with a naive pipeline that
takes the same quotes through the same steps, and orders with a bare POST, in the same round.
"""

import base64
import hashlib
import random
import socket
import statistics
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from time import process_time
from typing import Any, Final

import attrs
import httpx
import msgspec
import trio
from cattrs.preconf.json import make_converter
from trio_websocket import open_websocket_url

from brokers.broker import Broker
from brokers.catalogue import Catalogue
from brokers.guards.guard import Guard
from brokers.instruments import Kind
from brokers.market_data import MarketDataSource, market_topic
from brokers.model import Order, OrderType
from brokers.outcome import Accepted
from brokers.sides import Side
from brokers.thinkorswim import wire as thinkorswim
from brokers.thinkorswim.board import Board
from brokers.tokens.credentials import Credential, LoginId
from brokers.tokens.token_set import Kept, TokenSet, with_kept
from brokers.tradestation import CAPABILITY, TradeStationSettings
from brokers.tradestation import wire as tradestation
from brokers.tradestation.house import House
from brokers.tradestation.streams import QuoteStream
from brokers.tradestation.symbols import Names, tradestation_symbols
from brokers.tradestation.wire_market import QuoteMerger
from brokers.tradovate.wire_market import QuoteMerger as TradovateMerger
from brokers.tradovate.wire_market import quotes_in
from runtime import Child, Runtime, Supervisor, open_runtime
from runtime.real import real_world
from runtime.registry import Keys, Registry
from runtime.topics import Subscription
from runtime.wire.redaction import Redactor
from runtime.wire.secret import Secret
from sessions.control.bench.report import Measurements

SYMBOL: Final = "ESH26"
STRATEGIES: Final = 3
QUOTES: Final = 20_000
STREAMED: Final = 100_000  # lines; the first shows a state
PRINTS: Final = STREAMED - 1
NAIVE: Final = 6_000
ORDERS: Final = 300
WARM_UP: Final = 30
_NOW_NS: Final = 1_767_625_200_000_000_000
_ACCOUNT: Final = "SIM2784991F"
_PLACED: Final = b'{"Orders":[{"Message":"Sent order: Buy 1 ESH26 @ Market","OrderID":"948679459"}]}'
_PRINT: Final = b'{"Symbol":"ESH26","Last":"68%02d.25","Volume":"%d"}'
_NAIVE_PRINT: Final = b'{"Symbol":"ESH26","Last":68%02d.25,"Volume":%d}'
_BLOCK: Final = 500  # lines or frames that are sent at once


# A quote from bytes to the model.


def measure_quotes(results: Measurements) -> None:
    """Adds the microseconds that one quote takes on each wire."""
    for broker, read in (
        ("tradestation", _tradestation()),
        ("tradovate", _tradovate()),
        ("thinkorswim", _thinkorswim()),
    ):
        began = process_time()
        for number in range(QUOTES):
            read(number & 7)
        results.add(f"{broker}_quote", (process_time() - began) / QUOTES * 1e6, "us")


def _tradestation() -> Callable[[int], object]:
    merger = QuoteMerger(SYMBOL, Names(tradestation_symbols(Catalogue.shipped().table)))
    lines = [
        b'{"Symbol":"ESH26","Bid":"68%02d.25","BidSize":"12","Ask":"68%02d.5","AskSize":"9"}' % (number, number)
        for number in range(8)
    ]

    def read(number: int) -> None:
        merger.merge(tradestation.decode(tradestation.QuoteLine, lines[number]), _NOW_NS)

    return read


def _tradovate() -> Callable[[int], object]:
    merger = TradovateMerger(SYMBOL)
    frames = [
        'a[{"e":"md","d":{"quotes":[{"timestamp":"2026-01-05T15:00:05.100Z","contractId":3570918,"entries":{"Bid":'
        f'{{"price":68{number:02}.25,"size":12}},"Offer":{{"price":68{number:02}.5,"size":9}}}}}}]}}}}]'
        for number in range(8)
    ]

    def read(number: int) -> None:
        for row in quotes_in(frames[number]) or ():
            merger.merge(row)

    return read


def _thinkorswim() -> Callable[[int], object]:
    board = Board(lot_shares=100, delayed_data=False)
    board.watch("/ESH26", SYMBOL, Kind.FUTURE)
    frames = [
        f'{{"data":[{{"service":"LEVELONE_FUTURES","timestamp":1767625200000,"command":"SUBS","content":'
        f'[{{"key":"/ESH26","1":68{number:02}.25,"2":68{number:02}.5,"4":12,"5":9,"10":1767625199000}}]}}]}}'
        for number in range(8)
    ]

    def read(number: int) -> None:
        for batch in thinkorswim.decode_frame(frames[number]).data:
            board.take(batch, _NOW_NS)

    return read


# From the socket to three strategies.


async def _streamed(port: int) -> float:
    """Microseconds a print that reaches all three strategies.

    All that a live TradeStation login has is between: HTTP stream, lines, codec, hub, data source, topic, strategy.
    """
    async with open_runtime(real_world(random.Random(1))) as runtime:
        house = _house(runtime, port)
        await _sourced(runtime, house)
        with _strategies(runtime) as heard:
            source = runtime.name("data", MarketDataSource)
            began = process_time()
            async with trio.open_nursery() as nursery:
                for one in heard:
                    nursery.start_soon(_follow, one)
                await source.call(MarketDataSource.subscribe, SYMBOL)
            elapsed = process_time() - began
        for client in house.clients:
            await client.aclose()
    return elapsed / PRINTS * 1e6


@contextmanager
def _strategies(runtime: Runtime) -> Iterator[list[Subscription[object]]]:
    topic = market_topic(CAPABILITY.broker, SYMBOL)
    with (
        runtime.topics.subscribe(topic, STREAMED) as one,
        runtime.topics.subscribe(topic, STREAMED) as two,
        runtime.topics.subscribe(topic, STREAMED) as three,
    ):
        yield [one, two, three]


async def _sourced(runtime: Runtime, house: House) -> None:
    """The login's token, its stream of quotes, and the data source of a session."""
    broker = Broker(
        capability=CAPABILITY,
        symbols=house.symbols,
        catalogue=Catalogue.shipped(),
        guard=Guard(CAPABILITY.broker, house.host, chance=runtime.world.chance),
        feed=house.feed,
    )
    parts = house.parts(())
    children: list[Child[Any]] = [
        house.token_store(_Shelf(), Registry(Keys.DUPLICATE), lambda _: None),
        Child("quotes", lambda: QuoteStream(parts), name=house.quotes_key),
        broker.data_source(name="data"),
    ]
    await runtime.start(Supervisor(children), "feed")


async def _follow(heard: Subscription[object]) -> None:
    seen = 0
    while seen < PRINTS:
        await heard.receive()
        seen += 1 + len(heard.take())


@attrs.frozen
class _NaivePrint:
    Symbol: str
    Last: float
    Volume: float


async def _naive(port: int) -> float:
    """Microseconds a print without any of our work: a frame each, made a dict, structured, sent into three channels.

    Figures are floats, and nothing is checked but their presence.
    """
    converter = make_converter(detailed_validation=False)
    hook = converter.get_structure_hook(_NaivePrint)
    channels = [trio.open_memory_channel[_NaivePrint](1_000) for _ in range(STRATEGIES)]
    done = trio.Event()

    async def follow(channel: trio.MemoryReceiveChannel[_NaivePrint]) -> None:
        seen = 0
        async for _ in channel:
            seen += 1
            if seen == NAIVE:
                done.set()

    async with trio.open_nursery() as nursery:
        for _, receive in channels:
            nursery.start_soon(follow, receive)

        async def pump() -> None:
            async with open_websocket_url(
                f"ws://127.0.0.1:{port}", message_queue_size=1_000, receive_buffer_size=65_536, disconnect_timeout=0.05
            ) as line:
                while True:
                    one = hook(msgspec.json.decode(await line.get_message()), _NaivePrint)
                    for send, _ in channels:
                        await send.send(one)

        began = process_time()
        nursery.start_soon(pump)
        await done.wait()
        elapsed = process_time() - began
        nursery.cancel_scope.cancel()
    return elapsed / NAIVE * 1e6


# An order.


class _Shelf:
    """A credential whose token lives for the whole measurement."""

    async def get(self, login: LoginId, /) -> Credential:
        """The one credential."""
        now = real_world().clock.wall_ns()
        tokens = TokenSet(Secret("bench-access-token"), Secret("bench-refresh-token"), now, now + 10**14)
        fields = {"client_id": Secret("bench-client"), "client_secret": Secret("bench-secret")}
        return with_kept(Credential(login, fields), Kept(tokens, 1))

    async def put(self, credential: Credential, /) -> None:
        """Nothing changes."""


def _house(runtime: Runtime, port: int) -> House:
    origin = f"http://127.0.0.1:{port}"
    settings = TradeStationSettings(host=origin, sign_in=origin, quotas=())
    return House.of(runtime, settings, Catalogue.shipped(), lambda _: None, Redactor(), None)


async def _orders(port: int) -> tuple[float, ...]:
    """Microseconds for an order through the adapter's gateway, for a bare POST of the same body, and the difference."""
    async with open_runtime(real_world(random.Random(1))) as runtime:
        house = _house(runtime, port)
        store: Child[Any] = house.token_store(_Shelf(), Registry(Keys.DUPLICATE), lambda _: None)
        await runtime.start(Supervisor([store]), "login")
        gateway, made = house.orders, [_order(number) for number in range(2 * (ORDERS + WARM_UP))]

        async def place() -> None:
            outcome = await gateway.place(_ACCOUNT, made.pop())
            assert isinstance(outcome, Accepted), outcome  # noqa: S101 - a refusal would be measured as an order

        async with httpx.AsyncClient(trust_env=False) as client:
            pairs = await _in_turns(place, partial(_post, client, port))
        for one in house.clients:
            await one.aclose()
    return tuple(map(statistics.median, zip(*pairs, strict=True)))


async def _post(client: httpx.AsyncClient, port: int) -> None:
    """The same body without an adapter."""
    body = msgspec.json.encode({"AccountID": _ACCOUNT, "Symbol": SYMBOL, "Quantity": "1", "OrderType": "Market"})
    headers = {"content-type": "application/json", "authorization": "Bearer bench-access-token"}
    answer = await client.post(f"http://127.0.0.1:{port}/v3/orderexecution/orders", content=body, headers=headers)
    msgspec.json.decode(answer.content)


async def _in_turns(
    one: Callable[[], Awaitable[None]], other: Callable[[], Awaitable[None]]
) -> list[tuple[float, float, float]]:
    """The processor's microseconds of either and what the one takes above the other, turn by turn.

    A busy machine disturbs those less than the wall's, and what it does to a turn it does to both.
    """
    pairs = []
    for turn in range(ORDERS + WARM_UP):
        took = [0.0, 0.0]
        for which in (0, 1) if turn % 2 else (1, 0):  # whoever comes second finds the other side awake
            began = process_time()
            await (one, other)[which]()
            took[which] = (process_time() - began) * 1e6
        pairs.append((took[0], took[1], took[0] - took[1]))
    return pairs[WARM_UP:]


def _order(number: int) -> Order:
    return Order(f"{number:022d}", SYMBOL, Side.BUY, OrderType.MARKET, Decimal(1))


# The other side.


def _serve() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{server.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        threading.Thread(target=_converse, args=(server.accept()[0],), daemon=True).start()


def _converse(client: socket.socket) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rest = b""
    try:
        while data := client.recv(65_536):
            rest += data
            while (request := _whole(rest)) is not None:
                head, rest = request
                _answer(client, head)
    except OSError:
        client.close()


def _whole(data: bytes) -> tuple[bytes, bytes] | None:
    """The head of a request whose body is there too, and what follows it."""
    head, found, rest = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    return (head, rest[length:]) if found and len(rest) >= length else None


def _answer(client: socket.socket, head: bytes) -> None:
    if head.startswith(b"POST"):
        told = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        client.sendall(told % len(_PLACED) + _PLACED)
        return
    key = head.lower().partition(b"sec-websocket-key:")[0]
    if key != head.lower():
        asked = head[len(key) :].partition(b":")[2].partition(b"\r\n")[0].strip()
        proof = base64.b64encode(hashlib.sha1(asked + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())  # noqa: S324 - RFC 6455
        client.sendall(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + proof)
        client.sendall(b"\r\n\r\n")
        _blast(client, _NAIVE_PRINT, lambda line: bytes((0x81, len(line))) + line)
    client.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    _blast(client, _PRINT, lambda line: b"%x\r\n%b\r\n" % (len(line) + 1, line + b"\n"))


def _blast(client: socket.socket, one: bytes, framed: Callable[[bytes], bytes]) -> None:
    """So many prints, each in a chunk or a frame of its own; whoever wants fewer hangs up."""
    for first in range(0, STREAMED, _BLOCK):
        lines = (one % (number % 8, number) for number in range(first, first + _BLOCK))
        client.sendall(b"".join(map(framed, lines)))


@contextmanager
def _other_side() -> Iterator[int]:
    command = [sys.executable, "-m", "sessions.control.bench.wire"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this module
        try:
            yield int(process.stdout.readline() if process.stdout is not None else "")
        finally:
            process.kill()


def run(rounds: int, tell: Callable[[str], None]) -> Measurements:
    """Measures all of it in each round."""
    results = Measurements("wire")
    with _other_side() as port:
        for number in range(1, rounds + 1):
            tell(f"round {number} of {rounds}")
            measure_quotes(results)
            ours = results.add("print_to_three_strategies", trio.run(_streamed, port), "us")
            naive = results.add("print_naive", trio.run(_naive, port), "us")
            results.add("prints_over_naive", naive / ours, "x")
            order, bare, share = trio.run(_orders, port)
            results.add("order_through_adapter", order, "us")
            results.add("order_bare_post", bare, "us")
            results.add("order_own_share", share, "us")
    for broker in ("tradestation", "tradovate", "thinkorswim"):
        results.at_most(f"{broker}_quote", 3)
    results.at_least("prints_over_naive", 10)
    results.at_most("order_own_share", 120)
    return results


if __name__ == "__main__":
    _serve()
