"""The vault as an actor: it alone holds the master key, and what it answers to a put is on the disk."""

import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import attrs
import trio

from brokers.vault.errors import FileExposed, VaultChanged, VaultError, VaultUnreadable
from brokers.vault.private import Alone, Guard, no_other, refuse_exposed
from brokers.vault.records import KIND, Credential, CredentialId, from_plain, to_plain
from brokers.vault.sealing import Entropy
from brokers.vault.store import Store
from brokers.vault.unlock import Keyholder, KeySource, new_key
from runtime import Actor
from runtime.calls import Reply
from runtime.cell import Refuse

T = TypeVar("T")

NAME: Final = "vault"


@attrs.frozen
class VaultStatistics:
    """What is known of the vault without opening anything; lock and versions are None while it is empty."""

    credentials: int
    revision: int
    source: str | None
    key_version: int | None
    wraps: int
    gets: int
    puts: int


class Vault(Actor):
    """Keeps credentials sealed, on disk and in memory; opens one for each get, and answers a put when it is durable.

    `entropy` is `SYSTEM_ENTROPY` in life. The keyholder belongs to whoever starts the vault, for all its lives. A
    vault that does not open refuses to start with the sentence that says what to do next.
    """

    expects = (VaultError,)
    safe = frozenset({"file", "gets", "puts"})

    def __init__(
        self,
        path: Path,
        keys: Keyholder,
        entropy: Entropy,
        guard: Guard = refuse_exposed,
        alone: Alone = no_other,
    ) -> None:
        self.file = path
        self._alone = alone
        self.gets = 0
        self.puts = 0
        self._keys = keys
        self._entropy = entropy
        self._guard = guard
        self._changing = trio.Lock()
        self._store: Store

    async def on_start(self) -> None:
        """Opens the file with the key of its source, both in a worker thread."""
        self._store = Store(self.file, self.world.disk, self._keys, self._entropy, self._guard, self._alone)
        try:
            await self.world.threads.run(self._store.open)
        except VaultError as error:
            raise Refuse(str(error)) from error

    async def get(self, id: CredentialId) -> Credential:  # noqa: A002 - its name everywhere else
        """The newest version of a credential, another process's too; raises NoCredential."""
        self.gets += 1
        with contextlib.suppress(VaultChanged, VaultUnreadable, FileExposed):  # what is known stays good to read
            await self._changed(self._store.refresh)
        fields = from_plain(self._store.plain(id.name))
        book = self._store.book
        return Credential(id, fields, book.version(id.name) if book else 0)

    async def put(self, credential: Credential) -> int:
        """Stores a credential over the version that it carries and returns its new one, durable by then.

        Raises StaleVersion when another put came first. A put of what is stored already is no change, so one whose
        answer was lost may be sent again. After VaultNotSaved the former version stands: send it again later. The
        first put of a new vault makes its key, which takes as long as a key derivation or a keyring's prompt.
        """
        self.puts += 1
        plain = to_plain(credential.fields)
        return await self._changed(partial(self._store.put, credential.id.name, plain, credential.version))

    async def remove(self, id: CredentialId) -> None:  # noqa: A002 - its name everywhere else
        """Drops a credential; raises NoCredential."""
        await self._changed(partial(self._store.remove, id.name))

    def ids(self) -> tuple[CredentialId, ...]:
        """Whose credentials are stored, in order; no secrets."""
        book = self._store.book
        names = sorted(entry.name for entry in book.entries if entry.name[0] == KIND) if book else []
        return tuple(map(CredentialId.of, names))

    def rotate(self, source: KeySource) -> int:
        """Puts the vault under a new master key of this source and answers the key's version.

        Gets and puts go on meanwhile. Raises SourceUnavailable, KeyringRefused, VaultNotSaved; the old key holds then.
        """
        reply = self.defer()
        self.spawn(self._rotate, source, reply)
        version: int = reply.later
        return version

    def statistics(self) -> VaultStatistics:
        """Counts and versions; no secrets."""
        book = self._store.book
        return VaultStatistics(
            credentials=len(book.entries) if book else 0,
            revision=book.revision if book else 0,
            source=book.lock.source if book else None,
            key_version=book.key_version if book else None,
            wraps=book.wraps if book else 0,
            gets=self.gets,
            puts=self.puts,
        )

    async def _rotate(self, source: KeySource, reply: Reply) -> None:
        try:
            unlocked = await self.world.threads.run(partial(new_key, source, self._entropy))
            reply.send(await self._changed(partial(self._store.adopt, source, unlocked)))
        except VaultError as error:
            reply.fail(error)

    async def _changed(self, change: Callable[[], T]) -> T:
        """Runs one change at a time, in a worker thread."""
        async with self._changing:
            return await self.world.threads.run(change)
