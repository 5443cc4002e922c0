"""Views of accounts are asked for one at a time, and never too seldom."""

from hypothesis import given
from hypothesis import strategies as st

from brokers.account_views import AccountViews

ACCOUNTS = ("a", "b", "c")
STEPS = st.lists(st.tuples(st.sampled_from(["move", "due", "told"]), st.sampled_from(ACCOUNTS)), max_size=60)


@given(STEPS)
def test_each_account_is_asked_about_by_one_at_a_time_and_again_after_its_last_move(
    steps: list[tuple[str, str]],
) -> None:
    views, asking, soon = AccountViews(), set[str](), False
    fresh = dict.fromkeys(ACCOUNTS, True)  # whether the view that was asked for last shows the last move

    def asked() -> None:
        for account in views.due():
            assert account not in asking
            asking.add(account)
            fresh[account] = True

    for step, account in steps:
        if step == "move":
            fresh[account] = False
            soon |= views.note({account})
        elif step == "told" and account in asking:
            asking.discard(account)
            soon |= views.told(account)
        elif step == "due" and soon:
            soon = False
            asked()
    while soon or asking:
        if soon:
            soon = False
            asked()
        for account in sorted(asking):
            asking.discard(account)
            soon |= views.told(account)
    assert all(fresh.values())


def test_moves_that_come_together_are_one_question() -> None:
    views = AccountViews()
    assert views.note({"a"})
    assert not views.note({"b"})
    assert not views.note({"a"})
    assert views.due() == ["a", "b"]
    assert not views.note({"a"})
    assert views.told("a")
    assert views.due() == ["a"]
