"""A world for tests of actors that touch nothing outside."""

import random

from runtime import World
from runtime.real import real_world


def plain_world(seed: int = 0) -> World:
    """A real world with a seeded chance; on trio's mock clock it costs no time."""
    return real_world(random.Random(seed))
