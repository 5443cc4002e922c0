"""S01: AES-256-GCM envelopes that open in their own place only."""

import base64
import json

import attrs
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from brokers.vault.sealing import (
    SYSTEM_ENTROPY,
    Envelope,
    MasterKey,
    Sealed,
    Unsealable,
    rewrap,
    seal,
    to_bytes,
    to_text,
    unseal,
)
from runtime.wire.secret import Secret
from tests.brokers.vault.kit import seeded

MASTER = MasterKey.of(bytes(range(32)))
OTHER = MasterKey.of(bytes(32))
PLACE = ("pitboss-vault/1", 7, "credential", "live", "tradovate", "me")
words: st.SearchStrategy[str | int] = st.one_of(st.text(), st.integers(0, 9))
places = st.lists(words, max_size=4)


@given(st.binary(), places)
def test_what_was_sealed_opens_with_its_key_in_its_place(plain: bytes, place: list[str | int]) -> None:
    assert unseal(seal(plain, MASTER, 1, place, seeded()), MASTER, 1, place) == plain


@given(places, places)
def test_s01_an_envelope_opens_in_no_other_place(one: list[str | int], other: list[str | int]) -> None:
    envelope = seal(b"x", MASTER, 1, one, seeded())
    if one != other:
        with pytest.raises(Unsealable):
            unseal(envelope, MASTER, 1, other)


@pytest.mark.parametrize("at", range(len(PLACE)))
def test_s01_every_word_of_the_place_is_bound(at: int) -> None:
    envelope = seal(b"plain", MASTER, 1, PLACE, seeded())
    moved: list[str | int] = [*PLACE]
    moved[at] = "other"
    with pytest.raises(Unsealable) as caught:
        unseal(envelope, MASTER, 1, moved)
    assert "plain" not in str(caught.value)


def test_s01_another_key_and_another_key_version_open_nothing() -> None:
    envelope = seal(b"plain", MASTER, 1, PLACE, seeded())
    for key, version in ((OTHER, 1), (MASTER, 2)):
        with pytest.raises(Unsealable):
            unseal(envelope, key, version, PLACE)


def test_s01_swapped_bodies_and_swapped_keys_open_nothing() -> None:
    entropy = seeded()
    one = seal(b"one", MASTER, 1, PLACE, entropy)
    two = seal(b"two", MASTER, 1, (*PLACE, "two"), entropy)
    for mixed in (Envelope(one.key, two.body), Envelope(two.key, one.body), two):
        with pytest.raises(Unsealable):
            unseal(mixed, MASTER, 1, PLACE)


@given(st.integers(0, 1), st.integers(0, 10_000), st.integers(0, 7))
def test_s03_a_flipped_bit_anywhere_opens_nothing(layer: int, at: int, bit: int) -> None:
    envelope = seal(b"a message of some length", MASTER, 1, PLACE, seeded())
    part = ("key", "body")[layer]
    for field in ("nonce", "data"):
        data = bytearray(to_bytes(getattr(getattr(envelope, part), field)))
        data[at % len(data)] ^= 1 << bit
        spoilt = attrs.evolve(getattr(envelope, part), **{field: to_text(bytes(data))})
        with pytest.raises(Unsealable):
            unseal(attrs.evolve(envelope, **{part: spoilt}), MASTER, 1, PLACE)


@pytest.mark.parametrize("size", [0, 8, 11, 13, 16])
def test_s01_a_nonce_of_another_length_is_refused(size: int) -> None:
    envelope = seal(b"plain", MASTER, 1, PLACE, seeded())
    odd = Envelope(Sealed(to_text(bytes(size)), envelope.key.data), envelope.body)
    with pytest.raises(Unsealable, match="12 bytes"):
        unseal(odd, MASTER, 1, PLACE)


def test_s01_it_is_aes_256_gcm_as_others_write_it() -> None:
    """Opened by hand, layer by layer."""
    envelope = seal(b"plain", MASTER, 3, PLACE, seeded())
    wrap_key = MASTER.for_purpose("wrap")
    assert len(wrap_key) == 32

    def by_hand(key: bytes, sealed: Sealed, bound: list[str | int]) -> bytes:
        nonce, data = base64.b64decode(sealed.nonce), base64.b64decode(sealed.data)
        return AESGCM(key).decrypt(nonce, data, json.dumps(bound).encode())

    data_key = by_hand(wrap_key, envelope.key, ["key", 3, *PLACE])
    assert len(data_key) == 32
    assert by_hand(data_key, envelope.body, ["body", *PLACE]) == b"plain"


def test_s01_ten_thousand_envelopes_have_as_many_nonces_and_data_keys() -> None:
    envelopes = [seal(b"x", MASTER, 1, PLACE, SYSTEM_ENTROPY) for _ in range(10_000)]
    nonces = {to_bytes(sealed.nonce) for envelope in envelopes for sealed in (envelope.key, envelope.body)}
    assert len(nonces) == 20_000
    assert {len(nonce) for nonce in nonces} == {12}
    assert len({envelope.key.data for envelope in envelopes}) == 10_000


def test_s08_a_rewrapped_envelope_keeps_its_message_and_opens_with_the_new_key_only() -> None:
    entropy = seeded()
    before = seal(b"plain", MASTER, 1, PLACE, entropy)
    after = rewrap(before, PLACE, (MASTER, 1), (OTHER, 2), entropy)
    assert after.body == before.body
    assert unseal(after, OTHER, 2, PLACE) == b"plain"
    for version in (1, 2):
        with pytest.raises(Unsealable):
            unseal(after, MASTER, version, PLACE)


def test_keys_for_two_purposes_differ() -> None:
    assert MASTER.for_purpose("wrap") != MASTER.for_purpose("mark")
    assert MASTER.mark(b"data") != OTHER.mark(b"data")


@pytest.mark.parametrize("text", ["", "not base64!", to_text(bytes(31)), to_text(bytes(33))])
def test_a_master_key_of_another_size_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(Unsealable) as caught:
        MasterKey(Secret(text))
    assert not text or text not in str(caught.value)


def test_s11_a_master_key_shows_itself_nowhere() -> None:
    shown = f"{MASTER!r} {attrs.asdict(MASTER)} {attrs.astuple(MASTER)}"
    assert "***" in shown
    assert MASTER.material.reveal() not in shown
