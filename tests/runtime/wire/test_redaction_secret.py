"""S11: a wrapped secret shows itself to nobody who does not ask for it by name."""

import copy
import json
import pickle
import string
from collections.abc import Callable
from typing import Any

import attrs
import cattrs
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.secret import MASK, Secret

VALUES = st.text(min_size=4).filter(lambda text: text not in MASK and text not in "Secret<runtime.wire.secret.>")


@attrs.frozen
class Login:
    user: str
    password: Secret


CONVERTER = cattrs.Converter()

SHOWN: list[Callable[[Secret], Any]] = [
    repr,
    str,
    lambda secret: f"{secret}",
    lambda secret: f"{secret!r:>30}",
    lambda secret: f"{secret:>10}",
    lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - one more way to print it
    "{}".format,
    lambda secret: string.Template("$x").substitute(x=secret),
    lambda secret: repr([secret, {secret: secret}]),
    lambda secret: repr(Login("me", secret)),
    lambda secret: str(attrs.asdict(Login("me", secret))),
    lambda secret: str(attrs.astuple(Login("me", secret))),
    lambda secret: json.dumps(attrs.asdict(Login("me", secret)), default=str),
    lambda secret: json.dumps(CONVERTER.unstructure(Login("me", secret)), default=str),
    lambda secret: repr(secret.__getstate__()),
    lambda secret: repr(secret.__reduce_ex__(4)),
    lambda secret: repr(ValueError(secret)),
]


@given(VALUES, st.sampled_from(range(len(SHOWN))))
def test_s11_every_way_to_print_or_dump_a_secret_shows_stars(value: str, way: int) -> None:
    shown = str(SHOWN[way](Secret(value)))
    assert MASK in shown
    assert value not in shown or value in str(SHOWN[way](Secret("other")))


@given(st.text(min_size=8), st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_s11_a_pickle_holds_no_secret_and_gives_none_back(value: str, protocol: int) -> None:
    data = pickle.dumps(Login("me", Secret(value)), protocol)
    assert data == pickle.dumps(Login("me", Secret("another")), protocol)
    assert pickle.loads(data).password == MASK  # noqa: S301 - our own


@given(st.text())
def test_the_value_is_there_for_those_who_ask(value: str) -> None:
    assert Secret(value).reveal() == value


@given(st.text(), st.text())
def test_secrets_are_equal_when_their_values_are(one: str, other: str) -> None:
    assert (Secret(one) == Secret(other)) is (one == other)
    assert Secret(one) == Secret(one)
    assert Secret(one) != one
    assert hash(Secret(one)) == hash(Secret(other))  # a hash would be a fingerprint


def test_copies_are_the_secret_itself() -> None:
    login = Login("me", Secret("value"))
    assert copy.copy(login.password) is copy.deepcopy(login).password is login.password
    assert attrs.evolve(login, user="you").password is login.password


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret("x")


def test_there_is_no_dictionary_behind_a_secret() -> None:
    assert not hasattr(Secret("x"), "__dict__")
