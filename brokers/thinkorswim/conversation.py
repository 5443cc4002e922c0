"""What to say to the streamer next: it takes one command at a time, so the next one is found from what is still wanted.

    wanted     what the sessions need, by service
    held       what the streamer has confirmed on this connection
    refused    what it will not give, so it is not asked for again until nobody wants it any more

A command for many symbols that is refused is asked again in halves, so that one bad name costs no other.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from brokers.thinkorswim.codes import Reaction, ResponseCode
from brokers.thinkorswim.fields import Service
from brokers.thinkorswim.settings import Qos
from brokers.thinkorswim.wire import Command, Verb

MOST_KEYS: Final = 500  # symbols of one connection, over all services
_REPEATS: Final = 3

Key = tuple[Service, str]


@attrs.frozen
class Wanted:
    """What is needed of one service."""

    keys: frozenset[str]
    fields: tuple[int, ...]


@attrs.frozen
class Held:
    """What one service has confirmed."""

    keys: frozenset[str] = frozenset()
    fields: tuple[int, ...] = ()


_NOTHING: Final = Held()
_LOGIN: Final = Command(Service.ADMIN, Verb.LOGIN)
_QOS: Final = Command(Service.ADMIN, Verb.QOS)


@attrs.frozen
class Conversation:
    """One connection's exchange so far; every change makes a new value."""

    wanted: Mapping[Service, Wanted] = attrs.field(factory=dict)
    qos: Qos | None = None  # still to be asked for
    logged_in: bool = False
    held: Mapping[Service, Held] = attrs.field(factory=dict)
    refused: Mapping[Key, ResponseCode] = attrs.field(factory=dict)
    asked: Command | None = None  # is not answered yet
    repeats: int = 0
    most: int = MOST_KEYS  # symbols in one command

    def holds(self, key: Key) -> bool:
        """Whether this is confirmed."""
        return key[1] in self.held.get(key[0], _NOTHING).keys

    def want(self, wanted: Mapping[Service, Wanted]) -> "Conversation":
        """Other needs; what nobody wants any more is no longer remembered as refused."""
        kept = {key: code for key, code in self.refused.items() if key[0] in wanted and key[1] in wanted[key[0]].keys}
        return attrs.evolve(self, wanted=wanted, refused=kept)

    def next(self) -> Command | None:
        """What to say now; None while an answer is awaited, or when all is as it should be."""
        if self.asked is not None:
            return None
        if not self.logged_in:
            return _LOGIN
        if self.qos is not None:
            return _QOS
        return next(filter(None, map(self._next_of, (*self.wanted, *self.held))), None)

    def _next_of(self, service: Service) -> Command | None:
        held = self.held.get(service, _NOTHING)
        wanted = self.wanted.get(service, Wanted(frozenset(), held.fields))
        refused = {name for other, name in self.refused if other is service}
        if missing := sorted(wanted.keys - held.keys - refused):
            verb = Verb.ADD if held.keys else Verb.SUBS
            return Command(service, verb, tuple(missing[: self.most]), held.fields or wanted.fields)
        if extra := sorted(held.keys - wanted.keys):
            return Command(service, Verb.UNSUBS, tuple(extra[: self.most]))
        if held.keys and held.fields != wanted.fields:
            return Command(service, Verb.VIEW, fields=wanted.fields)
        return None

    def said(self, command: Command) -> "Conversation":
        """The command has been sent."""
        return attrs.evolve(self, asked=command)

    def answered(self, code: ResponseCode) -> "Conversation":
        """The answer to the command is there; one that ends the connection is not for here."""
        command = self.asked
        if command is None:
            return self
        done = attrs.evolve(self, asked=None)
        if code.reaction is Reaction.REPEAT and self.repeats < _REPEATS:
            return attrs.evolve(done, repeats=self.repeats + 1)
        done = attrs.evolve(done, repeats=0)
        if code.means is None:
            return _confirmed(done, command)
        return _denied(done, command, code)


def _confirmed(talk: Conversation, command: Command) -> Conversation:
    if command.verb is Verb.LOGIN:
        return attrs.evolve(talk, logged_in=True)
    if command.verb is Verb.QOS:
        return attrs.evolve(talk, qos=None)
    held = talk.held.get(command.service, _NOTHING)
    keys, fields = held.keys, command.fields or held.fields
    if command.verb is Verb.UNSUBS:
        keys = keys.difference(command.keys)
    elif command.verb is not Verb.VIEW:
        keys = keys.union(command.keys)
        talk = attrs.evolve(talk, most=min(MOST_KEYS, talk.most * 2))
    return _holding(talk, command.service, Held(keys, fields if keys else ()))


def _denied(talk: Conversation, command: Command, code: ResponseCode) -> Conversation:
    if command.verb in (Verb.SUBS, Verb.ADD):
        if len(command.keys) > 1:
            return attrs.evolve(talk, most=len(command.keys) // 2)
        refused = {(command.service, name): code for name in command.keys}
        return attrs.evolve(talk, refused={**talk.refused, **refused})
    if command.verb is Verb.LOGIN:
        return talk  # it is said again on the next connection
    return _confirmed(talk, command)  # to ask for these again would be of no use


def _holding(talk: Conversation, service: Service, held: Held) -> Conversation:
    services = {**talk.held, service: held}
    if not held.keys:
        del services[service]
    return attrs.evolve(talk, held=services)
