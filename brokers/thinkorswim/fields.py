"""What the numbers in the streamer's messages mean: one table a service, in which a field's place is its number."""

import enum
from collections.abc import Iterable, Mapping
from typing import Final


class Service(enum.Enum):
    """The parts of the streamer that this adapter speaks with."""

    ADMIN = "ADMIN"
    LEVELONE_EQUITIES = "LEVELONE_EQUITIES"
    LEVELONE_FUTURES = "LEVELONE_FUTURES"
    CHART_EQUITY = "CHART_EQUITY"
    CHART_FUTURES = "CHART_FUTURES"
    ACCT_ACTIVITY = "ACCT_ACTIVITY"


FIELDS: Final[Mapping[Service, tuple[str, ...]]] = {
    Service.LEVELONE_EQUITIES: (
        *("symbol", "bid", "ask", "last", "bid_size", "ask_size", "ask_id", "bid_id", "volume", "last_size"),
        *("high", "low", "previous_close", "exchange_id", "marginable", "description", "last_id", "open"),
        *("net_change", "year_high", "year_low", "price_earnings", "annual_dividend", "dividend_yield"),
        *("net_asset_value", "exchange", "dividend_date", "regular_quote", "regular_trade", "regular_last"),
        *("regular_last_size", "regular_net_change", "status", "mark", "quote_ms", "trade_ms", "regular_trade_ms"),
        *("bid_ms", "ask_ms", "ask_mic", "bid_mic", "last_mic", "net_percent", "regular_percent", "mark_change"),
        *("mark_percent", "borrow_quantity", "borrow_rate", "hard_to_borrow", "shortable", "post_change"),
        "post_percent",
    ),
    Service.LEVELONE_FUTURES: (
        *("symbol", "bid", "ask", "last", "bid_size", "ask_size", "bid_id", "ask_id", "volume", "last_size"),
        *("quote_ms", "trade_ms", "high", "low", "previous_close", "exchange_id", "description", "last_id", "open"),
        *("net_change", "percent_change", "exchange", "status", "open_interest", "mark", "tick", "tick_amount"),
        *("product", "price_format", "trading_hours", "tradable", "multiplier", "active", "settlement_price"),
        *("active_symbol", "expiration_ms", "expiration_style", "ask_ms", "bid_ms", "quoted_in_session"),
        "settlement_date",
    ),
    # The published table of this one is wrong; this is what the streamer sends.
    Service.CHART_EQUITY: ("key", "sequence", "open", "high", "low", "close", "volume", "start_ms", "day"),
    Service.CHART_FUTURES: ("key", "start_ms", "open", "high", "low", "close", "volume"),
    Service.ACCT_ACTIVITY: ("key", "account", "kind", "body"),
}

_LEVEL_ONE: Final = (
    *("symbol", "bid", "ask", "last", "bid_size", "ask_size", "volume", "last_size", "quote_ms", "trade_ms"),
)

ASKED: Final[Mapping[Service, tuple[str, ...]]] = {  # what a subscription asks for
    Service.LEVELONE_EQUITIES: _LEVEL_ONE,
    Service.LEVELONE_FUTURES: _LEVEL_ONE,
    Service.CHART_EQUITY: FIELDS[Service.CHART_EQUITY],
    Service.CHART_FUTURES: FIELDS[Service.CHART_FUTURES],
    Service.ACCT_ACTIVITY: FIELDS[Service.ACCT_ACTIVITY],
}
ACTIVITY_KEY: Final = "Account Activity"  # any would do: it is only echoed


def number(service: Service, name: str) -> int:
    """The number of a field; raises KeyError, or ValueError for a name that the service does not have."""
    return FIELDS[service].index(name)


def numbers(service: Service, names: Iterable[str]) -> tuple[int, ...]:
    """The numbers of fields, in order."""
    return tuple(sorted(number(service, name) for name in names))


def wire_names(service: Service) -> dict[str, str]:
    """How the fields of a service are called in a message, by their names; the symbol comes as `key`."""
    return {name: str(place) for place, name in enumerate(FIELDS[service]) if name not in ("symbol", "key")}
