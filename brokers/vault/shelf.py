"""The vault as the token stores see it: one credential a login, put back under the version that was read."""

from brokers.capability import Environment
from brokers.tokens.credentials import Credential as TokenCredential
from brokers.tokens.credentials import LoginId, VersionConflict
from brokers.tokens.credentials import NoCredential as NothingThere
from brokers.vault.errors import NoCredential, StaleVersion
from brokers.vault.records import Credential, CredentialId
from brokers.vault.vault import Vault
from runtime import Name, Ref


class VaultShelf:
    """Gets and puts through the vault; its other errors pass as they are."""

    def __init__(self, vault: Name[Vault] | Ref[Vault]) -> None:
        self._vault = vault

    async def get(self, login: LoginId, /) -> TokenCredential:
        """The newest credential; raises NoCredential of the token stores."""
        try:
            found = await self._vault.call(Vault.get, _id_of(login))
        except NoCredential as error:
            raise NothingThere(login) from error
        return TokenCredential(login, found.fields, found.version)

    async def put(self, credential: TokenCredential, /) -> None:
        """Replaces the version that was read, durable on return; raises VersionConflict when it is not the newest."""
        sealed = Credential(_id_of(credential.id), credential.fields, credential.version)
        try:
            await self._vault.call(Vault.put, sealed)
        except StaleVersion as error:
            raise VersionConflict(credential.id, error.seen, error.current) from error


def _id_of(login: LoginId) -> CredentialId:
    return CredentialId(login.broker, login.login, None, Environment(login.environment))
