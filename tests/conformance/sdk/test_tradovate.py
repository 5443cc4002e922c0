"""Tradovate has no SDK in Python to run: what there is, and why it does not play here."""

import pytest


def test_the_sdk_logs_in_streams_places_replaces_and_cancels() -> None:
    pytest.skip(
        "no client library of Tradovate in Python can be led to loopback: TradovatePy holds no code, `tradovate` connects "
        "to the broker while it is imported and needs a Redis server; the vendor's examples are JavaScript and C#"
    )
