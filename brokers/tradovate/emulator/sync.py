"""User synchronisation: all that a user has in one answer, and from then on every change of it as an event."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from brokers.emulation.switchboard import Switchboard
from brokers.emulation.updates import Update
from brokers.tradovate.emulator.book import OrderBook
from brokers.tradovate.emulator.socket import Ask, Socket
from brokers.tradovate.emulator.store import KINDS, Entity, Store
from brokers.tradovate.emulator.words import Fields, RefusedError, wholes

_PLURALS: Final[Mapping[str, str]] = {"currency": "currencies", "contractMaturity": "contractMaturities"}


class Synchronisation:
    """Begins and feeds it."""

    def __init__(self, store: Store, book: OrderBook, faults: Switchboard, user_id: int) -> None:
        self._store = store
        self._book = book
        self._faults = faults
        self._user_id = user_id

    def begin(self, ask: Ask, fields: Fields) -> dict[str, Any]:
        """The state of things, after which changes are told; once for each socket. Raises RefusedError."""
        accounts, kinds = self._accounts(fields), _kinds(fields)
        if ask.socket.synced:
            raise RefusedError(400, "Already synchronized")
        ask.socket.synced = True
        ask.split = fields.get("splitResponses") is True
        ask.socket.at_end(self._book.updates.hear(partial(_tell, ask.socket, accounts, kinds)))
        stale = self._faults.strikes("stale-snapshot") is not None
        return {
            _PLURALS.get(kind, f"{kind}s"): [
                row
                for row in self._store.rows(kind, stale=stale and kind == "order")
                if self._is_of(kind, row, accounts)
            ]
            for kind in KINDS
            if kind in kinds
        }

    def _accounts(self, fields: Fields) -> frozenset[int]:
        every = frozenset(row["id"] for row in self._store.rows("account"))
        if ("users" in fields) == ("accounts" in fields):
            raise RefusedError(400, "Either users or accounts must be specified")
        wanted = frozenset(wholes(fields, "users" if "users" in fields else "accounts"))
        if not wanted <= (frozenset({self._user_id}) if "users" in fields else every):
            raise RefusedError(401)
        return every if "users" in fields else wanted

    def _is_of(self, kind: str, row: Entity, accounts: frozenset[int]) -> bool:
        """Whether a row belongs to the accounts; those of the market belong to all."""
        account = row["id"] if kind == "account" else row.get("accountId")
        record = self._book.record_of(kind, row)
        if account is None and record is not None:
            account = record.ticket.account
        return account is None or account in accounts


def _kinds(fields: Fields) -> frozenset[str]:
    kinds = fields.get("entityTypes", list(KINDS))
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        raise RefusedError(400, "Invalid parameter: entityTypes")
    return frozenset(kinds)


def _tell(socket: Socket, accounts: frozenset[int], kinds: frozenset[str], update: Update) -> None:
    if int(update.account) not in accounts:
        return
    for one in update.frame["props"]:
        if one["entityType"] in kinds:
            socket.push("props", one)
