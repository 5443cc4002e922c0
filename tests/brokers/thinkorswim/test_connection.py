"""The room against its counterpart in a simulated world: one streamer connection a login, kept up and shared."""

from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio

from brokers.errors import BrokerError, Code, ConnectionFailed, CredentialError, RateLimited, Unsupported
from brokers.market import Bar, Interval, Quote, Trade
from brokers.market_data import MarketDataSource, market_topic
from brokers.thinkorswim import Evicted, Qos, Quarantined
from brokers.thinkorswim.audience import Flow
from brokers.thinkorswim.auth import RULES
from brokers.thinkorswim.board import MINUTE
from brokers.thinkorswim.streamer import StreamerActor
from brokers.tokens.token_store import TokenStore
from runtime import Supervisor
from runtime.wire.redaction import Redactor
from tests.brokers.thinkorswim.counterpart import LOGIN, SECRET, SETTINGS, Room, played

D = Decimal
ES, NQ, AAPL = "ESH26", "NQH26", "AAPL"
L1F, L1E, CHF, CHE = "LEVELONE_FUTURES", "LEVELONE_EQUITIES", "CHART_FUTURES", "CHART_EQUITY"
IMAGE = {"1": 6900.25, "2": 6900.5, "3": 6900.25, "4": 22, "5": 31, "8": 512345, "9": 1, "10": 1767625199000}


async def streaming(here: Room, *symbols: str) -> None:
    here.other.images[L1F, "/ESH26"] = IMAGE
    for symbol in symbols or (ES,):
        await here.feed.subscribe(symbol)
    await trio.sleep(0.1)


async def minutes_too(here: Room, *symbols: str) -> None:
    for symbol in symbols or (ES,):
        await here.feed.subscribe_bars(symbol, MINUTE)


def test_a_subscription_logs_in_asks_for_prices_and_minutes_and_brings_exact_quotes() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        await minutes_too(here)
        assert here.other.verbs() == ["LOGIN ADMIN", f"SUBS {L1F}", f"SUBS {CHF}"]
        assert here.other.line.fields[L1F] == "0,1,2,3,4,5,8,9,10,11"
        assert here.events(Quote) == [
            Quote(ES, D("6900.25"), D("6900.5"), D(22), D(31), 1767625199000_000_000),
        ]
        assert here.links == [True]
        await here.other.change(L1F, "/ESH26", f1=6900.5, f3=6900.5, f8=512348, f11=1767625201000)
        await trio.sleep(0.1)
        assert here.events(Quote)[-1].bid == D("6900.5")
        assert here.events(Quote)[-1].ask == D("6900.5")
        assert here.events(Trade) == [Trade(ES, D("6900.5"), D(3), 1767625201000_000_000)]

    played(play)


def test_two_sessions_of_one_login_share_one_socket_and_the_last_one_closes_the_stream() -> None:
    async def play(here: Room) -> None:
        await streaming(here, ES, ES, NQ)
        await minutes_too(here, ES, ES, NQ)
        assert here.other.verbs()[1:] == [f"SUBS {L1F}", f"ADD {L1F}", f"SUBS {CHF}", f"ADD {CHF}"]
        await here.feed.unsubscribe(ES)
        await trio.sleep(1)
        assert here.other.line.keys[L1F] == ["/ESH26", "/NQH26"]
        await here.feed.unsubscribe(ES)
        for _ in range(2):
            await here.feed.unsubscribe_bars(ES, MINUTE)
        await trio.sleep(1)
        assert here.other.line.keys[L1F] == here.other.line.keys[CHF] == ["/NQH26"]
        await here.feed.unsubscribe(NQ)
        await here.feed.unsubscribe_bars(NQ, MINUTE)
        await trio.sleep(SETTINGS.linger + 1)
        assert here.other.verbs()[-1] == "LOGOUT ADMIN"
        assert here.other.line.closed
        assert len(here.other.connections) == 1
        assert (await here.statistics()).up is None
        assert here.links == [True]
        await here.feed.subscribe(ES)
        assert len(here.other.connections) == 2

    played(play)


def test_a_data_source_of_a_session_publishes_what_the_streamer_says() -> None:
    async def play(here: Room) -> None:
        here.other.images[L1F, "/ESH26"] = IMAGE
        top = await here.runtime.start(Supervisor([here.broker.data_source(name="data")]), "session")
        with here.runtime.topics.subscribe(market_topic("thinkorswim", ES)) as heard:
            await here.broker.subscribe(here.runtime.name("data", MarketDataSource), ES)
            await trio.sleep(0.1)
            assert [type(one) for one in heard.take()] == [Quote]
        await top.stop()
        assert here.feed.audience.wanted == ()

    played(play)


def test_F01_a_lost_connection_is_told_opened_again_and_asked_for_everything() -> None:
    async def play(here: Room) -> None:
        await streaming(here, ES, AAPL)
        await minutes_too(here, ES, AAPL)
        await here.other.line.hang_up()
        await trio.sleep(20)
        assert here.links == [True, False, True]
        assert sorted(here.other.verbs()) == sorted(
            ["LOGIN ADMIN", f"SUBS {L1F}", f"SUBS {CHF}", f"SUBS {L1E}", f"SUBS {CHE}"]
        )
        assert here.events(Quote)[-1].bid == D("6900.25")  # the image of the new connection
        assert here.events(Trade) == []  # what was traded meanwhile is not known

    played(play)


def test_F01_nothing_of_before_is_mixed_into_what_comes_after_an_interruption() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        here.other.images[L1F, "/ESH26"] = {"1": 6905.5, "4": 7, "8": 600000, "3": 6905.5}
        await here.other.line.hang_up()
        await trio.sleep(20)
        quote = here.events(Quote)[-1]
        assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (D("6905.5"), D(7), None, D(0))
        assert here.events(Trade) == []

    played(play)


def test_B20_a_streamer_that_stays_away_is_tried_again_and_told_down_once() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        here.other.codes["LOGIN", "ADMIN"] = [20] * 5
        await here.other.line.hang_up()
        with trio.fail_after(100):
            while here.links != [True, False, True]:  # noqa: ASYNC110 - what is heard comes in a plain list
                await trio.sleep(0.1)
        assert len(here.other.connections) == 7

    played(play)


def test_who_comes_after_a_failure_that_nobody_waits_for_any_more_gets_a_new_attempt() -> None:
    async def play(here: Room) -> None:
        here.other.codes["LOGIN", "ADMIN"] = [20, 20]
        with pytest.raises(ConnectionFailed, match="STREAM_CONN_NOT_FOUND"):
            await here.feed.subscribe(ES)
        await trio.sleep(30)
        assert len(here.other.connections) == 2
        await here.feed.subscribe(ES)
        assert here.links[-1] is True

    played(play)


def test_an_answer_to_another_command_is_not_taken_for_ours() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        here.other.mute = {"ADD"}
        strange = {"service": L1F, "command": "ADD", "requestid": "99", "content": {"code": 0, "msg": ""}}
        async with trio.open_nursery() as nursery:

            async def mislead() -> None:
                await trio.sleep(1)
                await here.other.line.say({"response": [strange]})

            nursery.start_soon(mislead)
            with pytest.raises(ConnectionFailed):
                await here.feed.subscribe(NQ)

    played(play)


def test_the_login_frame_is_masked_before_any_token_was_learnt() -> None:
    text = Redactor(RULES).text('{"parameters":{"Authorization":"at_0001xyz","SchwabClientChannel":"N9"}}')
    assert "at_0001xyz" not in text
    assert "N9" in text


def test_F03_a_silent_streamer_is_left_within_a_minute() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        await trio.sleep(SETTINGS.silence - 1)
        assert here.links == [True]
        await trio.sleep(17)
        assert here.links == [True, False, True]
        assert any("said nothing" in getattr(one, "text", "") for one in here.heard)

    played(play)


def test_heartbeats_keep_a_quiet_connection() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        for _ in range(12):
            await trio.sleep(10)
            await here.other.line.say({"notify": [{"heartbeat": "1764599410000"}]})
        assert here.links == [True]
        assert len(here.other.connections) == 1

    played(play)


@pytest.mark.parametrize("where", ["notify", "response"])
def test_a_second_program_is_told_to_people_and_not_fought_over(where: str) -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        said = {"content": {"code": 12, "msg": "CLOSE"}, "service": "ADMIN", "command": "LOGIN", "requestid": "99"}
        await here.other.line.say({where: [said]})
        await here.other.line.hang_up()
        await trio.sleep(SETTINGS.away - 5)
        assert len(here.other.connections) == 1
        assert [type(one) for one in here.told if isinstance(one, Evicted)] == [Evicted]
        with pytest.raises(ConnectionFailed, match="CLOSE_CONNECTION"):
            await here.feed.subscribe(NQ)
        await trio.sleep(30)
        assert len(here.other.connections) == 2
        await here.other.line.say({where: [said]})
        await trio.sleep(2 * SETTINGS.away - 5)
        assert len(here.other.connections) == 2
        await trio.sleep(30)
        assert len(here.other.connections) == 3
        assert here.links == [True, False, True, False, True]

    played(play)


def test_F11_a_denied_login_gets_one_fresh_token_and_comes_again() -> None:
    async def play(here: Room) -> None:
        here.other.codes["LOGIN", "ADMIN"] = [3]
        with pytest.raises(ConnectionFailed, match="LOGIN_DENIED"):
            await here.feed.subscribe(ES)
        await trio.sleep(20)
        await here.feed.subscribe(ES)
        assert here.other.refreshes == 1
        assert (await here.statistics()).generation == 2

    played(play)


def test_F12_an_open_stream_outlives_its_token_and_the_next_connection_reads_the_newest() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        for _ in range(200):
            await trio.sleep(10)
            await here.other.line.say({"notify": [{"heartbeat": "1764599410000"}]})
        assert here.other.refreshes >= 1
        assert len(here.other.connections) == 1
        await here.other.change(L1F, "/ESH26", f1=6901.25)
        await here.other.line.hang_up()
        await trio.sleep(20)
        assert here.events(Quote)[1].bid == D("6901.25")
        assert here.other.commands[-2]["parameters"]["Authorization"] == here.other.access
        assert here.links == [True, False, True]
        assert (await here.statistics()).generation == here.other.count

    played(play)


def test_a_login_that_has_ended_is_told_and_not_hammered() -> None:
    async def play(here: Room) -> None:
        here.other.refresh_status = 400
        await trio.sleep(30)
        with trio.fail_after(60), pytest.raises(CredentialError, match="pitboss login"):
            await here.feed.subscribe(ES)
        await trio.sleep(600)
        assert here.other.refreshes == 1
        assert here.other.connections == []

    played(play, life=1)


@pytest.mark.parametrize("code", [9, 20, 30])
def test_a_code_that_ends_the_stream_brings_a_new_one(code: int) -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        await here.other.line.say({"notify": [{"service": "ADMIN", "content": {"code": code, "msg": ""}}]})
        await trio.sleep(20)
        assert here.links == [True, False, True]

    played(play)


def test_failed_commands_are_said_again_alone_and_other_words_for_success_count() -> None:
    async def play(here: Room) -> None:
        here.other.codes["SUBS", L1F] = [22, 22, 26]
        await streaming(here)
        assert here.other.verbs()[1:] == [f"SUBS {L1F}"] * 3
        assert here.links == [True]

    played(play)


@pytest.mark.parametrize(("number", "code"), [(19, Code.RATE_LIMITED), (11, Code.UNSUPPORTED), (77, Code.UNKNOWN)])
def test_a_refused_symbol_fails_its_subscriber_and_no_other(number: int, code: Code) -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        here.other.codes["ADD", L1F] = [number]
        with pytest.raises(BrokerError, match=f"answered {number}") as caught:
            await here.feed.subscribe(NQ)
        assert caught.value.code is code
        await trio.sleep(5)
        assert here.other.line.keys[L1F] == ["/ESH26"]
        assert here.links == [True]
        await here.feed.subscribe(NQ)
        assert here.other.line.keys[L1F] == ["/ESH26", "/NQH26"]

    played(play)


def test_one_bad_name_costs_no_other_when_all_are_asked_for_again() -> None:
    async def play(here: Room) -> None:
        symbols = ["ESH26", "NQH26", "YMH26", "CLH26", "GCJ26"]
        await streaming(here, *symbols)
        here.other.bad_keys = {"/NQH26"}
        await here.other.line.hang_up()
        await trio.sleep(30)
        assert sorted(here.other.line.keys[L1F]) == ["/CLH26", "/ESH26", "/GCJ26", "/YMH26"]
        assert here.links == [True, False, True]

    played(play)


def test_a_command_without_an_answer_ends_the_connection() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        here.other.mute = {"ADD"}
        with pytest.raises(ConnectionFailed), trio.move_on_after(60):
            await here.feed.subscribe(NQ)
        assert here.links == [True, False]
        await trio.sleep(20)
        assert here.links == [True, False, True]

    played(play)


def test_a_subscriber_that_gives_up_is_not_counted() -> None:
    async def play(here: Room) -> None:
        here.other.mute = {"SUBS"}
        with trio.move_on_after(2):
            await here.feed.subscribe(ES)
        assert here.feed.audience.wanted == ()

    played(play)


def test_quality_of_service_is_asked_for_and_its_refusal_is_fine() -> None:
    async def play(here: Room) -> None:
        here.other.codes["QOS", "ADMIN"] = [21]
        await streaming(here)
        assert here.other.verbs()[:3] == ["LOGIN ADMIN", "QOS ADMIN", f"SUBS {L1F}"]
        assert here.other.commands[1]["parameters"] == {"qoslevel": "0"}
        assert len(here.events(Quote)) == 1

    played(play, attrs.evolve(SETTINGS, qos=Qos.MS_500))


def test_a_continuous_future_views_which_contract_is_active() -> None:
    async def play(here: Room) -> None:
        here.other.images[L1F, "/ES"] = {**IMAGE, "34": "/ESH26"}
        await streaming(here, ES)
        await here.feed.subscribe("ES")
        await trio.sleep(1)
        assert here.other.verbs()[-2:] == [f"ADD {L1F}", f"VIEW {L1F}"]
        assert here.other.line.fields[L1F] == "0,1,2,3,4,5,8,9,10,11,34"
        assert {quote.symbol for quote in here.events(Quote)} == {"ESH26", "ES"}
        await here.other.change(L1F, "/ES", f34="/ESM26")
        await trio.sleep(0.1)
        assert (await here.statistics()).fronts == {"ES": "ESM26"}

    played(play)


def test_finished_minutes_come_once_with_their_close() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        await minutes_too(here)
        candle = {"f1": 1767625200000, "f2": 6858.25, "f3": 6858.75, "f4": 6857.75, "f5": 6858.5, "f6": 897}
        await here.other.change(CHF, "/ESH26", **candle)
        await here.other.change(CHF, "/ESH26", **candle)
        await trio.sleep(0.1)
        (bar,) = here.events(Bar)
        assert (bar.symbol, str(bar.interval), bar.time_ns) == (ES, "1m", 1767625260 * 10**9)
        assert (bar.open, bar.high, bar.low, bar.close) == (D("6858.25"), D("6858.75"), D("6857.75"), D("6858.5"))

    played(play)


def test_bars_of_other_lengths_are_not_streamed() -> None:
    async def play(here: Room) -> None:
        with pytest.raises(Unsupported, match="bars of 1m only"):
            await here.feed.subscribe_bars(ES, Interval.parse("5m"))
        assert here.other.connections == []

    played(play)


def test_account_activity_and_services_of_others_are_passed_over() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        await here.other.change("ACCT_ACTIVITY", "Account Activity", f1="", f2="SUBSCRIBED", f3="")
        await here.other.change("ACCT_ACTIVITY", "Account Activity", f1="12345678", f2="OrderCreated", f3='{"a":1}')
        await here.other.change("NASDAQ_BOOK", "AAPL", f1=1, f2=[])
        await here.other.line.say('{"snapshot":[{}],"more":1}')
        await trio.sleep(1)
        assert here.links == [True]
        assert [one for one in here.told if isinstance(one, Quarantined)] == []

    played(play)


HOSTILE = ["", "{", "[]", '"x"', "[" * 100_000, '{"data":' * 5_000, '{"data":[{"service":1}]}', '{"response":[{}]}']


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_F36_a_hostile_frame_is_kept_out_and_the_stream_goes_on(number: int) -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        await here.other.line.say(HOSTILE[number] or " ")
        await here.other.change(L1F, "/ESH26", f1=6901.5)
        await trio.sleep(0.1)
        assert here.events(Quote)[-1].bid == D("6901.5")
        assert len([one for one in here.told if isinstance(one, Quarantined)]) == 1
        assert here.links == [True]

    played(play)


def test_a_streamer_elsewhere_is_not_connected_to() -> None:
    async def play(here: Room) -> None:
        here.other.url = "wss://streamer.example.com/ws"
        with pytest.raises(ConnectionFailed, match=r"forbidden.*example\.com"):
            await here.feed.subscribe(ES)

    played(play)


def test_a_crash_of_the_actor_costs_no_subscription() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        before = here.feed.streamer
        actor: Any = before.cell()
        actor.actor._waiting = None  # the next message breaks it
        with pytest.raises(ConnectionFailed):
            await here.feed.subscribe(NQ)
        await trio.sleep(20)
        assert here.other.line.keys[L1F] == ["/ESH26"]
        assert here.links == [True, False, True]
        await here.other.change(L1F, "/ESH26", f1=6902)
        await trio.sleep(0.1)
        assert here.events(Quote)[-1].bid == D(6902)

    played(play)


def test_the_token_store_restarts_with_the_streamer_behind_it() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        store: Any = here.runtime.name(LOGIN.store_key, TokenStore).cell()
        store.actor._state = None
        here.runtime.name(LOGIN.store_key, TokenStore).cast(TokenStore.poll)
        await trio.sleep(20)
        assert len(here.other.connections) == 2
        assert here.other.line.keys[L1F] == ["/ESH26"]
        assert here.links == [True, False, True]

    played(play)


def test_too_many_symbols_are_refused_before_the_broker_does() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        for number in range(499):
            here.feed.audience.want((f"X{number}", Flow.PRICES))
        with pytest.raises(RateLimited, match="all that one login may"):
            await here.feed.subscribe(NQ)
        for number in range(499):
            here.feed.audience.drop((f"X{number}", Flow.PRICES))

    played(play)


def test_no_secret_is_in_anything_that_is_recorded_or_told() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        await trio.sleep(2000)
        here.other.codes["LOGIN", "ADMIN"] = [3]
        await here.other.line.hang_up()
        await trio.sleep(60)
        shown = repr(here.audit) + repr(here.told) + repr(here.heard) + repr(await here.statistics())
        assert "Authorization" in shown
        for secret in ("Canary", SECRET):
            assert secret not in shown

    played(play)


def test_orders_are_unsupported_whoever_asks() -> None:
    async def play(here: Room) -> None:
        broker = here.broker
        assert broker.orders is None
        assert broker.capability.orders is None
        for ask in (broker.account_manager, broker.account_books):
            with pytest.raises(Unsupported, match="gives market data and takes no orders"):
                ask("12345678")
        with pytest.raises(Unsupported):
            await broker.cancel("12345678", "key", None)

    played(play)


def test_an_unknown_symbol_is_refused_without_a_connection() -> None:
    async def play(here: Room) -> None:
        with pytest.raises(BrokerError, match="symbol_not_found"):
            await here.feed.subscribe("BTC-USD")
        assert here.other.connections == []

    played(play)


def test_statistics_name_the_link_and_its_cause() -> None:
    async def play(here: Room) -> None:
        await streaming(here)
        found = await here.feed.streamer.call(StreamerActor.statistics)
        assert (found.up, found.why, found.symbols, found.connections) == (True, "", 1, 1)
        assert found.board.events == 1

    played(play)


def test_a_token_that_cannot_be_had_fails_the_question_too() -> None:
    async def play(here: Room) -> None:
        here.other.refresh_status = 400
        await trio.sleep(5)
        with trio.fail_after(60), pytest.raises(CredentialError):
            await here.feed.instruments()

    played(play, life=1)
