"""Chance by name: every name under a seed gives the same draws, in any order and on any machine.

Only additions, multiplications and the Mersenne Twister are used, so results do not depend on a maths library.
"""

import hashlib
import random

import attrs

_UNIT = 1.7320508075688772  # brings the sum of four draws to a deviation of one


@attrs.frozen
class Draws:
    """Where a synthetic market takes all its chance from."""

    seed: int

    def stream(self, *names: object) -> random.Random:
        """A fresh source of chance that depends on the seed and the names alone."""
        text = "/".join(map(str, (self.seed, *names)))
        return random.Random(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big"))

    def normals(self, count: int, *names: object) -> list[float]:
        """So many draws of mean zero and deviation one, between -3.5 and 3.5."""
        draw = self.stream(*names).random
        return [(draw() + draw() + draw() + draw() - 2.0) * _UNIT for _ in range(count)]
