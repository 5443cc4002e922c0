"""The machine of a rehearsal is in memory: what lies on the real disk, under whatever name, is not looked at."""

from pathlib import Path

import trio

from brokers.catalogue import Catalogue
from config.settings import load
from runtime.simulation import SimulatedWorld, simulate
from sessions.control.daemon.house import VAULT_FILE
from sessions.control.rehearsal.cast import Cast, usual_source
from sessions.control.rehearsal.machine import Ground


def test_a_vault_in_memory_is_not_refused_for_a_file_that_others_may_use(tmp_path: Path) -> None:
    exposed = tmp_path / VAULT_FILE
    exposed.write_bytes(b"of somebody else")
    exposed.chmod(0o666)

    async def play(world: SimulatedWorld) -> None:
        settings = load((usual_source(("tradovate",), "ES", 1),), {}).settings
        async with trio.open_nursery() as nursery:
            cast = await Cast.enter(world, nursery, settings, Catalogue.shipped())
            await cast.credit(Ground.of(world).life().world, tmp_path)
            Ground.of(world).machine().guard(exposed)
            nursery.cancel_scope.cancel()
        assert world.disk.read(exposed) != b"of somebody else"

    simulate(play, seed=1).unwrap()
