"""S02: passphrases are stretched at or above the least that is acceptable, and never at what a file asks for freely."""

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from brokers.vault.kdf import STANDARD, Cost, Derivation, derive, is_outdated, new_derivation
from brokers.vault.sealing import Unsealable, to_bytes, to_text
from runtime.wire.secret import Secret
from tests.brokers.vault.kit import QUICK, seeded

MIB = 1024
WORD = Secret("correct horse")


def at(cost: Cost) -> Derivation:
    return Derivation("argon2id", to_text(bytes(16)), cost)


def test_s02_the_standard_is_far_above_the_accepted_minimum() -> None:
    made = new_derivation(STANDARD, seeded())
    assert made.cost == Cost(256 * MIB, 3, 2)
    assert made.method == "argon2id"
    assert len(to_bytes(made.salt)) == 16
    assert STANDARD.allows(made.cost)


@pytest.mark.parametrize("cost", [Cost(19 * MIB, 2, 1), Cost(46 * MIB, 1, 1), Cost(256 * MIB, 3, 4)])
def test_s02_the_minima_themselves_are_accepted(cost: Cost) -> None:
    assert STANDARD.allows(cost)


@pytest.mark.parametrize(
    "cost",
    [
        Cost(19 * MIB - 1, 2, 1),
        Cost(19 * MIB, 1, 1),
        Cost(46 * MIB - 1, 1, 1),
        Cost(256 * MIB, 0, 2),
        Cost(64, 3, 1),
        Cost(256 * MIB, 3, 0),
        Cost(0, 0, 0),
        Cost(-1, -1, -1),
    ],
)
def test_s02_weaker_parameters_are_refused_before_any_work(cost: Cost) -> None:
    with pytest.raises(Unsealable, match="not used"):
        derive(WORD, at(cost), STANDARD)


@pytest.mark.parametrize("cost", [Cost(2**40, 3, 1), Cost(256 * MIB, 10**9, 1), Cost(256 * MIB, 3, 10**6)])
def test_a_cost_that_would_stop_the_machine_is_refused_before_any_work(cost: Cost) -> None:
    with pytest.raises(Unsealable, match="not used"):
        derive(WORD, at(cost), STANDARD)


@pytest.mark.parametrize(
    ("method", "salt"),
    [
        ("md5", to_text(bytes(16))),
        ("argon2id", to_text(bytes(15))),
        ("argon2id", ""),
        ("argon2id", "no base64"),
    ],
)
def test_s02_another_method_and_a_short_salt_are_refused(method: str, salt: str) -> None:
    with pytest.raises(Unsealable):
        derive(WORD, Derivation(method, salt, QUICK.target), QUICK)


def test_the_key_is_argon2id_of_the_passphrase() -> None:
    salt = bytes(range(16))
    expected = Argon2id(salt=salt, length=32, iterations=2, lanes=1, memory_cost=19 * MIB).derive(b"correct horse")
    key = derive(WORD, Derivation("argon2id", to_text(salt), Cost(19 * MIB, 2, 1)), STANDARD)
    assert to_bytes(key.material.reveal()) == expected


def test_passphrase_and_salt_both_decide_the_key() -> None:
    one, two = (new_derivation(QUICK, seeded(seed)) for seed in (1, 2))
    keys = [derive(word, salted, QUICK) for word in (WORD, Secret("other")) for salted in (one, two)]
    assert len({key.material.reveal() for key in keys}) == 4
    assert derive(WORD, one, QUICK) == keys[0]


def test_an_accent_typed_in_two_ways_is_one_passphrase() -> None:
    made = new_derivation(QUICK, seeded())
    assert derive(Secret("caf\u00e9"), made, QUICK) == derive(Secret("cafe\u0301"), made, QUICK)


def test_s02_only_what_is_below_the_target_is_outdated() -> None:
    assert is_outdated(at(Cost(19 * MIB, 2, 1)), STANDARD)
    assert is_outdated(at(Cost(1024 * MIB, 2, 2)), STANDARD)
    assert not is_outdated(at(STANDARD.target), STANDARD)
    assert not is_outdated(at(Cost(512 * MIB, 4, 1)), STANDARD)
