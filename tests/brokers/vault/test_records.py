"""S11: credentials show their secrets to nobody who does not ask by name; ids are words that read back."""

import json
import pickle
from typing import Any

import attrs
import cattrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.capability import Environment
from brokers.vault.records import Credential, CredentialId, InvalidCredential, from_plain, to_plain
from brokers.vault.sealing import MasterKey
from runtime.wire.disguises import disguises
from runtime.wire.secret import MASK, Secret
from tests.brokers.vault.kit import LOGIN, credential

CONVERTER = cattrs.Converter()
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
ids = st.builds(CredentialId, words, words, st.none() | words, st.sampled_from(Environment))
values = st.text(st.characters(exclude_categories=["Cs"]), min_size=8).map(lambda text: f"canary-{text}")


def shows(value: object) -> list[str]:
    return [
        repr(value),
        str(value),
        f"{value}",
        "%s %r" % (value, value),  # noqa: UP031 - one more way to print it
        repr(attrs.asdict(value)),  # type: ignore[arg-type]  # an attrs class in all uses
        repr(attrs.astuple(value)),  # type: ignore[arg-type]  # the same
        json.dumps(attrs.asdict(value), default=str),  # type: ignore[arg-type]  # the same
        json.dumps(CONVERTER.unstructure(value), default=str),
        repr(ValueError(value)),
        *(pickle.dumps(value, protocol).decode("latin-1") for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
    ]


@given(ids, values)
def test_s11_no_way_to_print_or_dump_a_credential_shows_a_secret(owner: CredentialId, value: str) -> None:
    one = Credential(owner, {"password": Secret(value), "token": Secret(value[::-1])})
    canaries = disguises(value.encode()) | disguises(value[::-1].encode())
    for text in shows(one):
        assert MASK in text
        assert not any(canary in text for canary in canaries)


def test_s11_a_pickle_gives_no_secret_back() -> None:
    back = pickle.loads(pickle.dumps(credential()))  # noqa: S301 - our own
    assert back.fields == {"refresh_token": MASK}
    assert pickle.loads(pickle.dumps(MasterKey.of(bytes(32)))).material == MASK  # noqa: S301 - our own


@given(ids)
def test_an_id_reads_back_from_its_words(owner: CredentialId) -> None:
    assert CredentialId.of(owner.name) == owner


@given(ids, ids)
def test_two_ids_never_share_their_words(one: CredentialId, other: CredentialId) -> None:
    assert (one.name == other.name) is (one == other)


@given(st.dictionaries(st.text(min_size=1), st.text(), min_size=1))
def test_secrets_read_back_from_the_plain_text_whatever_they_are(fields: dict[str, str]) -> None:
    secrets = {name: Secret(value) for name, value in fields.items()}
    assert from_plain(to_plain(secrets)) == secrets


@pytest.mark.parametrize("bad", ["", None, 7, "\ud800"])
@pytest.mark.parametrize("field", ["broker", "login"])
def test_an_id_needs_its_words(field: str, bad: Any) -> None:
    with pytest.raises(InvalidCredential) as caught:
        attrs.evolve(LOGIN, **{field: bad})
    assert caught.value.field == field


@pytest.mark.parametrize("fields", [{}, {"": Secret("x")}, {"password": "plain-canary"}, {"password": None}])
def test_a_credential_needs_named_secrets_and_a_refusal_shows_none(fields: Any) -> None:
    with pytest.raises(InvalidCredential) as caught:
        Credential(LOGIN, fields)
    assert "canary" not in str(caught.value)
