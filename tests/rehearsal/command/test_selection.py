"""What is rehearsed of a user's settings: the sessions that were named, at brokers that cannot be live."""

from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, Source, load
from sessions.control.rehearsal.cast import HOSTS
from sessions.control.rehearsal.programme import ALL, Programme
from sessions.control.rehearsal.refusal import NotRehearsable
from sessions.control.rehearsal.selection import Wish, fault_names, programme
from sessions.control.rehearsal.storm import UnknownFault

STRATEGY = 'strategy = "sessions.control.rehearsal.restless:Restless"\nparams = { seed = 1 }'
CONFIGURED = f"""
[daemon]
state_folder = "/var/lib/pitboss"
[journal]
folder = "/mnt/journal"
[vault]
unlock = "key_file"
key_file = "/etc/key"
[risk]
orders_per_minute = 77
[brokers.tv]
kind = "tradovate"
accounts = ["A1", "A2"]
environment = "live"
[brokers.tv-demo]
kind = "tradovate"
accounts = ["D1"]
[brokers.paper]
kind = "paper"
accounts = ["paper-1"]
[sessions.es]
broker = "tv"
account = "A2"
symbols = ["ES"]
autostart = false
{STRATEGY}
[sessions.nq]
broker = "tv-demo"
account = "D1"
data = "paper"
symbols = ["NQ"]
{STRATEGY}
[sessions.gc]
broker = "paper"
account = "paper-1"
symbols = ["GC"]
{STRATEGY}
"""


def chosen(text: str = CONFIGURED, **words: Any) -> Programme:
    return programme(Wish(**words), load((Source("pitboss.toml", text),), {}), Path("/home/me"))


def settings_of(found: Programme) -> Settings:
    return load(found.plan(1).sources, {}).settings


def test_all_sessions_are_taken_nothing_is_live_and_the_daemons_own_places_are_left_out() -> None:
    found = settings_of(chosen())
    assert list(found.sessions) == ["es", "nq", "gc"]
    assert {one.environment for one in found.brokers.values()} == {"paper"}
    assert found.brokers["tv"].login != found.brokers["tv-demo"].login
    assert found.journal.folder is None
    assert found.daemon.state_folder is None
    assert found.vault.key_file is None
    assert found.risk.orders_per_minute == 77
    assert found.sessions["es"].autostart


def test_named_sessions_alone_are_taken_with_the_brokers_that_they_use() -> None:
    found = settings_of(chosen(sessions=("nq",)))
    assert list(found.sessions) == ["nq"]
    assert list(found.brokers) == ["tv-demo", "paper"]


@pytest.mark.parametrize("broker", ["tradestation", "tv", "paper"])
def test_a_broker_that_is_asked_for_takes_every_session(broker: str) -> None:
    found = settings_of(chosen(broker=broker))
    assert {one.broker for one in found.sessions.values()} == {broker}
    assert list(found.brokers) == [broker]
    assert all(one.account in found.brokers[broker].accounts for one in found.sessions.values())


def test_a_broker_that_takes_no_orders_gives_the_prices_for_trading_on_paper() -> None:
    found = settings_of(chosen(broker="thinkorswim"))
    assert {(one.broker, one.data) for one in found.sessions.values()} == {("paper", "thinkorswim")}


def test_without_a_session_one_is_played_at_each_broker_or_at_the_one_that_is_asked_for() -> None:
    assert {one.kind for one in settings_of(chosen("")).brokers.values()} >= set(HOSTS)
    assert [one.kind for one in settings_of(chosen("", broker="tradovate")).brokers.values()] == ["tradovate"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"sessions": ("es", "cl")}, "got cl; there are es, nq, gc"),
        ({"broker": "etrade"}, "expected a configured broker or one of paper, tradestation, tradovate"),
        ({"invariants": ("no where",)}, "--invariant no where: it has not the form of a reference"),
        ({"invariants": ("nowhere",)}, "there is no nowhere.py in /home/me/strategies"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(words: dict[str, Any], told: str) -> None:
    with pytest.raises(NotRehearsable) as refusal:
        chosen(**words)
    assert told in str(refusal.value)
    assert "nothing was rehearsed" in str(refusal.value)


def test_faults_are_all_none_or_what_is_named() -> None:
    assert fault_names("all") == fault_names("") == (ALL,)
    assert fault_names("none") == ()
    assert fault_names(" kill, F08 ,kill") == ("kill", "F08")
    assert chosen(faults="none").schedule(3).strikes == ()
    assert {one.fault for seed in range(9) for one in chosen(faults="kill").schedule(seed).strikes} == {"kill"}
    with pytest.raises(UnknownFault):
        chosen(faults="gremlin")


def test_the_same_programme_and_seed_draw_the_same_faults_wherever_it_was_kept() -> None:
    found = chosen()
    assert found.schedule(5) == found.plan(5).schedule == Programme(settings=found.settings).schedule(5)
    assert found.schedule(5) != found.schedule(6)
