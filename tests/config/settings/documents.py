"""Valid documents of settings to search, drawn key by key from the schema, and their text."""

import typing
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from config.lines import Path
from config.settings import BrokerSettings, SessionSettings, Settings
from config.settings import fields as checks
from config.settings.brokers import CURRENCY, HOST, OFTEN, SHARE
from config.settings.fields import CHECK, Check, Each, Entries, Field
from config.settings.risk import CALENDAR, HOURS, PERCENT
from config.settings.schema import fields, named_record_of, record_of, value_type
from config.settings.sessions import PARAMETER
from config.settings.writing import header, toml, toml_key

Document = dict[str, Any]

WORDS = st.from_regex(r"[a-z]{1,6}(-[a-z0-9]{1,4})?", fullmatch=True).filter(lambda name: name not in ("same", "none"))
SYMBOLS = st.sampled_from(("ES", "NQZ26", "AAPL", "BTC-USD", "BRK.B", "EUR/USD"))
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)


def decimals(low: int, high: int) -> st.SearchStrategy[str]:
    return st.decimals(low, high, places=3).filter(lambda number: number > 0).map(str)


BY_CHECK: Mapping[Any, st.SearchStrategy[Any]] = {
    checks.AMOUNT: decimals(0, 10**9) | st.integers(1, 10**6),
    checks.NAME: WORDS,
    checks.IDENTIFIER: st.from_regex(r"[a-z][a-z0-9]{0,5}(_[a-z]{1,3})?", fullmatch=True).filter(
        lambda key: key not in ("pin", "pwd", "otp", "jwt", "totp") and not key.endswith("_pin")
    ),
    checks.SYMBOL: SYMBOLS,
    checks.ACCOUNT: st.sampled_from(("paper-1", "DU123456", "904837e3-3b76-47ec-b432-046db621571b")),
    checks.LOGIN: st.from_regex(r"[a-z]{1,8}[0-9]{0,3}", fullmatch=True),
    checks.INTERVAL: st.sampled_from(("30s", "1m", "4h", "1d")),
    checks.STRATEGY: st.sampled_from(("ema_cross:EmaCross", "my.own.module:Class1")),
    checks.PLACE: st.sampled_from(("/srv/pitboss", "~/somewhere else", '/a"b\\c', "/ü")),
    CURRENCY: st.sampled_from(("USD", "USDT")),
    HOST: st.sampled_from(("127.0.0.1:8443", "localhost:1", "[::1]:65535")),
    SHARE: st.sampled_from(("0", "0.25", "1")),
    OFTEN: st.sampled_from(("0", "0.5", "3600")),
    CALENDAR: st.sampled_from(("always", "us_stocks", "cme_equity")),
    PERCENT: st.sampled_from(("0.01", "5", "100")),
    HOURS: st.sampled_from(("any", "session", "09:35-15:55 America/New_York")),
    PARAMETER: st.recursive(
        st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
        lambda scalars: st.lists(scalars, max_size=3),
        max_leaves=3,
    ).filter(lambda value: not (isinstance(value, list) and any(isinstance(item, list) for item in value))),
}


def of_check(check: Any) -> st.SearchStrategy[Any]:
    if isinstance(check, Each):
        return st.lists(of_check(check.item), min_size=check.least, max_size=3, unique=True)
    if isinstance(check, Entries):
        return st.dictionaries(of_check(check.key), of_check(check.value), max_size=3)
    if check in BY_CHECK:
        return BY_CHECK[check]
    assert isinstance(check, Check)
    low, high = map(int, check.wording.split(" to "))
    return st.integers(low, high)


def of_field(field: Field) -> st.SearchStrategy[Any]:
    kind = value_type(field)
    if typing.get_origin(kind) is typing.Literal:
        return st.sampled_from(typing.get_args(kind))
    return st.booleans() if kind is bool else of_check(field.metadata[CHECK])


def of_record(record: type[Any], must: tuple[str, ...] = ()) -> st.SearchStrategy[Document]:
    keys = {key: field for key, field in fields(record).items() if named_record_of(field) is None}
    values = {
        key: of_record(inner) if (inner := record_of(field)) is not None else of_field(field)
        for key, field in keys.items()
    }
    return st.fixed_dictionaries(
        {key: values[key] for key in must}, optional={key: one for key, one in values.items() if key not in must}
    ).map(without_rate_conflict)


def without_rate_conflict(data: Document) -> Document:
    if "order_burst" in data:
        data["order_burst"] = min(data["order_burst"], data.get("orders_per_minute", 60))
    return data


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A document that loads, whatever keys it states."""
    data = draw(of_record(Settings))
    if data.get("vault", {}).get("unlock") == "key_file":
        data["vault"]["key_file"] = "/run/key"
    brokers = {name: draw(a_broker(name)) for name in draw(st.lists(WORDS, max_size=3, unique=True))}
    if brokers:
        data["brokers"] = brokers
        names = draw(st.lists(WORDS, max_size=2, unique=True))
        data["sessions"] = {name: draw(a_session(brokers)) for name in names}
    return data


@st.composite
def a_broker(draw: st.DrawFn, name: str) -> Document:
    data = draw(of_record(BrokerSettings, must=("kind", "accounts")))
    data["login"] = name
    if not data["accounts"]:  # it may be so for prices alone; here sessions trade on every broker
        data["accounts"] = ["A"]
    if draw(st.booleans()):
        data.pop("acts_within_ms", None)
        return {"kind": "paper"} | {key: data[key] for key in data if key not in ("kind", "environment", "hosts")}
    data.pop("market", None)
    if data.get("environment") == "live":
        data.pop("hosts", None)
    if not data.get("hosts"):
        data.pop("acts_within_ms", None)  # of an emulator alone
    return {**data, "kind": "tradovate"}


@st.composite
def a_session(draw: st.DrawFn, brokers: Document) -> Document:
    data = draw(of_record(SessionSettings, must=("broker", "account", "symbols", "strategy")))
    data["broker"] = draw(st.sampled_from(sorted(brokers)))
    data["account"] = draw(st.sampled_from(brokers[data["broker"]]["accounts"]))
    data["data"] = draw(st.sampled_from(("same", "none", *brokers)))
    return data


def leaves(data: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Each key that holds no table, with its value; entries of free tables too."""
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def nested(flat: Mapping[Path, Any]) -> Document:
    data: Document = {}
    for path, value in flat.items():
        inner = data
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
        inner[path[-1]] = value
    return data


def text_of(data: Mapping[str, Any], path: Path = ()) -> str:
    """A document as TOML with a header for each table."""
    lines = [header(path)] if path else []
    lines += [f"{toml_key(key)} = {toml(value)}" for key, value in data.items() if not isinstance(value, Mapping)]
    tables = [text_of(value, (*path, key)) for key, value in data.items() if isinstance(value, Mapping)]
    return "\n".join([*lines, *tables])
