"""The npm package `tradovate` against the emulated Tradovate, told only where it is; none in Python can be."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.sdk.served import served

HERE = Path(__file__).parent
SCRIPT = HERE / "tradovate.cjs"


def test_the_sdk_logs_in_streams_places_replaces_and_cancels() -> None:
    node = _need_node()
    with served("tradovate") as ready:
        found = _played(node, ready)
    assert found["account"] in ready["accounts"]
    assert found["synced"] == 200
    assert found["bid"] > 0
    assert found["placed"]["orderId"] > 0
    assert found["changed"]["commandId"] > 0
    assert found["canceled"]["commandId"] > 0
    assert found["order"] == "Canceled"
    assert sorted(found["quantities"]) == [1, 2]
    assert found["states"][0] in ("PendingNew", "Working")
    assert "Working" in found["states"]


def _need_node() -> str:
    """Node.js that finds the package; skips with its reason where one of them is missing."""
    node = shutil.which("node")
    if node is None:
        pytest.skip(
            "Node.js is not installed, which the package `tradovate` of npm needs; TradovatePy of PyPI has no code"
        )
    looked = subprocess.run([node, "-e", "require.resolve('tradovate')"], cwd=HERE, capture_output=True, check=False)  # noqa: S603
    if looked.returncode:
        pytest.skip(
            "the npm package `tradovate` is not installed; `npm install --prefix tests/conformance/sdk` brings it"
        )
    return node


def _played(node: str, ready: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 - the project's own script
        [node, str(SCRIPT), json.dumps(ready)], cwd=HERE, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
