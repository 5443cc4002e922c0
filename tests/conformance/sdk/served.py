"""A broker's emulator in a process of its own, as others' clients meet it, and the reason why an SDK cannot play."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


def need(module: str, package: str) -> None:
    """Skips with its reason where an SDK is not installed."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{package} is not installed; `pip install pitboss[sdk]` brings it")


@contextmanager
def served(broker: str) -> Iterator[dict[str, Any]]:
    """Runs `pitboss emulate` and yields what it says when it is ready."""
    command = [sys.executable, "-m", "sessions.control.cli", "emulate", broker, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - the project's own
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()
