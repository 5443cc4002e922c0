"""Claims about loading: defaults, merging from left to right, variables last, and where each value came from."""

import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path as File
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.lines import Path
from config.reading import ConfigError
from config.settings import BrokerSettings, Settings, Source, check, load, read_source, show
from config.settings.environment import variable_of
from config.settings.fields import SENTENCE
from config.settings.layers import DEFAULT, Origin
from config.settings.schema import field_at, fields, is_set_by_name, named_record_of, record_of
from config.settings.writing import toml
from tests.config.settings.documents import Document, documents, leaves, nested, text_of

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
SEARCH = settings(
    max_examples=25 * NIGHTLY,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def loaded(text: str, environ: Mapping[str, str] | None = None) -> Settings:
    return load([Source("a.toml", text)], environ or {}).settings


def test_no_configuration_at_all_is_a_paper_broker_with_a_synthetic_market_and_no_session() -> None:
    found = load([], {})
    assert found.settings == Settings()
    assert found.settings.brokers == {"paper": BrokerSettings(kind="paper", accounts=("paper-1",))}
    assert found.settings.brokers["paper"].environment == "paper"
    assert found.settings.sessions == {}


def test_a_file_without_brokers_keeps_the_embedded_one_and_a_stated_broker_replaces_it() -> None:
    assert set(loaded("[daemon]\ndrain_s = 3").brokers) == {"paper"}
    assert set(loaded('[brokers.other]\nkind = "paper"\naccounts = ["a"]').brokers) == {"other"}


def test_every_key_is_typed_has_a_sentence_and_a_default_or_must_be_stated() -> None:
    required = set()

    def walk(record: type[Any], name: str) -> None:
        for key, field in fields(record).items():
            assert field.type is not None
            assert field.metadata[SENTENCE].endswith(".")
            assert record.__doc__
            inner = named_record_of(field) or record_of(field)
            if inner is not None:
                walk(inner, key)
            elif repr(field.default) == "NOTHING":
                required.add(f"{name}.{key}")

    walk(Settings, "")
    assert required == {
        "brokers.kind", "sessions.broker", "sessions.account", "sessions.symbols",
        "sessions.strategy",
    }  # fmt: skip


def test_values_arrive_exact_and_typed() -> None:
    risk = loaded('[risk]\nmax_daily_loss = "0.10"\nsymbols = ["ES"]\norders_per_minute = 90').risk
    assert (risk.max_daily_loss, risk.symbols, risk.orders_per_minute) == (Decimal("0.10"), ("ES",), 90)


def test_a_broker_that_only_has_prices_needs_no_account() -> None:
    assert loaded('[brokers.prices]\nkind = "thinkorswim"').brokers["prices"].accounts == ()


def test_a_later_file_replaces_an_array_and_adds_to_a_table() -> None:
    first = Source("1", '[brokers.a]\nkind = "paper"\naccounts = ["x", "y"]\nmarket = { seed = 7, deposit = 5 }')
    second = Source("2", '[brokers.a]\naccounts = ["z"]\n[brokers.a.market]\nseed = 8')
    broker = load([first, second], {}).settings.brokers["a"]
    assert broker.accounts == ("z",)
    assert broker.market is not None
    assert (broker.market.seed, broker.market.deposit) == (8, Decimal(5))


def test_each_value_remembers_file_and_line_variable_or_default() -> None:
    sources = [Source("1.toml", "[daemon]\ndrain_s = 1\nlog_files = 2\n"), Source("2.toml", "daemon.drain_s = 3")]
    found = load(sources, {"PITBOSS__DAEMON__LOG_LEVEL": "debug"})
    assert found.origin(("daemon", "drain_s")) == Origin("2.toml", 1)
    assert found.origin(("daemon", "log_files")) == Origin("1.toml", 3)
    assert str(found.origin(("daemon", "log_level"))) == "environment variable PITBOSS__DAEMON__LOG_LEVEL"
    assert found.origin(("daemon", "log_format")) == DEFAULT
    assert found.settings.daemon.log_level == "debug"


@SEARCH
@given(data=documents(), chance=st.randoms(use_true_random=False))
def test_the_last_layer_that_states_a_key_gives_its_value_and_its_origin(data: Document, chance: Any) -> None:
    """A document cut at random over three files and the environment is the document."""
    flat = dict(leaves(data))
    layers: list[dict[Path, Any]] = [{}, {}, {}]
    environ: dict[str, str] = {}
    expected: dict[Path, str] = {}
    for path, value in flat.items():
        owner = chance.randrange(4)
        if owner == 3 and can_be_a_variable(path):
            environ[variable_of(path)] = as_variable(path, value)
            expected[path] = variable_of(path)
        else:
            owner = min(owner, 2)
            expected[path] = f"{owner}.toml"
            layers[owner][path] = value
        for earlier in range(owner):
            layers[earlier].setdefault(path, stale(value)) if chance.random() < 0.3 else None
    sources = [Source(f"{place}.toml", text_of(nested(layer))) for place, layer in enumerate(layers)]
    found = load(sources, environ)
    assert found.settings == loaded(text_of(data))
    assert {path: found.origin(path).place for path in flat} == expected


def stale(value: Any) -> Any:
    """Another value of the same shape, right or wrong: it must not count."""
    return [] if isinstance(value, list) else 12345


def can_be_a_variable(path: Path) -> bool:
    if path[2:] == ("environment",) or path[2:] == ("accounts",):
        return False
    field = field_at(path)
    if field is None:
        table = field_at(path[:-1])
        return table is not None and is_set_by_name(table) and "__" not in path[-1]
    return True


def as_variable(path: Path, value: Any) -> str:
    return value if isinstance(value, str) and field_at(path) is not None else toml(value)


@SEARCH
@given(data=documents())
def test_what_is_shown_loads_to_the_same_settings(data: Document) -> None:
    found = load([Source("a.toml", text_of(data))], {})
    shown = show(found)
    again = load([Source("shown.toml", shown)], {})
    assert again.settings == found.settings
    assert show(again).count("\n") == shown.count("\n")


@SEARCH
@given(data=documents(), word=st.from_regex(r"[a-z_]{3,12}", fullmatch=True), chance=st.randoms(use_true_random=False))
def test_s48_a_key_that_has_no_meaning_is_never_accepted(data: Document, word: str, chance: Any) -> None:
    records = [((), Settings), *_records(data, Settings, ())]
    path, record = chance.choice(records)
    if word in fields(record):
        return
    flat = {**dict(leaves(data)), (*path, word): 1}
    [problem] = check([Source("a.toml", text_of(nested(flat)))], {})
    assert problem.key == ".".join((*path, word))


def _records(data: Mapping[str, Any], record: type[Any], path: Path) -> list[tuple[Path, type[Any]]]:
    found = []
    for key, value in data.items():
        field = fields(record)[key]
        if (inner := record_of(field)) is not None:
            found += [((*path, key), inner), *_records(value, inner, (*path, key))]
        elif (inner := named_record_of(field)) is not None:
            for name, one in value.items():
                found += [((*path, key, name), inner), *_records(one, inner, (*path, key, name))]
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> File:
    path = tmp_path_factory.mktemp("mutations") / "pitboss.toml"
    path.touch(mode=0o600)
    return path


@settings(SEARCH, max_examples=120 * NIGHTLY)
@given(data=documents(), chance=st.randoms(use_true_random=False))
def test_any_change_of_bytes_gives_a_config_error_or_settings(file: File, data: Document, chance: Any) -> None:
    raw = bytearray(text_of(data).encode() or b"[daemon]\ndrain_s = 1")
    for _ in range(chance.randint(1, 4)):
        mutate(raw, chance)
    file.write_bytes(raw)
    try:
        found = load([read_source(file)], {})
    except ConfigError as error:
        lines = raw.count(b"\n") + 2
        assert all(problem.line is None or 1 <= problem.line <= lines for problem in error.problems)  # noqa: PT017 - either outcome is right
    else:
        assert load([Source("shown", show(found))], {}).settings == found.settings


def mutate(raw: bytearray, chance: Any) -> None:
    at = chance.randrange(len(raw) + 1)
    length = chance.randint(1, 9)
    piece = chance.choice(
        (
            b"",
            bytes([chance.randrange(256)]),
            raw[:length],
            b"[",
            b'"',
            b"\n",
            b"9" * 30,
            b"nan",
            b"{a = 1}",
            b"[[x]]\n",
            b"\xff",
            b"''",
        )
    )
    raw[at : at + chance.choice((0, 1, length))] = piece
