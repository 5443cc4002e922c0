"""What `pitboss init` asks, as plain values, and the file that the answers make."""

import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from config.lines import Path
from config.reading import ConfigError
from config.settings.brokers import PAPER
from config.settings.layers import Source
from config.settings.loading import load
from config.settings.schema import field_at, sentence
from config.settings.writing import header, toml

Answers = Mapping[str, str]


def _always(_: Answers) -> bool:
    return True


def _at_a_real_broker(answers: Answers) -> bool:
    return answers["kind"] != PAPER


def _for_a_session(answers: Answers) -> bool:
    return answers["session"] != ""


@attrs.frozen
class _Item:
    key: str
    question: str
    default: str
    asked: Callable[[Answers], bool] = _always


_ITEMS: Final = (
    _Item("kind", "Which broker?", PAPER),
    _Item("login", "Which of your logins there?", "main", _at_a_real_broker),
    _Item("environment", "Paper or live?", "paper", _at_a_real_broker),
    _Item("account", "Which account?", "paper-1"),
    _Item("session", "What is your first session called (nothing for none)?", ""),
    _Item("symbols", "What does it trade, separated by commas?", "ES", _for_a_session),
    _Item("strategy", "Which strategy, as module:Class?", "ema_cross:EmaCross", _for_a_session),
    _Item("interval", "How long are its bars?", "1m", _for_a_session),
    _Item("max_position", "What is its greatest position?", "1", _for_a_session),
    _Item("max_daily_loss", "At which loss of a day does everything stop adding risk?", "1000"),
    _Item("log_level", "What is logged: debug, info, warning or error?", "info"),
)
DEFAULTS: Final[Answers] = {item.key: item.default for item in _ITEMS}


@attrs.frozen
class Question:
    """One question; `problem` says what is wrong with an answer, `asked` whether earlier answers leave it open."""

    key: str
    question: str
    default: str
    problem: Callable[[str], str | None]
    asked: Callable[[Answers], bool]


def questions(kinds: Sequence[str] = (PAPER,)) -> tuple[Question, ...]:
    """The questions in the order to ask them; `kinds` are the brokers that are installed."""
    return tuple(_question(item, tuple(kinds)) for item in _ITEMS)


def _question(item: _Item, kinds: tuple[str, ...]) -> Question:
    def problem(answer: str) -> str | None:
        if item.key == "kind" and answer not in kinds:
            return f"expected one of {', '.join(kinds)}, got {answer!r}"
        return _refusal({"kind": "other", "session": "first", item.key: answer})

    def asked(answers: Answers) -> bool:
        return item.asked({**DEFAULTS, **answers})

    return Question(item.key, item.question, item.default, problem, asked)


def _refusal(answers: Answers) -> str | None:
    """What the settings themselves say against the answers."""
    try:
        render_init(answers)
    except ConfigError as error:
        return f"expected {error.problems[0].expected}, got {error.problems[0].got}"
    return None


def render_init(answers: Answers) -> str:
    """The file that the answers make, each key under its sentence; raises ConfigError when they do not fit.

    Questions without an answer take their default.
    """
    lines = ["# The settings of pitboss. Credentials are not kept here but by `pitboss keys set`."]
    table: Path = ()
    for path, text in _stated({**DEFAULTS, **answers}):
        if path[:-1] != table:
            table = path[:-1]
            lines += ["", header(table)]
        lines += _key(path, text)
    whole = "\n".join((*lines, ""))
    load([Source("the answers", whole)], {})
    return whole


def _stated(answers: Answers) -> Iterator[tuple[Path, str]]:
    broker = ("brokers", answers["kind"])
    yield (*broker, "kind"), answers["kind"]
    yield (*broker, "accounts"), answers["account"]
    if _at_a_real_broker(answers):
        yield (*broker, "login"), answers["login"]
        yield (*broker, "environment"), answers["environment"]
    if _for_a_session(answers):
        yield from _session(("sessions", answers["session"]), answers)
    yield ("risk", "max_daily_loss"), answers["max_daily_loss"]
    yield ("daemon", "log_level"), answers["log_level"]


def _session(session: Path, answers: Answers) -> Iterator[tuple[Path, str]]:
    yield (*session, "broker"), answers["kind"]
    for key in ("account", "symbols", "strategy", "interval"):
        yield (*session, key), answers[key]
    yield (*session, "risk", "max_position"), answers["max_position"]


def _key(path: Path, text: str) -> tuple[str, str]:
    """A key under its sentence; every question's setting is text, a decimal or an array of text."""
    field = field_at(path)
    if field is None:
        raise LookupError(f"the question for {'.'.join(path)} has no setting")
    value: Any = text
    if typing.get_origin(field.type) is tuple:
        value = [part.strip() for part in text.split(",") if part.strip()]
    return f"# {sentence(field)}", f"{path[-1]} = {toml(value)}"
