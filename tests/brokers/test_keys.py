"""Client order keys: unique, in the broker's alphabet, reversible, and telling their owner's epoch."""

import random
import re
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.keys import BASE62, HEX, TAGGED, UUID, InvalidKey, Key, KeyForm, new_key
from tests.brokers.model_strategies import NIGHTLY, refusal

FORMS = {
    "22 base62": (BASE62, r"[0-9A-Za-z]{22}"),
    "32 hex": (HEX, r"[0-9a-f]{32}"),
    "uuid": (UUID, r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
    "36 with a dash": (TAGGED, r"pitboss-[0-9a-z]{28}"),
}
forms = pytest.mark.parametrize(("form", "pattern"), FORMS.values(), ids=FORMS)
chances = st.integers(0, 2**32).map(random.Random)
keys = st.builds(new_key, st.integers(0, 2**24 - 1), chances)


@forms
@settings(max_examples=100 * NIGHTLY)
@given(key=keys)
def test_a_key_fits_its_forms_alphabet_and_length_and_reads_back(form: KeyForm, pattern: str, key: Key) -> None:
    text = key.render(form)
    assert re.fullmatch(pattern, text)
    assert len(text) == form.length
    assert set(text) <= form.characters
    assert Key.parse(text, form) == key


@given(st.integers(0, 2**24 - 1), chances)
def test_the_owner_epoch_reads_back_from_every_form(epoch: int, chance: random.Random) -> None:
    key = new_key(epoch, chance)
    assert key.epoch == epoch
    assert {Key.parse(key.render(form), form).epoch for form, _ in FORMS.values()} == {epoch}


def test_the_uuid_form_is_a_version_4_uuid() -> None:
    read = uuid.UUID(new_key(7, random.Random(1)).render(UUID))
    assert (read.version, read.variant) == (4, uuid.RFC_4122)


def test_the_text_of_a_key_is_its_base62_form() -> None:
    key = new_key(7, random.Random(1))
    assert str(key) == key.render(BASE62)
    assert Key.parse(str(key)) == key


def test_keys_of_one_epoch_are_unique_in_every_form() -> None:
    count = 5_000 * NIGHTLY
    chance = random.Random(3)
    made = [new_key(1, chance) for _ in range(count)]
    for form, _ in FORMS.values():
        assert len({key.render(form) for key in made}) == count


def test_keys_depend_on_the_epoch_and_the_chance_alone() -> None:
    assert new_key(1, random.Random(5)) == new_key(1, random.Random(5))
    assert new_key(1, random.Random(5)) != new_key(1, random.Random(6))
    assert new_key(1, random.Random(5)) != new_key(2, random.Random(5))


def test_a_key_carries_98_random_bits() -> None:
    chance = random.Random(9)
    made = [new_key(0, chance).number for _ in range(200)]
    varying = 0
    for number in made:
        varying |= number ^ made[0]
    assert varying.bit_count() == 98


@given(st.sampled_from([form for form, _ in FORMS.values()]), st.text(max_size=40))
def test_a_text_that_is_no_key_is_refused_or_reads_back_as_itself(form: KeyForm, text: str) -> None:
    error = refusal(InvalidKey, Key.parse, text, form)
    if error is None:
        assert Key.parse(text, form).render(form) == text
    else:
        assert repr(text) in str(error) or isinstance(error.value, int)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", BASE62),
        ("z" * 22, BASE62),  # more than 128 bits
        ("0" * 22, BASE62),  # not the bits of a UUID
        ("0" * 21 + "-", BASE62),
        ("A" * 32, HEX),
        ("00000000x0000-4000-8000-000000000000", UUID),
        ("pitbull-0000000000000000000000000000", TAGGED),
        ("٣" * 32, HEX),
    ],
)
def test_what_others_wrote_is_not_taken_for_a_key(text: str, form: KeyForm) -> None:
    with pytest.raises(InvalidKey, match="not a client order key"):
        Key.parse(text, form)


@forms
def test_one_strange_character_in_a_key_spoils_it(form: KeyForm, pattern: str) -> None:
    text = new_key(7, random.Random(1)).render(form)
    for place in range(len(text)):
        with pytest.raises(InvalidKey):
            Key.parse(text[:place] + "?" + text[place + 1 :], form)


@pytest.mark.parametrize("epoch", [-1, 2**24])
def test_an_epoch_that_does_not_fit_is_refused(epoch: int) -> None:
    with pytest.raises(InvalidKey, match="from 0 to 16777215") as caught:
        new_key(epoch, random.Random(1))
    assert caught.value.value == epoch


def test_no_number_outside_the_keys_is_a_key() -> None:
    sound = new_key(7, random.Random(1)).number
    for number in (-1, 1 << 128, 0, sound + (1 << 128), sound - (1 << 128)):
        with pytest.raises(InvalidKey):
            Key(number)
