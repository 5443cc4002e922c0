"""Around every test: whatever runtime it opened has left no task, no open mailbox, no name and no timer behind.

The default suite draws the same examples each time, so that its verdict is about the code; PITBOSS_NIGHTLY explores.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from runtime.mailbox import Mailbox
from runtime.node import Runtime

settings.register_profile("steady", derandomize=True, database=None)
settings.register_profile("exploring", print_blob=True)
settings.load_profile("exploring" if os.environ.get("PITBOSS_NIGHTLY") else "steady")


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    runtimes: list[Runtime] = []
    mailboxes: list[Mailbox[Any]] = []

    def watch(cls: type[Any], seen: list[Any]) -> None:
        make = cls.__init__

        def remember(self: Any, *args: Any, **kwargs: Any) -> None:
            make(self, *args, **kwargs)
            seen.append(self)

        monkeypatch.setattr(cls, "__init__", remember)

    watch(Runtime, runtimes)
    watch(Mailbox, mailboxes)
    yield
    for runtime in runtimes:
        assert runtime.root.exit is not None, "a runtime was left open"
        assert runtime.cells() == [], "actors are left"
        statistics = runtime.registry.statistics()
        assert (statistics.entries, statistics.waiting) == (0, 0), "names or waiters are left"
        assert runtime.timers.pending() == 0, "timers are left"
        assert runtime.topics.statistics() == {}, "subscriptions are left"
    if runtimes:
        left = [mailbox for mailbox in mailboxes if not mailbox.closed or mailbox.data or mailbox.senders]
        assert left == [], "mailboxes are left open or full"
