"""Rule 10: each session's share beside the account's net position, both averages kept and labelled."""

from tests.brokers.ledger.makers import BUY, SELL, D, fill, holds, marked, new_ledger, of


def test_shares_sum_to_the_position_and_both_averages_are_told() -> None:
    ledger = new_ledger()
    ledger.apply(fill(1, BUY, 10, 100, session="trend"))
    ledger.apply(fill(2, SELL, 4, 110, session="revert"))
    ledger.apply(fill(3, BUY, 2, 120))
    shares = ledger.session_positions("ONE")
    assert [of(share.session, share.position.quantity, share.position.average_price) for share in shares] == [
        (None, 2, 120),
        ("revert", -4, 110),
        ("trend", 10, 100),
    ]
    assert {share.account_average for share in shares} == {ledger.position("ONE").average_price} == {D(105)}
    assert sum(share.position.quantity for share in shares) == ledger.position("ONE").quantity == 8


def test_one_share_is_the_same_as_among_all_and_a_stranger_has_none() -> None:
    ledger = new_ledger()
    ledger.apply(fill(1, BUY, 10, 100, session="trend"))
    ledger.apply(fill(2, SELL, 4, 110, session="revert"))
    ledger.apply(fill(3, BUY, 2, 120))
    ledger.mark(marked("ONE", 115))
    for share in ledger.session_positions("ONE"):
        assert ledger.session_position("ONE", share.session) == share.position
    assert ledger.session_position("ONE", "stranger") is None


def test_profit_is_split_differently_but_is_the_same_in_sum() -> None:
    ledger = new_ledger()
    ledger.apply(fill(1, BUY, 10, 100, session="trend"))
    ledger.apply(fill(2, SELL, 4, 110, session="revert"))
    ledger.mark(marked("ONE", 115))
    net, shares = ledger.position("ONE"), [share.position for share in ledger.session_positions("ONE")]
    assert of(net.realised, net.unrealised) == (40, 90)
    assert [of(share.realised, share.unrealised) for share in shares] == [(0, -20), (0, 150)]
    assert sum(share.realised + share.unrealised for share in shares) == net.realised + net.unrealised


def test_sessions_against_each_other_leave_the_account_flat_and_themselves_not() -> None:
    ledger = new_ledger()
    ledger.apply(fill(1, BUY, 5, 100, session="a"))
    ledger.apply(fill(2, SELL, 5, 103, session="b"))
    ledger.mark(marked("ONE", 101, 102))
    assert of(ledger.position("ONE").quantity, ledger.position("ONE").realised) == (0, 15)
    assert [share.position.mark for share in ledger.session_positions("ONE")] == [101, 102]
    assert holds(ledger)


def test_each_session_has_its_own_trade_statistics_and_fees() -> None:
    ledger = new_ledger()
    ledger.apply(fill(1, BUY, 5, 100, session="a", fee=1))
    ledger.apply(fill(2, SELL, 5, 103, session="b", fee=2))
    ledger.apply(fill(3, BUY, 5, 101, session="b", fee=2))
    assert ledger.session_statistics("ONE", "a").trades == 0
    assert of(ledger.session_statistics("ONE", "b").won, ledger.session_statistics("ONE", "b").fees) == (6, 4)
    assert ledger.session_statistics("ONE", "nobody").trades == 0
    assert of(ledger.statistics("ONE").trades, ledger.statistics("ONE").fees) == (1, 5)


def test_the_only_session_of_an_instrument_has_the_accounts_own_tally() -> None:
    ledger = new_ledger()
    for number, side in enumerate([BUY, BUY, SELL, SELL, SELL], 1):
        ledger.apply(fill(number, side, number, 100 + number, session="a"))
        book = ledger.account.books["ONE"]
        assert book.shares["a"] is book.net
