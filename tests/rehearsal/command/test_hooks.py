"""Assertions of a user's own: found by name, asked when something trades, told once, and never in the way."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.emulation.log import ARRIVED, FILLED, Entry
from sessions.control.rehearsal import Moment, invariant
from sessions.control.rehearsal.checker.invariant import Invariant
from sessions.control.rehearsal.hooks import Hook, load_rules
from sessions.control.rehearsal.refusal import NotRehearsable

SCENE: Any = None  # assertions of a user ask nothing of it
CLAIMS = """
from sessions.control.rehearsal import Moment, invariant
from sessions.control.rehearsal.checker import Invariant

@invariant
def never_short(now: Moment) -> str | None:
    return None

@invariant(name="flat at the end", at_end=True)
def ends_flat(now):
    return None

class Quiet(Invariant):
    name = "quiet"

def no_assertion(now):
    return None
"""


class Told:
    """An assertion in a run, whose answers the test decides."""

    def __init__(self, *answers: object, at_end: bool = False) -> None:
        self.asked: list[Moment] = []
        self.sentences: list[tuple[str, str]] = []
        self._answers = iter(answers)
        hook: Any = invariant(name="claim", at_end=at_end)(self.answer)
        assert isinstance(hook, Hook)
        self.rule: Invariant = hook(SCENE, lambda *words: self.sentences.append(words))
        self.rule.attend({})

    def answer(self, moment: Moment) -> str | None:
        self.asked.append(moment)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        assert answer is None or isinstance(answer, str)
        return answer

    def entry(self, kind: str = FILLED) -> None:
        self.rule.entry("tv", Entry(1, 5, kind, {}))


def test_it_is_asked_after_what_trades_and_at_the_end() -> None:
    told = Told(None, None)
    told.entry(ARRIVED)
    told.entry()
    told.rule.at_rest()
    assert [one.broker for one in told.asked] == ["tv", ""]
    assert [one.entry is None for one in told.asked] == [False, True]
    assert told.sentences == []


def test_one_for_the_end_is_asked_only_then() -> None:
    told = Told("not flat", at_end=True)
    told.entry()
    assert told.asked == []
    told.rule.at_rest()
    assert told.sentences == [("claim", "not flat")]


def test_what_goes_on_being_broken_is_told_once_and_again_after_it_was_well() -> None:
    told = Told("2 held", "3 held", None, "4 held")
    for _ in range(4):
        told.entry()
    assert told.sentences == [("claim", "2 held"), ("claim", "4 held")]


def test_an_assertion_that_raises_is_broken_itself_and_asked_no_more() -> None:
    told = Told(KeyError("ES"), None)
    for _ in range(3):
        told.entry()
    assert told.sentences == [("claim", "the assertion itself raised KeyError: 'ES'")]
    assert len(told.asked) == 1


def test_nothing_is_held_and_nothing_earned_where_there_is_no_broker() -> None:
    now = Moment({}, {})
    assert (now.held("ES"), now.positions(), now.open_orders(), now.profit()) == (Decimal(0), {}, (), Decimal(0))


def test_they_are_found_by_name_or_all_of_a_module(tmp_path: Path) -> None:
    (tmp_path / "claims.py").write_text(CLAIMS)

    def names(reference: str) -> list[str]:
        return [rule(SCENE, lambda *_: None).name for rule in load_rules(reference, tmp_path, tmp_path)]

    assert names("claims") == ["never-short", "flat at the end", "quiet"]
    assert names("claims:ends_flat") == ["flat at the end"]
    assert names("claims:Quiet") == ["quiet"]


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("claims:no_assertion", "its assertions are never_short, ends_flat, Quiet"),
        ("claims:Invariant", "expected Invariant in claims"),
        ("../claims", "it has not the form of a reference"),
        ("broken", "broken.py:1"),
        ("decimal", "expected assertions in decimal; it has none"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(reference: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "claims.py").write_text(CLAIMS)
    (tmp_path / "broken.py").write_text("def (")
    with pytest.raises(NotRehearsable) as refusal:
        load_rules(reference, tmp_path, tmp_path)
    assert told in str(refusal.value)
