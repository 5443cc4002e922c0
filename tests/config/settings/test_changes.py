"""Claims about the difference of two settings: a reload touches what changed and nothing else."""

from hypothesis import given, settings

from config.settings import Changes, Names, Settings, Source, diff, load
from tests.config.settings.documents import Document, documents, text_of

OLD = """\
[brokers.a]
kind = "paper"
accounts = ["1"]
[brokers.b]
kind = "paper"
accounts = ["1"]
[sessions.one]
broker = "a"
account = "1"
symbols = ["ES"]
strategy = "m:C"
[sessions.two]
broker = "a"
account = "1"
symbols = ["ES"]
strategy = "m:C"
data = "b"
"""


def loaded(text: str) -> Settings:
    return load([Source("a", text)], {}).settings


def change(old: str, new: str) -> Changes:
    return diff(loaded(OLD), loaded(OLD.replace(old, new, 1)))


def test_a_parameter_restarts_its_session_alone() -> None:
    found = change('strategy = "m:C"\n[', 'strategy = "m:C"\nparams = { n = 1 }\n[')
    assert found == Changes(sessions=Names(changed=("one",)))
    assert found.restarts == ("one",)


def test_a_broker_restarts_the_sessions_that_trade_or_look_at_it() -> None:
    found = change('[brokers.b]\nkind = "paper"', '[brokers.b]\nkind = "paper"\nmarket = { seed = 2 }')
    assert (found.brokers, found.affected) == (Names(changed=("b",)), ("two",))
    found = change('kind = "paper"', 'kind = "paper"\nmarket = { seed = 2 }')
    assert found.restarts == ("one", "two")


def test_what_came_and_went_is_told_by_name() -> None:
    found = change("[sessions.one]", "[sessions.three]")
    assert found.sessions == Names(added=("three",), removed=("one",))
    assert found.restarts == ()


def test_a_section_touches_no_session_and_some_keys_wait_for_a_restart() -> None:
    found = change(
        "[brokers.a]", "[daemon]\ndrain_s = 1\nstate_folder = '/x'\n[risk]\nmax_open_orders = 9\n[brokers.a]"
    )
    assert found.keys == (("daemon", "state_folder"), ("daemon", "drain_s"), ("risk", "max_open_orders"))
    assert found.waiting == (("daemon", "state_folder"),)
    assert found.restarts == ()


@settings(max_examples=25, deadline=None)
@given(data=documents(), other=documents())
def test_there_is_no_change_exactly_when_nothing_differs(data: Document, other: Document) -> None:
    old, new = loaded(text_of(data)), loaded(text_of(other))
    assert not diff(old, loaded(text_of(data)))
    assert bool(diff(old, new)) == (old != new)
    there, back = diff(old, new), diff(new, old)
    assert there.sessions.added == back.sessions.removed
    assert set(there.restarts) <= set(old.sessions) & set(new.sessions)
