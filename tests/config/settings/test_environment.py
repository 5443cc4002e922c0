"""Claims about environment variables as settings."""

import pytest

from config.settings import Source, check, load
from config.settings.environment import variable_of

SESSION = """\
[sessions.es-trend]
broker = "paper"
account = "paper-1"
symbols = ["ES"]
strategy = "ema_cross:EmaCross"
params = { slow = 21 }
"""


def test_the_hyphen_of_a_name_becomes_one_underscore_and_a_step_two() -> None:
    path = ("sessions", "es-trend", "risk", "max_position")
    assert variable_of(path) == "PITBOSS__SESSIONS__ES_TREND__RISK__MAX_POSITION"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("symbols", "NQ, CL", ("NQ", "CL")),
        ("symbols", '["NQ"]', ("NQ",)),
        ("autostart", "false", False),
        ("interval", "5m", "5m"),
        ("params__fast", "9", 9),
        ("params__fast", "often", "often"),
        ("params__fast", "9\nslow = 3", "9\nslow = 3"),
    ],
)
def test_a_variable_is_read_as_the_type_of_its_key(key: str, text: str, value: object) -> None:
    name = f"PITBOSS__SESSIONS__ES_TREND__{key.upper()}"
    session = load([Source("a", SESSION)], {name: text}).settings.sessions["es-trend"]
    assert (session.params["fast"] if "fast" in key else getattr(session, key)) == value
    assert session.params["slow"] == 21


def test_a_whole_session_can_come_from_variables() -> None:
    keys = {"BROKER": "paper", "ACCOUNT": "paper-1", "SYMBOLS": "ES", "STRATEGY": "a:B"}
    environ = {f"PITBOSS__SESSIONS__X__{key}": value for key, value in keys.items()}
    assert set(load([], environ).settings.sessions) == {"x"}


def test_a_table_by_symbol_is_given_as_a_whole() -> None:
    name = "PITBOSS__SESSIONS__ES_TREND__RISK__MAX_POSITION_OF"
    found = load([Source("a", SESSION)], {name: '{ES = "2", "BTC-USD" = "0.5"}'})
    assert {key: str(value) for key, value in found.settings.sessions["es-trend"].risk.max_position_of.items()} == {
        "ES": "2",
        "BTC-USD": "0.5",
    }
    assert found.origin(("sessions", "es-trend", "risk", "max_position_of", "ES")).variable


def test_variables_of_others_and_our_own_with_one_underscore_are_left_alone() -> None:
    assert check([], {"PITBOSS_NIGHTLY": "5", "PITBOSS_PASSPHRASE_FILE": "/x", "DAEMON__DRAIN_S": "x"}) == ()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("DAEMON__DRAIN_S", "soon", "daemon.drain_s: expected an integer, got 'soon' (string)"),
        ("DAEMON__DRAIN", "1", "daemon.drain: expected one of state_folder, runtime_folder, log_level, log_format, log_size_mib, log_files, drain_s, arming_minutes, got a key that has no meaning here; did you mean drain_s?"),
        ("DAEMON", "1", "daemon: expected a variable of one key, such as PITBOSS__DAEMON__KEY, got one that names a whole table"),
        ("SESSIONS__X", "1", "sessions.x: expected a variable of one key, such as PITBOSS__SESSIONS__X__KEY, got one that names a whole table"),
        ("SESSIONS", "{}", "sessions: expected a variable of one key, such as PITBOSS__SESSIONS__KEY, got one that names a whole table"),
        ("DAEMON____DRAIN_S", "1", "daemon..drain_s: expected a key on each side of every two underscores, got none"),
        ("", "1", "the document: expected a key on each side of every two underscores, got none"),
        ("DAEMON__LOG_LEVEL", "\udcff", "daemon.log_level: expected UTF-8 text, got bytes that are none"),
        ("DAEMON__LOG_LEVEL__X", "1", "daemon.log_level: expected one of debug, info, warning, error, got {'x': '1'} (table)"),
        ("SESSIONS__X__RISK__MAX_POSITION_OF__ES", "1", "sessions.x.risk.max_position_of.es: expected a variable of the whole table with a value such as {ES = 1}, got one that names a single entry"),
    ],
)  # fmt: skip
def test_a_variable_that_does_not_fit_is_refused_by_its_name(name: str, text: str, said: str) -> None:
    [problem] = check([], {f"PITBOSS__{name}": text})
    assert str(problem) == f"environment variable PITBOSS__{name}: {said}"


def test_two_variables_that_contradict_each_other_are_refused_not_lost() -> None:
    environ = {"PITBOSS__DAEMON__LOG_LEVEL": "debug", "PITBOSS__DAEMON__LOG_LEVEL__X": "1"}
    assert [problem.key for problem in check([], environ)] == ["daemon.log_level"]
