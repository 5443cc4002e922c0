"""What became of one attempt to place, change or cancel an order: a type, so that doubt cannot be overlooked.

    Outcome
    ├── Definite
    │   ├── Accepted    the broker has it; of an asynchronous broker this is the receipt alone
    │   ├── Rejected    the broker decided against it
    │   └── NotSent     nothing left the process, or the broker promises that it did not process what arrived
    ├── Exists          the broker knows the key: look it up, an earlier attempt arrived
    └── Unknown         it may have arrived or not: only proof settles it

`classify` is the only place where knowledge of HTTP turns into an outcome. An adapter brings the observation
and its table of signs; it cannot talk an unknown outcome into a definite one.
"""

import enum
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from brokers.errors import BrokerError, Certainty, Code, DuplicateKey, broker_error
from runtime.quick import quick
from runtime.wire.delivery import Sent
from runtime.wire.http_messages import Fault, HttpFailure


def _must_be(certainty: Certainty) -> Callable[[object, object, BrokerError], None]:
    def check(outcome: object, _field: object, error: BrokerError) -> None:
        if error.certainty is not certainty:
            raise ValueError(
                f"{type(outcome).__name__} needs an error whose effect is {certainty.value}, got {error!r}"
            )

    return check


@quick
@attrs.frozen(weakref_slot=False)
class Accepted:
    """The broker has the order, or took the change or cancel; `legs` are the ids of a group's children."""

    broker_order_id: str
    legs: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


@attrs.frozen
class Rejected:
    """The broker answered this attempt with a definite no."""

    error: BrokerError = attrs.field(validator=_must_be(Certainty.DEFINITE))
    evidence: tuple[str, ...] = ()


@attrs.frozen
class NotSent:
    """The attempt had no effect and may be repeated under the same key."""

    error: BrokerError = attrs.field(validator=_must_be(Certainty.DEFINITE))
    evidence: tuple[str, ...] = ()


@attrs.frozen
class Exists:
    """The broker knows the key; `broker_order_id` where its answer named the order."""

    error: DuplicateKey
    broker_order_id: str | None = None
    evidence: tuple[str, ...] = ()


@attrs.frozen
class Unknown:
    """The attempt may have had its effect; `evidence` names the raw records of what was seen."""

    error: BrokerError = attrs.field(validator=_must_be(Certainty.UNKNOWN))
    evidence: tuple[str, ...] = ()


Definite = Accepted | Rejected | NotSent
Outcome = Definite | Exists | Unknown


@attrs.frozen
class NoAnswer:
    """A request that ended without an answer, by failure or by cancellation; `sent` is what left of it."""

    sent: Sent
    code: Code
    text: str = ""
    retry_after_ns: int | None = None


_CODES: Final = {
    Fault.INVALID: Code.API_ERROR,
    Fault.FORBIDDEN: Code.FORBIDDEN,
    Fault.UNREACHABLE: Code.CONNECTION_FAILED,
    Fault.TIMEOUT: Code.TIMEOUT,
    Fault.LOST: Code.CONNECTION_FAILED,
    Fault.SILENT: Code.TIMEOUT,
    Fault.MALFORMED: Code.API_ERROR,
    Fault.TOO_LARGE: Code.API_ERROR,
    Fault.CLOSED: Code.CONNECTION_FAILED,
}


def no_answer(failure: HttpFailure) -> NoAnswer:
    """What a failed HTTP request shows of its attempt."""
    return NoAnswer(failure.sent, _CODES[failure.fault], failure.text)


@attrs.frozen
class Answer:
    """An answer; `sound` means that the body came whole, was understood and is about the right account."""

    status: int
    sound: bool
    broker_order_id: str | None = None
    legs: tuple[str, ...] = ()
    code: str | None = None
    text: str = ""
    retry_after_ns: int | None = None


class Verdict(enum.Enum):
    """What a broker's sign proves about the attempt."""

    REFUSED = "refused"  # it decided against the order
    EXISTS = "exists"  # it knows the key
    UNPROCESSED = "unprocessed"  # it documents that such a request is not looked at


@attrs.frozen
class Sign:
    """One row of an adapter's table: an answer that has this status, code and text proves the verdict.

    A row that reads the body (`code` or `text`) needs a sound one; only UNPROCESSED may rest on the status.
    """

    verdict: Verdict
    means: Code
    status: int | None = None
    code: str | None = None
    text: str = ""

    def __attrs_post_init__(self) -> None:
        if self.status is not None and not (200 <= self.status < 300 or 400 <= self.status < 500):
            raise ValueError(f"{self!r}: a {self.status} proves nothing; expected a status of 2xx or 4xx")
        if not self.reads_body and (self.verdict is not Verdict.UNPROCESSED or self.status is None):
            raise ValueError(f"{self!r}: expected a code or a text; a bare status proves UNPROCESSED at most")
        if (self.verdict is Verdict.EXISTS) != (self.means is Code.DUPLICATE_KEY):
            raise ValueError(f"{self!r}: expected EXISTS and duplicate_key together or neither")

    @property
    def reads_body(self) -> bool:
        """Whether the sign stands in the body and not in the status alone."""
        return self.code is not None or self.text != ""

    def fits(self, answer: Answer) -> bool:
        """Whether the answer shows this sign; texts are compared without regard to case."""
        return (
            self.status in (None, answer.status)
            and (answer.sound or not self.reads_body)
            and self.code in (None, answer.code)
            and self.text.casefold() in answer.text.casefold()
        )


def classify(broker: str, seen: Answer | NoAnswer, signs: Sequence[Sign], evidence: tuple[str, ...] = ()) -> Outcome:
    """The outcome of one attempt from what was seen of it; the first sign that fits counts; else Unknown."""
    if isinstance(seen, NoAnswer):
        return _unanswered(broker, seen, evidence)
    if 200 <= seen.status < 300 or 400 <= seen.status < 500:
        sign = next((sign for sign in signs if sign.fits(seen)), None)
        if sign is not None:
            return _signed(broker, seen, sign, evidence)
        if seen.status < 300 and seen.sound and seen.broker_order_id:
            return Accepted(seen.broker_order_id, seen.legs, evidence)
    return _unclear(broker, seen, evidence)


def settle(outcome: Outcome, *, only_attempt: bool) -> Outcome:
    """The outcome for the order: a no to a retry, or its not leaving, tells nothing of an earlier attempt."""
    if only_attempt or not isinstance(outcome, Rejected | NotSent):
        return outcome
    return Unknown(attrs.evolve(outcome.error, certainty=Certainty.UNKNOWN), outcome.evidence)


def _unanswered(broker: str, seen: NoAnswer, evidence: tuple[str, ...]) -> NotSent | Unknown:
    certainty = Certainty.DEFINITE if seen.sent is Sent.NOTHING else Certainty.UNKNOWN
    error = broker_error(broker, seen.code, seen.text, retry_after_ns=seen.retry_after_ns, certainty=certainty)
    return NotSent(error, evidence) if seen.sent is Sent.NOTHING else Unknown(error, evidence)


def _signed(broker: str, seen: Answer, sign: Sign, evidence: tuple[str, ...]) -> Outcome:
    if sign.verdict is Verdict.EXISTS:
        return Exists(
            DuplicateKey(broker, sign.means, seen.text, retry_after_ns=seen.retry_after_ns),
            seen.broker_order_id,
            evidence,
        )
    if seen.broker_order_id:  # a refusal that names an order contradicts itself
        return _unclear(broker, seen, evidence)
    error = broker_error(broker, sign.means, seen.text, retry_after_ns=seen.retry_after_ns)
    return Rejected(error, evidence) if sign.verdict is Verdict.REFUSED else NotSent(error, evidence)


def _unclear(broker: str, seen: Answer, evidence: tuple[str, ...]) -> Unknown:
    code = Code.RATE_LIMITED if seen.status in (418, 429) else Code.API_ERROR
    body = "sound" if seen.sound else "broken or unexpected"
    text = f"HTTP {seen.status}, body {body}, code {seen.code}: {seen.text}"
    return Unknown(
        broker_error(broker, code, text, retry_after_ns=seen.retry_after_ns, certainty=Certainty.UNKNOWN),
        evidence,
    )
