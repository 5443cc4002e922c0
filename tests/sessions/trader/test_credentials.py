"""F11: a login that cannot be refreshed makes its sessions cancel-only, tells a person, and lifts them when it is back."""

import attrs
import pytest
import trio

from brokers.guards.ladder import Rung
from brokers.market import Quote
from brokers.tokens.credentials import LoginId
from brokers.tokens.news import CredentialLost, CredentialRegained, LoginEnding
from runtime import Supervisor
from runtime.simulation import SimulatedWorld
from sessions.connection_watch import connection_watch, tell_watch
from sessions.strategy import buy
from tests.brokers.tokens.kit import OAuthServer, house, logged_in_shelf
from tests.runtime.simulation.rehearsal import rehearsed
from tests.sessions.trader.kit import ES, Stage, played

LOGIN = LoginId("paper", "main", "paper")


async def watched(stage: Stage) -> None:
    await stage.runtime.start(Supervisor([connection_watch("paper")]), "watch")


def test_F11_R23_a_lost_login_is_cancel_only_within_the_second_and_told_to_a_person() -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        tell = tell_watch(stage.runtime, "paper")
        await stage.begin(stage.script(lambda event, _: buy(ES, 1) if isinstance(event, Quote) else None))
        tell(CredentialLost(LOGIN, "run `pitboss login paper`"))
        await trio.sleep(1)
        sent = len(stage.exchange.orders_since("paper-1", 0))
        assert stage.gate.rung("s1") is Rung.CANCEL_ONLY
        for _ in range(5):
            stage.shows()
            await trio.sleep(0.1)
        assert len(stage.exchange.orders_since("paper-1", 0)) == sent, "I16: nothing new reaches the broker"
        assert any("pitboss login" in alert.text for alert in stage.alerts)
        tell(CredentialRegained(LOGIN))
        await trio.sleep(15)
        assert stage.gate.rung("s1") is Rung.FULL, "up again, after a reconciliation"

    played(play)


def test_a_session_that_starts_after_the_loss_is_cancel_only_too() -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        tell_watch(stage.runtime, "paper")(CredentialLost(LOGIN, "gone"))
        await trio.sleep(0.1)
        await stage.begin(stage.script(lambda _, __: None))
        assert stage.gate.rung("s1") is Rung.CANCEL_ONLY

    played(play)


def test_a_login_that_ends_in_days_is_a_word_to_a_person_and_nothing_else() -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        await stage.begin(stage.script(lambda _, __: None))
        tell_watch(stage.runtime, "paper")(LoginEnding(LOGIN, 2 * 86_400 * 10**9))
        await trio.sleep(0.1)
        assert stage.gate.rung("s1") is Rung.FULL
        assert any("the login ends in 2 d 0 h" in alert.text for alert in stage.alerts)

    played(play)


@rehearsed
async def test_a_real_store_tells_the_watch_of_a_revoked_refresh_token_and_of_the_new_login(
    world: SimulatedWorld,
) -> None:
    server = OAuthServer(life=60)
    async with house(world, logged_in_shelf(server, world.clock.wall_ns()), server) as home:
        heard: list[object] = []
        leave = home.runtime.topics.attach(("causes", "paper"), heard.append)
        await home.runtime.start(Supervisor([connection_watch("paper")]), "watch")
        tell = tell_watch(home.runtime, "paper")
        server.good_refresh.clear()
        await trio.sleep(120)
        assert any(isinstance(news, CredentialLost) for news in home.news)
        for news in home.news:
            tell(news)
        await trio.sleep(0.1)
        assert [type(event).__name__ for event in heard][-1] == "Raised"
        leave()


@pytest.mark.parametrize("news", [attrs.make_class("Quarantined", ["text"], frozen=True)("odd"), "a plain word"])
def test_other_news_of_a_connection_is_told_to_a_person(news: object) -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        tell_watch(stage.runtime, "paper")(news)
        await trio.sleep(0.1)
        assert [alert.account for alert in stage.alerts] == ["paper"]

    played(play)
