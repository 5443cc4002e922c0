"""A runtime on a virtual clock for each test, and small actors to play with."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime import Runtime, open_runtime
from tests.runtime.world import plain_world


@pytest.fixture
async def rt(autojump_clock: Any) -> AsyncIterator[Runtime]:
    async with open_runtime(plain_world()) as runtime:
        yield runtime
