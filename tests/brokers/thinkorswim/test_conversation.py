"""The conversation, without a wire: one command at a time, until all is held or refused."""

from hypothesis import given
from hypothesis import strategies as st

from brokers.thinkorswim.codes import response_code
from brokers.thinkorswim.conversation import MOST_KEYS, Conversation, Wanted
from brokers.thinkorswim.fields import Service
from brokers.thinkorswim.wire import Command, Verb

L1, CHART = Service.LEVELONE_FUTURES, Service.CHART_FUTURES
OK, FAILED, LIMIT, BAD = (response_code(number) for number in (0, 24, 19, 21))


def wanted(*keys: str, fields: tuple[int, ...] = (0, 1)) -> dict[Service, Wanted]:
    return {L1: Wanted(frozenset(keys), fields)} if keys else {}


def spoken(
    talk: Conversation, bad: frozenset[str] = frozenset(), most: int = 200
) -> tuple[Conversation, list[Command]]:
    """Talks to the end with a streamer that refuses commands with a bad key."""
    said: list[Command] = []
    while (command := talk.next()) is not None:
        said.append(command)
        assert len(said) <= most, said[-10:]
        talk = talk.said(command)
        assert talk.next() is None
        refuses = command.verb in (Verb.SUBS, Verb.ADD) and bad & set(command.keys)
        talk = talk.answered(LIMIT if refuses else OK)
    return talk, said


def verbs(said: list[Command]) -> list[Verb]:
    return [command.verb for command in said]


def test_login_comes_before_everything() -> None:
    _, said = spoken(Conversation(wanted("/ES")))
    assert verbs(said) == [Verb.LOGIN, Verb.SUBS]


def test_later_symbols_are_added_and_unneeded_ones_taken_away() -> None:
    talk, _ = spoken(Conversation(wanted("/ES")))
    talk, said = spoken(talk.want(wanted("/ES", "/NQ")))
    assert said == [Command(L1, Verb.ADD, ("/NQ",), (0, 1))]
    talk, said = spoken(talk.want(wanted("/NQ")))
    assert said == [Command(L1, Verb.UNSUBS, ("/ES",))]
    talk, said = spoken(talk.want({}))
    assert said == [Command(L1, Verb.UNSUBS, ("/NQ",))]
    assert talk.held == {}


def test_other_fields_are_viewed_and_additions_keep_those_in_force() -> None:
    talk, _ = spoken(Conversation(wanted("/ES")))
    talk, said = spoken(talk.want(wanted("/ES", "/NQ", fields=(0, 1, 34))))
    assert said == [Command(L1, Verb.ADD, ("/NQ",), (0, 1)), Command(L1, Verb.VIEW, (), (0, 1, 34))]


def test_a_failed_command_is_repeated_three_times_and_then_refused() -> None:
    talk, _ = spoken(Conversation())
    talk = talk.want(wanted("/ES"))
    for _ in range(4):
        command = talk.next()
        assert command is not None
        talk = talk.said(command).answered(FAILED)
    assert talk.next() is None
    assert talk.refused[L1, "/ES"] is FAILED


def test_what_was_refused_is_asked_for_again_only_by_somebody_new() -> None:
    talk, _ = spoken(Conversation(wanted("/ES", "/XX")), frozenset({"/XX"}))
    assert talk.refused[L1, "/XX"] is LIMIT
    assert talk.holds((L1, "/ES"))
    assert talk.want(wanted("/ES", "/XX")).next() is None
    talk = talk.want(wanted("/ES")).want(wanted("/ES", "/XX"))
    assert talk.next() == Command(L1, Verb.ADD, ("/XX",), (0, 1))


def test_a_refused_goodbye_to_a_symbol_is_not_repeated() -> None:
    talk, _ = spoken(Conversation(wanted("/ES", "/NQ")))
    talk = talk.want(wanted("/ES"))
    command = talk.next()
    assert command is not None
    assert talk.said(command).answered(BAD).next() is None


def test_an_answer_to_nothing_changes_nothing() -> None:
    talk, _ = spoken(Conversation(wanted("/ES")))
    assert talk.answered(BAD) is talk


def test_a_few_bad_names_among_many_cost_few_commands() -> None:
    names = [f"/X{number}" for number in range(MOST_KEYS)]
    bad = frozenset({"/X7", "/X300"})
    talk, said = spoken(Conversation(wanted(*names)), bad)
    assert talk.held[L1].keys == frozenset(names) - bad
    assert len(said) < 80


KEYS = st.frozensets(st.sampled_from([f"/K{number}" for number in range(8)]))


@given(st.lists(st.tuples(KEYS, KEYS), min_size=1, max_size=6), KEYS)
def test_whatever_is_wanted_in_whatever_order_ends_held_or_refused(
    needs: list[tuple[frozenset[str], frozenset[str]]], bad: frozenset[str]
) -> None:
    talk = Conversation()
    for level, chart in needs:
        need = {service: Wanted(keys, (0, 1)) for service, keys in ((L1, level), (CHART, chart)) if keys}
        talk, _ = spoken(talk.want(need), bad)
        for service, keys in ((L1, level), (CHART, chart)):
            held = talk.held[service].keys if service in talk.held else frozenset()
            assert held == keys - bad
            assert {key for other, key in talk.refused if other is service} == keys & bad
