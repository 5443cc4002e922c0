"""The vault under a token store: what a refresh brought is sealed on the disk before anybody uses it."""

from typing import Any

import pytest
import trio

from brokers.tokens.credentials import Credential, LoginId, NoCredential, VersionConflict
from brokers.tokens.token_set import Kept, kept_in, with_kept
from brokers.tokens.token_store import TokenStore
from brokers.vault import Keyholder, Vault
from brokers.vault.private import anybody
from brokers.vault.shelf import VaultShelf
from runtime import Child, Ref, Supervisor, open_runtime
from runtime.simulation import SimulatedWorld
from tests.brokers.tokens.kit import FIELDS, LOGIN, OAuthServer, house
from tests.brokers.vault.kit import FILE, key_file, with_vault
from tests.runtime.simulation.rehearsal import rehearsed


@rehearsed
async def test_what_was_put_is_got_under_a_version_that_the_next_put_must_follow(world: SimulatedWorld) -> None:
    async def play(vault: Ref[Vault]) -> None:
        shelf = VaultShelf(vault)
        with pytest.raises(NoCredential, match="pitboss keys set tradestation"):
            await shelf.get(LOGIN)
        await shelf.put(Credential(LOGIN, FIELDS))
        first = await shelf.get(LOGIN)
        assert first.fields == FIELDS
        other = {**FIELDS, "client_id": FIELDS["client_secret"]}
        await shelf.put(Credential(LOGIN, other, first.version))
        with pytest.raises(VersionConflict):
            await shelf.put(Credential(LOGIN, FIELDS, first.version))
        assert (await shelf.get(LOGIN)).fields == other

    await with_vault(world, play)


@rehearsed
async def test_paper_and_live_credentials_of_one_login_are_two(world: SimulatedWorld) -> None:
    async def play(vault: Ref[Vault]) -> None:
        shelf = VaultShelf(vault)
        await shelf.put(Credential(LOGIN, FIELDS))
        with pytest.raises(NoCredential):
            await shelf.get(LoginId(LOGIN.broker, LOGIN.login, "paper"))

    await with_vault(world, play)


@rehearsed
async def test_s58_a_rotated_refresh_token_survives_an_end_of_store_and_vault_at_any_moment(
    world: SimulatedWorld,
) -> None:
    holder, server = Keyholder([key_file()]), OAuthServer(life=60)
    children = [Child("vault", lambda: Vault(FILE, holder, world.chance.randbytes, anybody), name="vault")]
    async with open_runtime(world) as runtime:
        top = await runtime.start(Supervisor(children, max_restarts=1000))
        shelf = VaultShelf(runtime.name("vault", Vault))
        tokens = Kept(server.log_in(world.clock.wall_ns()), 1)
        await shelf.put(with_kept(Credential(LOGIN, FIELDS), tokens))
        stand_in: Any = shelf
        async with house(world, stand_in, server, streams=2) as home:
            for _ in range(60):
                await trio.sleep(world.chance.uniform(0, 10))
                victims: list[Ref[Any] | None] = [top.child("vault"), home.top.child("tokens")]
                victim = victims[world.chance.randrange(2)]
                if victim is not None:
                    victim.kill()
            await trio.sleep(30)
            token = await home.store.call(TokenStore.token)
            assert token.access.reveal() == server.access
            assert kept_in(await shelf.get(LOGIN)).tokens is not None
        assert server.locked_out == 0
        assert server.most_running == 1
