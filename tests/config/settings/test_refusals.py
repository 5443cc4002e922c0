"""Claims about what is refused: each text names file, line, key, what was expected and what came; all at once."""

import pytest

from config.reading import ConfigError
from config.settings import Source, check, load

GOOD = """\
[brokers.demo]
kind = "tradovate"
login = "me"
accounts = ["DEMO1", "DEMO2"]

[sessions.es-trend]
broker = "demo"
account = "DEMO1"
symbols = ["ES"]
strategy = "ema_cross:EmaCross"
"""


def problems(text: str) -> list[str]:
    return [str(problem) for problem in check([Source("a.toml", text)], {})]


def one(text: str) -> str:
    [problem] = problems(text)
    return problem


def test_the_control_loads() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('login = "me"', "login = 5", "a.toml:3: brokers.demo.login: expected a string, got 5 (integer)"),
        ('login = "me"', 'login = ""', "a.toml:3: brokers.demo.login: expected a login name of letters, digits and . _ @ + -, got '' (string)"),
        ('kind = "tradovate"\n', "", "a.toml:1: brokers.demo.kind: expected a value, got no such key"),
        ('["DEMO1", "DEMO2"]', "[]", "a.toml:8: sessions.es-trend.account: expected an account of brokers.demo, whose accounts name none, got 'DEMO1' (string)"),
        ('["DEMO1", "DEMO2"]', '["DEMO1", "DEMO1"]', "a.toml:4: brokers.demo.accounts: expected each item once, got 'DEMO1' (string)"),
        ('["DEMO1", "DEMO2"]', '["DEMO1", 2]', "a.toml:4: brokers.demo.accounts.1: expected a string, got 2 (integer)"),
        ('login = "me"', 'environment = "prod"', "a.toml:3: brokers.demo.environment: expected one of paper, live, got 'prod' (string)"),
        ('login = "me"', 'hosts = { rest = "api.example.com:443" }', "a.toml:3: brokers.demo.hosts.rest: expected an emulator on this machine, such as 127.0.0.1:8443, got 'api.example.com:443' (string)"),
        ('login = "me"', 'hosts = { rest = "127.0.0.300:1" }', "a.toml:3: brokers.demo.hosts.rest: expected an emulator on this machine, such as 127.0.0.1:8443, got '127.0.0.300:1' (string)"),
        ('login = "me"', "acts_within_ms = 1000", "a.toml:3: brokers.demo.acts_within_ms: expected none, because without hosts this is no emulator, and nobody knows that of a broker, got 1000 (integer)"),
        ('login = "me"', "market = { seed = 3 }", "a.toml:3: brokers.demo.market: expected none, because tradovate has a market of its own, got a table"),
        ('broker = "demo"', 'broker = "dmo"', "a.toml:7: sessions.es-trend.broker: expected a configured broker, one of demo; did you mean demo?, got 'dmo' (string)"),
        ('account = "DEMO1"', 'account = "DEM2"', "a.toml:8: sessions.es-trend.account: expected an account of brokers.demo, one of DEMO1, DEMO2; did you mean DEMO2?, got 'DEM2' (string)"),
        ('symbols = ["ES"]', 'symbols = ["es"]', "a.toml:9: sessions.es-trend.symbols: expected a symbol of capital letters, digits, dot, slash and hyphen, such as ES or BTC-USD, got 'es' (string)"),
        ('symbols = ["ES"]', 'symbols = "ES"', "a.toml:9: sessions.es-trend.symbols: expected an array, got 'ES' (string)"),
        ("ema_cross:EmaCross", "ema_cross", "a.toml:10: sessions.es-trend.strategy: expected module:Class, such as ema_cross:EmaCross, got 'ema_cross' (string)"),
        ("ema_cross:EmaCross", "../evil:Class", "a.toml:10: sessions.es-trend.strategy: expected module:Class, such as ema_cross:EmaCross, got '../evil:Class' (string)"),
    ],
)  # fmt: skip
def test_a_refusal_names_file_line_key_expected_and_got(old: str, new: str, said: str) -> None:
    assert one(GOOD.replace(old, new, 1)) == said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('data = "elsewhere"', "sessions.es-trend.data: expected a source of prices, one of same, none, demo, got 'elsewhere' (string)"),
        ('interval = "0m"', "sessions.es-trend.interval: expected an interval such as 30s, 1m, 15m, 4h or 1d, got '0m' (string)"),
        ('roll = "never"', "sessions.es-trend.roll: expected one of follow, move, stay, got 'never' (string)"),
        ("autostart = 1", "sessions.es-trend.autostart: expected true or false, got 1 (integer)"),
        ('"a-b" = 1', "sessions.es-trend.a-b: expected one of broker, account, symbols, strategy, data, interval, roll, autostart, params, risk, got a key that has no meaning here"),
        ("strategi = 1", "sessions.es-trend.strategi: expected one of broker, account, symbols, strategy, data, interval, roll, autostart, params, risk, got a key that has no meaning here; did you mean strategy?"),
        ("params = 5", "sessions.es-trend.params: expected a table, got 5 (integer)"),
        ("params = { fast = nan }", "sessions.es-trend.params.fast: expected a string, a finite number, true, false or an array of these, got nan (float)"),
        ("params = { fast = { a = 1 } }", "sessions.es-trend.params.fast: expected a string, a finite number, true, false or an array of these, got {'a': 1} (table)"),
        ("params = { fast = 0x1_0000_0000_0000_0000 }", "sessions.es-trend.params.fast: expected a string, a finite number, true, false or an array of these, got 18446744073709551616 (integer)"),
        ("params = { fast = 2026-01-01 }", "sessions.es-trend.params.fast: expected a string, a finite number, true, false or an array of these, got 2026-01-01 (date)"),
        ('params = { "a b" = 1 }', "sessions.es-trend.params: expected a name of letters, digits and underscores, got 'a b' (string)"),
        ("risk = { max_position = 0.5 }", 'sessions.es-trend.risk.max_position: expected a decimal in quotes, such as "0.25", got 0.5 (float)'),
        ("risk = { max_position = 0 }", "sessions.es-trend.risk.max_position: expected a number above \"0\" and at most \"1e15\", got '0' (string)"),
        ('risk = { max_position_of = { ES = "-1" } }', "sessions.es-trend.risk.max_position_of.ES: expected a number above \"0\" and at most \"1e15\", got '-1' (string)"),
        ('risk = { price_band_percent = "101" }', "sessions.es-trend.risk.price_band_percent: expected a number above \"0\" and at most \"100\", got '101' (string)"),
        ("risk = { order_burst = 61 }", "sessions.es-trend.risk.order_burst: expected at most orders_per_minute, which is 60, got 61 (integer)"),
        ('risk = { hours = "09:35-15:55 Mars/Base" }', "sessions.es-trend.risk.hours: expected any, session or a time span with its zone such as \"09:35-15:55 America/New_York\", got '09:35-15:55 Mars/Base' (string)"),
    ],
)  # fmt: skip
def test_a_session_is_refused_for_each_key_that_does_not_fit(more: str, said: str) -> None:
    assert one(GOOD + more + "\n") == f"a.toml:11: {said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[deamon]\nx = 1", "a.toml:1: deamon: expected one of daemon, journal, vault, strategies, health, risk, brokers, sessions, got a key that has no meaning here; did you mean daemon?"),
        ("[daemon]\ndrain_s = 601", "a.toml:2: daemon.drain_s: expected 0 to 600, got 601 (integer)"),
        (
            '[risk]\nloss_calendar = "lunar"',
            "a.toml:2: risk.loss_calendar: expected a calendar such as always, us_stocks or cme_equity, got 'lunar' (string)",
        ),
        ("[journal]\ncapture_kib = 0", "a.toml:2: journal.capture_kib: expected 1 to 4096, got 0 (integer)"),
        ('[daemon]\nstate_folder = "here"', "a.toml:2: daemon.state_folder: expected a path that begins with / or ~/, got 'here' (string)"),
        ('[vault]\nunlock = "key_file"', "a.toml:1: vault.key_file: expected a path, because vault.unlock is key_file, got none"),
        ("[risk]\norder_burst = 301", "a.toml:2: risk.order_burst: expected at most orders_per_minute, which is 300, got 301 (integer)"),
        ("daemon = 1", "a.toml:1: daemon: expected a table, got 1 (integer)"),
        ("brokers = 1", "a.toml:1: brokers: expected a table for each name, got a single value"),
        ("brokers.x = 1", "a.toml:1: brokers.x: expected a table, got 1 (integer)"),
        ("[[sessions]]", "a.toml:1: sessions: expected a table for each name, got a single value"),
        ("[sessions.ES_trend]", "a.toml:1: sessions.ES_trend: expected a name of small letters and digits, such as es-trend: at most 40, words joined by single hyphens, got 'ES_trend' (string)"),
        ('[brokers.none]\nkind = "paper"\naccounts = ["a"]', "a.toml:1: brokers.none: expected another name: same and none have a meaning of their own, got 'none' (string)"),
        ('[brokers.p]\nkind = "paper"\naccounts = ["a"]\nenvironment = "live"', "a.toml:4: brokers.p.environment: expected paper, because a paper broker has no other, got 'live' (string)"),
        ('[brokers.p]\nkind = "paper"', "a.toml:1: brokers.p.accounts: expected at least one account, because a paper broker keeps them, got none"),
        ('[brokers.p]\nkind = "paper"\naccounts = ["a"]\nhosts.rest = "localhost:1"', "a.toml:4: brokers.p.hosts: expected none, because a paper broker has no host, got hosts"),
        ("x = = 1", "a.toml:1: the document: expected TOML, got what is not TOML: Invalid value"),
        ("a = 1\na = 2", "a.toml:2: the document: expected TOML, got what is not TOML: Cannot overwrite a value"),
    ],
)  # fmt: skip
def test_a_section_is_refused_for_each_key_that_does_not_fit(text: str, said: str) -> None:
    assert one(text) == said


def test_a_lower_rate_alone_is_no_conflict_with_the_default_burst() -> None:
    assert problems("[risk]\norders_per_minute = 2") == []


def test_every_problem_of_every_source_is_told_at_once_in_order() -> None:
    first = "[daemon]\ndrain_s = -1\nlog_files = 0\nlog_size_mib = 0\nlog_levle = 'info'\n"
    second = "[sessions.a]\nbroker = 'nobody'\naccount = 1\n"
    found = check([Source("1", first), Source("2", second)], {"PITBOSS__RISK__ORDER_BURST": "many"})
    assert [(problem.file, problem.line, problem.key) for problem in found] == [
        ("1", 2, "daemon.drain_s"),
        ("1", 3, "daemon.log_files"),
        ("1", 4, "daemon.log_size_mib"),
        ("1", 5, "daemon.log_levle"),
        ("2", 1, "sessions.a.symbols"),
        ("2", 1, "sessions.a.strategy"),
        ("2", 3, "sessions.a.account"),
        ("environment variable PITBOSS__RISK__ORDER_BURST", None, "risk.order_burst"),
    ]


def test_a_wrong_broker_hides_no_problem_of_a_session_and_makes_none() -> None:
    text = GOOD.replace('login = "me"', "login = 1").replace('["ES"]', "[1]")
    assert [problem.split(":")[1] for problem in problems(text)] == ["3", "9"]


def test_a_file_that_is_not_toml_is_no_reason_to_call_its_keys_absent() -> None:
    found = check([Source("1", "[sessions.a\n"), Source("2", "[sessions.a]\nroll = 'up'")], {})
    assert [(problem.file, problem.key) for problem in found] == [("1", ""), ("2", "sessions.a.roll")]


def test_the_message_tells_that_nothing_was_loaded() -> None:
    with pytest.raises(
        ConfigError, match=r"^nothing was loaded; correct these and load again:\n  a:1: daemon"
    ) as caught:
        load([Source("a", "daemon.drain_s = 'x'"), Source("b", "x = 1")], {})
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("value", ["9" * 5000, "0x" + "f" * 5000, "[" * 5000, "'" + "x" * 100_000 + "'"])
def test_a_monstrous_value_is_one_short_problem(value: str) -> None:
    assert len(one(f"daemon.drain_s = {value}")) < 300


def live(more: str = "", kind: str = "tradovate") -> str:
    return f'[brokers.demo]\nkind = "{kind}"\naccounts = ["A"]\nenvironment = "live"\n{more}'


def test_s42_live_is_never_the_default() -> None:
    assert load([Source("a", GOOD)], {}).settings.brokers["demo"].environment == "paper"
    assert load([Source("a", live())], {}).settings.brokers["demo"].environment == "live"


@pytest.mark.parametrize(("key", "value"), [("ENVIRONMENT", "live"), ("ACCOUNTS", "B")])
def test_s42_a_variable_cannot_name_a_live_account(key: str, value: str) -> None:
    [problem] = check([Source("a", live())], {f"PITBOSS__BROKERS__DEMO__{key}": value})
    assert problem.expected == "a live account to be stated in a file"
    assert problem.file == f"environment variable PITBOSS__BROKERS__DEMO__{key}"


def test_s43_a_live_login_cannot_be_led_to_another_host() -> None:
    assert "expected none, because a live login goes to its broker alone" in one(live('hosts.rest = "localhost:1"'))


def test_two_brokers_may_not_close_each_others_login_but_paper_and_live_are_two_logins() -> None:
    other = live().replace("demo", "other")
    assert one(live() + other) == (
        "a.toml:5: brokers.other.login: expected another login or environment than brokers.demo, "
        "or its accounts listed there, got 'main' (string)"
    )
    assert problems(live() + other.replace('"live"', '"paper"')) == []
    assert problems(live() + other + 'login = "b"') == []
