"""The answers of the HTTP interface, read straight into classes."""

from decimal import Decimal
from typing import Final

import msgspec

from brokers.thinkorswim.wire import Malformed, Streamer, decoded

_LONGEST_WORDS: Final = 300


class _StreamerInfo(msgspec.Struct, rename="camel"):
    streamer_socket_url: str
    schwab_client_customer_id: str
    schwab_client_correl_id: str
    schwab_client_channel: str
    schwab_client_function_id: str


class _Preferences(msgspec.Struct, rename="camel"):
    streamer_info: list[_StreamerInfo]


class Candle(msgspec.Struct, gc=False):
    """One bar of the price history; `datetime` is its start in milliseconds."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    datetime: int


class History(msgspec.Struct):
    """A price history."""

    symbol: str
    candles: list[Candle] = []


class _QuoteFacts(msgspec.Struct):
    tick: Decimal | None = None


class _ReferenceFacts(msgspec.Struct, rename="camel"):
    description: str = ""
    exchange_name: str = ""
    future_active_symbol: str = ""
    future_expiration_date: int | None = None
    future_multiplier: Decimal | None = None


class Facts(msgspec.Struct):
    """What the broker says of one instrument."""

    quote: _QuoteFacts = msgspec.field(default_factory=_QuoteFacts)
    reference: _ReferenceFacts = msgspec.field(default_factory=_ReferenceFacts)


_PREFERENCES: Final = msgspec.json.Decoder(_Preferences)
_HISTORY: Final = msgspec.json.Decoder(History)
_QUOTES: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FACTS: Final = msgspec.json.Decoder(Facts)


def decode_preferences(body: bytes) -> Streamer:
    """Where and how to reach the streamer; raises Malformed."""
    infos = decoded(_PREFERENCES, body, "the user's preferences").streamer_info
    if not infos:
        raise Malformed("preferences with a streamer", body, "there is none; the login has no market data")
    info = infos[0]
    return Streamer(
        info.streamer_socket_url,
        info.schwab_client_customer_id,
        info.schwab_client_correl_id,
        info.schwab_client_channel,
        info.schwab_client_function_id,
    )


def decode_history(body: bytes) -> History:
    """A price history; raises Malformed."""
    return decoded(_HISTORY, body, "a price history")


def decode_facts(body: bytes) -> tuple[dict[str, Facts], dict[str, Malformed]]:
    """What is said of each instrument that is known there, and what of it cannot be read; raises Malformed."""
    found: dict[str, Facts] = {}
    bad: dict[str, Malformed] = {}
    for name, part in decoded(_QUOTES, body, "quotes by symbol").items():
        if name == "errors":
            continue
        try:
            found[name] = decoded(_FACTS, part, f"the facts of {name}")
        except Malformed as error:
            bad[name] = error
    return found, bad


class _Detail(msgspec.Struct):
    title: str = ""
    detail: str = ""


class _Fault(msgspec.Struct):
    faultstring: str = ""


class _Refusal(msgspec.Struct):
    message: str = ""
    errors: list[str | _Detail] = []
    fault: _Fault | None = None


_REFUSALS: Final = msgspec.json.Decoder(_Refusal)


def words_of(body: bytes) -> str:
    """What an error says: the broker has three shapes for it, and sometimes sends a page or plain text instead."""
    try:
        refusal = decoded(_REFUSALS, body, "an error")
    except Malformed:
        return body[:_LONGEST_WORDS].decode("utf-8", "replace")
    said = [refusal.message, refusal.fault.faultstring if refusal.fault else ""]
    said += [f"{one.title}: {one.detail}" if isinstance(one, _Detail) else one for one in refusal.errors]
    return "; ".join(filter(None, said))[:_LONGEST_WORDS]
