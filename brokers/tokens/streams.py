"""How a fresh token reaches the live streams of its login: a stream joins, then reads the store, then connects.

In that order no token can slip between: one that is published before the stream joined is read, a later one is
told. What is told again and again until the next token is the same one, so a stream compares generations.
"""

from collections.abc import Callable
from typing import Concatenate, TypeVar

from brokers.tokens.credentials import LoginId
from brokers.tokens.token_set import Token
from runtime.errors import MailboxFull
from runtime.ref import Ref
from runtime.registry import Registry

A = TypeVar("A")


def join(
    streams: Registry, login: LoginId, stream: Ref[A], on_token: Callable[Concatenate[A, Token, ...], object]
) -> None:
    """Lets a stream hear each new token of its login until it ends; `on_token` is one of its messages."""
    streams.register(login.stream_key, stream, on_token)


def tell(streams: Registry, token: Token) -> None:
    """Casts the token to every stream of its login; one whose mailbox is full hears it at the next telling."""
    for stream, on_token in streams.lookup(token.login.stream_key):
        try:
            stream.cast(on_token, token)
        except MailboxFull:
            continue
