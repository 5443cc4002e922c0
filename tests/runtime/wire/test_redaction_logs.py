"""S09, S10, I13: a canary in each position, every logger at DEBUG, all that can fail made to fail; then all is scanned."""

import base64
import logging
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import attrs
import pytest
import trio

from runtime.simulation import Ending
from runtime.wire.http_messages import HttpFailure, HttpRequest
from runtime.wire.log_guard import guard_logs
from runtime.wire.redaction import Redactor
from runtime.wire.websocket_ends import WebSocketClosed, WebSocketRefused
from tests.runtime.wire import peers, websocket_peers

LEARNED = "canary/learned+7Qx9Zk2"
NAMED = "canary-named-5Rt8Yw3"


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def redactor() -> Redactor:
    redactor = Redactor()
    redactor.learn(LEARNED)
    return redactor


@pytest.fixture
def log(redactor: Redactor) -> Iterator[Lines]:
    handler = Lines()
    root = logging.getLogger()
    level = root.level
    undo = guard_logs(redactor)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)
    undo()


def canaries() -> list[str]:
    raw = LEARNED.encode()
    return [
        LEARNED,
        NAMED,
        quote(LEARNED, safe=""),
        raw.hex(),
        *(base64.b64encode(b"_" * before + raw).decode()[4:-4] for before in range(3)),
        LEARNED[:12],
    ]


def scan(*outputs: object) -> None:
    for output in outputs:
        for canary in canaries():
            assert canary not in str(output)


REQUEST = HttpRequest(
    "POST",
    f"{peers.URL}/orders?signature={NAMED}&x={quote(LEARNED, safe='')}",
    {
        "Authorization": f"Bearer {NAMED}",
        "X-MBX-APIKEY": NAMED,
        "X-BAPI-SIGN": NAMED,
        "APCA-API-SECRET-KEY": NAMED,
        "Cookie": f"sid={NAMED}",
        "X-Other": LEARNED,
        "X-Basic": base64.b64encode(f"key:{LEARNED}".encode()).decode(),
    },
    f'{{"access_token":"{NAMED}","note":"{LEARNED}"}}'.encode(),
    timeout=2,
)
LEAKY = (
    f'{{"refresh_token":"{NAMED}","echo":"{LEARNED}"}}'.encode(),
    f"Set-Cookie: sid={NAMED}\r\nX-Echo: {LEARNED}\r\nLocation: https://x/?token={NAMED}\r\n".encode(),
)


def leaky(status: bytes) -> bytes:
    body, headers = LEAKY
    return b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n%b" % (status, headers, len(body), body)


@pytest.mark.parametrize(
    "script",
    [
        peers.saying(leaky(b"200 OK")),
        peers.saying(leaky(b"302 Found")),
        peers.saying(leaky(b"401 No")),
        peers.saying(leaky(b"500 Oops")),
        peers.saying(b"HTTP/1.1 200 OK\r\n" + LEARNED.encode() + b" : bad\r\n\r\n"),
        peers.saying(LEARNED.encode() + b"\r\n\r\n"),
        peers.saying(leaky(b"200 OK")[:-20]),
        peers.hanging_up_after(b""),
        peers.silence,
    ],
)
async def test_s09_s10_no_canary_of_an_http_exchange_gets_out(
    autojump_clock: Any, redactor: Redactor, log: Lines, script: peers.Script
) -> None:
    async with peers.http_box(script, redactor=redactor) as box:
        try:
            scan(repr(await box.client.send(REQUEST)), repr(REQUEST))
        except HttpFailure as failure:
            scan("".join(traceback.format_exception(failure)), failure.__context__, failure.__cause__, vars(failure))
        scan(*(attrs.asdict(record) for record in box.records))
    scan(*log.lines)
    assert any(line.startswith("send_request_headers") for line in log.lines)
    assert all(len(line.splitlines()) == 1 for line in log.lines)


async def test_s09_s10_no_canary_of_a_request_that_cannot_be_sent_gets_out(
    autojump_clock: Any, redactor: Redactor, log: Lines
) -> None:
    async with peers.http_box(redactor=redactor) as box:
        for request in (
            attrs.evolve(REQUEST, url=f"https://user:{NAMED}@evil.example/{LEARNED}"),
            attrs.evolve(REQUEST, headers={"X-Odd": f"{LEARNED}\r\nEvil: 1"}),
            attrs.evolve(REQUEST, url=f"{peers.URL}/{LEARNED} x"),
        ):
            with pytest.raises(HttpFailure) as caught:
                await box.client.send(request)
            scan("".join(traceback.format_exception(caught.value)), caught.value.__context__)
        scan(*(attrs.asdict(record) for record in box.records))
    scan(*log.lines)


@pytest.mark.parametrize("fate", [None, *Ending])
async def test_s09_s10_no_canary_of_a_websocket_gets_out(
    autojump_clock: Any, redactor: Redactor, log: Lines, fate: Ending | None
) -> None:
    async def leave(socket: Any) -> None:
        await socket.send_message(await socket.get_message())
        await socket.aclose(4001, f"no {LEARNED} token={NAMED}")

    async with websocket_peers.socket_box(websocket_peers.speaking(leave)) as box:
        box.redactor = redactor
        url = f"{websocket_peers.URL}?token={NAMED}&x={quote(LEARNED, safe='')}"
        try:
            async with box.open(url, headers={"Authorization": NAMED, "X-Other": LEARNED}) as session:
                if fate is not None:
                    box.network.links[0].inward.cut(200, fate)
                await session.send(f'{{"op":"login","password":"{NAMED}","note":"{LEARNED}"}}')
                while True:
                    await session.receive()
        except (WebSocketClosed, WebSocketRefused) as end:
            scan("".join(traceback.format_exception(end)), end.__context__, vars(end))
        scan(*(attrs.asdict(record) for record in box.records))
    scan(*log.lines)
    assert any("sending" in line for line in log.lines)


def test_s10_a_record_is_redacted_with_its_arguments_its_traceback_and_its_stack(log: Lines) -> None:
    logger = logging.getLogger("some.library")
    logger.debug("headers %s and %r", {"Authorization": NAMED}, LEARNED.encode(), stack_info=True)
    try:
        int(f"bad {LEARNED}")
    except ValueError:
        logger.exception("failed")
    scan(*log.lines)
    assert "Stack (most recent call last)" in log.lines[0]
    assert "ValueError: invalid literal for int() with base 10: 'bad ***'" in log.lines[1]
    assert all(len(line.splitlines()) == 1 for line in log.lines)


def test_s10_a_record_whose_arguments_do_not_fit_is_redacted_too(
    log: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    for template in ("%d", "%s %s", "%(x)s"):
        logging.getLogger("some.library").info(template, LEARNED)
    scan(*log.lines, capsys.readouterr())
    assert len(log.lines) == 3


def test_s12_a_record_is_one_line(log: Lines) -> None:
    logging.getLogger("some.library").info("reject: %s", "bad\r\nlevel=error fake\x1b[2J\u2028line")
    assert log.lines == ["reject: bad\\r\\nlevel=error fake\\x1b[2J\\u2028line"]


def test_the_guard_can_be_taken_away(redactor: Redactor) -> None:
    before = logging.getLogRecordFactory()
    guard_logs(redactor)()
    assert logging.getLogRecordFactory() is before


async def test_s10_loggers_made_after_the_guard_are_guarded(log: Lines) -> None:
    await trio.lowlevel.checkpoint()
    logging.getLogger("made.later").debug("Cookie: %s", NAMED)
    assert log.lines[-1] == "Cookie: ***"
