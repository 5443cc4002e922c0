"""D12: what a record holds, and what it leaves out."""

import hashlib
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime.wire.capture import KEPT_BYTES, Direction, Exchange, Kind, Recorder
from runtime.wire.delivery import Delivery, Phase, Sent
from runtime.wire.redaction import Redactor
from tests.runtime.wire.peers import NIGHTLY

CANARY = "canary-5Rt8Yw3-7Qx9Zk2"


class TickingClock:
    def __init__(self) -> None:
        self.now = 0

    def monotonic_ns(self) -> int:
        self.now += 1
        return self.now

    def wall_ns(self) -> int:
        return 1_000 + self.now


def recorder(redactor: Redactor | None = None) -> tuple[Recorder, list[Exchange]]:
    records: list[Exchange] = []
    return Recorder("c1", TickingClock(), redactor or Redactor(), records.append), records


def body_of(body: str | bytes, redactor: Redactor | None = None) -> Exchange:
    maker, records = recorder(redactor)
    maker.record(Kind.FRAME, Direction.IN, 1, body=body)
    return records[0]


def test_d12_a_record_holds_everything_with_its_stamps() -> None:
    maker, records = recorder()
    number = maker.number()
    maker.record(
        Kind.REQUEST,
        Direction.OUT,
        number,
        method="POST",
        url="https://a.b/c?token=x",
        headers=[("Cookie", "x"), ("Accept", "*/*")],
        body=b'{"secret":"x","qty":1.10}',
        intent_key="k1",
    )
    maker.record(Kind.FAILURE, Direction.IN, number, body="lost", sent=Sent.MAYBE)
    assert records == [
        Exchange(
            kind=Kind.REQUEST,
            direction=Direction.OUT,
            connection="c1",
            number=1,
            monotonic_ns=1,
            wall_ns=1_001,
            method="POST",
            url="https://a.b/c?token=***",
            headers=(("Cookie", "***"), ("Accept", "*/*")),
            body='{"secret":"***","qty":1.10}',
            body_bytes=25,
            intent_key="k1",
        ),
        Exchange(
            kind=Kind.FAILURE,
            direction=Direction.IN,
            connection="c1",
            number=1,
            monotonic_ns=2,
            wall_ns=1_002,
            body="lost",
            body_bytes=4,
            sent=Sent.MAYBE,
        ),
    ]
    assert maker.number() == 2


def test_d12_a_body_up_to_the_limit_is_kept_whole() -> None:
    record = body_of(b"x" * KEPT_BYTES)
    assert (record.body, record.body_bytes, record.body_sha256) == ("x" * KEPT_BYTES, KEPT_BYTES, None)


def test_d12_a_longer_body_is_cut_and_its_length_and_hash_tell_the_rest() -> None:
    body = b"".join(b"%07d\n" % number for number in range(100_000))
    record = body_of(body)
    assert record.body.encode() == body[:KEPT_BYTES]
    assert record.body_bytes == 800_000
    assert record.body_sha256 == hashlib.sha256(body).hexdigest()


@given(
    st.sampled_from([KEPT_BYTES, KEPT_BYTES + 4096, KEPT_BYTES + 5997]),
    st.integers(-len(CANARY), 2),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=40 * NIGHTLY, deadline=None)
@example(KEPT_BYTES, -10, True, False)
@example(KEPT_BYTES + 4096, -10, True, False)
@example(KEPT_BYTES + 4096, -10, True, True)
@example(KEPT_BYTES, -10, False, False)
def test_d12_i13_no_secret_survives_the_cut_not_even_in_part(
    edge: int, shift: int, learned: bool, masked_before: bool
) -> None:
    redactor = Redactor()
    if learned:
        redactor.learn(CANARY)
    start = f'{{"token":"{"y" * 6000}",' if masked_before else "{"
    name = '"note":"' if learned else '"password":"'
    text = f'{start:<{edge + shift - len(name)}}{name}{CANARY}"'.ljust(KEPT_BYTES + 9000, " ")
    body = body_of(text, redactor).body
    assert not any(CANARY[:part] in body for part in range(5, len(CANARY)))
    assert len(body) <= KEPT_BYTES


def test_d12_bytes_that_are_no_text_are_kept_readable() -> None:
    assert body_of(b"\xff\x00ok").body == "\\xff\x00ok"
    assert body_of("\ud800").body == "\\xed\\xa0\\x80"


@given(st.lists(st.sampled_from(Phase)))
def test_a_delivery_only_moves_on(phases: list[Any]) -> None:
    delivery = Delivery()
    for phase in phases:
        before = delivery.phase
        delivery.reach(phase)
        assert delivery.phase is max(before, phase)
    reached_send = any(phase >= Phase.SEND for phase in phases)
    assert delivery.sent is (Sent.MAYBE if reached_send else Sent.NOTHING)
