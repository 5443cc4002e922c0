"""Claims about the questions of init and the file that their answers make."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.reading import ConfigError
from config.settings import Settings, Source, load
from config.settings.questions import DEFAULTS, Question, questions, render_init

BY_KEY = {question.key: question for question in questions(("paper", "tradovate"))}


def loaded(answers: dict[str, str]) -> Settings:
    return load([Source("a", render_init(answers))], {}).settings


def test_every_default_is_an_answer_that_fits() -> None:
    assert {key: question.problem(question.default) for key, question in BY_KEY.items()} == dict.fromkeys(BY_KEY)
    assert loaded({}).brokers == Settings().brokers


def test_the_answers_are_in_the_file_under_the_sentence_of_their_key() -> None:
    text = render_init({"session": "es-trend", "symbols": "ES, NQ", "max_position": "2", "strategy": "m:C"})
    session = load([Source("a", text)], {}).settings.sessions["es-trend"]
    assert (session.symbols, str(session.risk.max_position), session.strategy) == (("ES", "NQ"), "2", "m:C")
    assert "# The length of its bars.\ninterval = " in text


def test_a_real_broker_is_asked_for_login_and_environment_and_a_paper_broker_is_not() -> None:
    def asked(answers: dict[str, str]) -> set[str]:
        return {key for key, question in BY_KEY.items() if question.asked(answers)}

    assert asked({}) == {"kind", "account", "session", "max_daily_loss", "log_level"}
    assert asked({"kind": "tradovate"}) - asked({}) == {"login", "environment"}
    assert asked({"session": "x"}) - asked({}) == {"symbols", "strategy", "interval", "max_position"}
    broker = loaded({"kind": "tradovate", "login": "me", "environment": "live"}).brokers["tradovate"]
    assert (broker.login, broker.environment) == ("me", "live")


@pytest.mark.parametrize(
    ("key", "answer", "said"),
    [
        ("kind", "papper", "expected one of paper, tradovate, got 'papper'"),
        ("environment", "real", "expected one of paper, live, got 'real' (string)"),
        ("account", "", "expected an account id of letters, digits and . _ : -, got '' (string)"),
        ("session", "ES Trend", "expected a name of small letters and digits, such as es-trend: at most 40, words joined by single hyphens, got 'ES Trend' (string)"),
        ("symbols", "es", "expected a symbol of capital letters, digits, dot, slash and hyphen, such as ES or BTC-USD, got 'es' (string)"),
        ("max_position", "two", "expected a decimal in quotes, such as \"0.25\", got 'two' (string)"),
        ("login", 'x"\nkind = "y', "expected a login name of letters, digits and . _ @ + -, got 'x\"\\nkind = \"y' (string)"),
    ],
)  # fmt: skip
def test_an_answer_that_does_not_fit_is_told_in_one_line(key: str, answer: str, said: str) -> None:
    assert BY_KEY[key].problem(answer) == said


def test_answers_that_do_not_fit_make_no_file() -> None:
    with pytest.raises(ConfigError, match=r"risk\.max_daily_loss: expected a number above"):
        render_init({"max_daily_loss": "0"})


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries({}, optional={key: st.text(max_size=8) | st.just(value) for key, value in DEFAULTS.items()})
)
def test_any_answers_make_a_file_that_loads_or_are_refused(answers: dict[str, str]) -> None:
    fits = all(_fits(BY_KEY[key], answers) for key in answers)
    try:
        found = loaded(answers)
    except ConfigError:
        assert not fits
    else:
        assert found.daemon.log_level == answers.get("log_level", "info")


def _fits(question: Question, answers: dict[str, str]) -> bool:
    return not question.asked(answers) or question.problem(answers[question.key]) is None
