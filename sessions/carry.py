"""Who carries what over the turn of a month: accounts their books, sessions their logs, the daemon what should run."""

from collections.abc import Iterator

from sessions.journal import Entry, Reader
from sessions.journal.carry import Carry, newest_of_each_key, streams
from sessions.order_journal import PREFIX, carry_books, orders_in_books
from sessions.sessions import DESIRED
from sessions.trader.log import carry_session_logs


def carrying(*others: Carry) -> Carry:
    """A carry of all that accounts and sessions need, and of what others pick for themselves."""

    def carry(reader: Reader) -> Iterator[Entry]:
        accounts = streams(reader, PREFIX)
        for stream in accounts:
            yield from carry_books(reader, stream)
        orders = {key for stream in accounts for key in orders_in_books(reader, stream)}
        yield from carry_session_logs(reader, orders)
        yield from newest_of_each_key(reader, DESIRED)
        for other in others:
            yield from other(reader)

    return carry
