"""O09, O02-O04: the submission protocol holds in every reachable state, and every weaker one does not."""

import pytest

from brokers.capability import KeyClass
from tests.brokers.reconciliation.model_check import D, L, Policy, Retry, check

CLASSES = [KeyClass.UNIQUE, KeyClass.UNIQUE_WHILE_OPEN, KeyClass.ECHOED]


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("retry", [Retry.BY_RULE, Retry.NEVER, Retry.PROVED])
def test_o09_our_protocol_has_no_violation_in_any_state(retry: Retry, kind: KeyClass) -> None:
    states, violations = check(Policy(retry), kind)
    assert violations == set()
    assert states > 2_000


BAD = {
    "a new key for each retry": (Policy(Retry.NEW_KEY), {"duplicate", "lost"}),
    "the same key at once": (Policy(Retry.SAME_KEY), {"lost"}),
    "no silence at all": (Policy(Retry.NEVER, quiet=0), {"lost"}),
    "T is D": (Policy(Retry.NEVER, quiet=D), {"lost"}),
    "T is D + L less one": (Policy(Retry.NEVER, quiet=D + L - 1), {"lost"}),
    "T is D, then send again": (Policy(Retry.PROVED, quiet=D), {"lost"}),
    "no row before the send": (Policy(Retry.NEVER, write_ahead=False), {"duplicate", "lost"}),
    "our rules with T of D": (Policy(quiet=D), {"lost"}),
}


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("name", BAD)
def test_o09_every_weaker_protocol_goes_wrong(name: str, kind: KeyClass) -> None:
    policy, expected = BAD[name]
    _, violations = check(policy, kind, until=frozenset(expected))
    assert expected <= violations
