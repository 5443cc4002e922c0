"""Registry semantics; the numbers are those of the scenario table."""

from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from runtime import Actor, Child, Failed, Reason, Ref, Runtime, Supervisor
from runtime.errors import ActorError, InvalidSpec, NameTaken, NoSuchActor, NotTheOwner
from runtime.registry import Entry, Keys, Registered, Registry, Unregistered


class Owner(Actor):
    def crash(self) -> None:
        raise ValueError("boom")

    def hello(self) -> str:
        return self.path


async def owner(rt: Runtime, name: str = "owner") -> Ref[Owner]:
    return await rt.start(Child(name, Owner))


async def test_1_2_26_a_unique_key_has_one_owner_and_a_refusal_leaves_no_trace(
    rt: Runtime, autojump_clock: Any
) -> None:
    first, second = await owner(rt, "a"), await owner(rt, "b")
    rt.registry.register("key", first, "value")
    for who in (first, second):
        with pytest.raises(NameTaken) as caught:
            rt.registry.register("key", who, "other")
        assert caught.value.owner is first
    assert rt.registry.lookup("key") == [(first, "value")]
    assert rt.registry.keys(first) == ["key"]
    assert rt.registry.keys(second) == []


async def test_3_lookup_lists_owner_and_value_or_nothing(rt: Runtime, autojump_clock: Any) -> None:
    first = await owner(rt)
    assert rt.registry.lookup("key") == []
    assert rt.registry.whereis("key") is None
    rt.registry.register("key", first, 7)
    assert rt.registry.lookup("key") == [(first, 7)]
    assert rt.registry.whereis("key") is first


async def test_4_keys_are_compared_strictly(rt: Runtime, autojump_clock: Any) -> None:
    first = await owner(rt)
    keys = [1, 1.0, True, (1,), (1.0,), "1"]
    for key in keys:
        rt.registry.register(key, first, repr(key))
    assert [rt.registry.lookup(key)[0][1] for key in keys] == [repr(key) for key in keys]
    assert rt.registry.count() == len(keys)


async def test_5_only_the_owner_updates_a_value(rt: Runtime, autojump_clock: Any) -> None:
    first, second = await owner(rt, "a"), await owner(rt, "b")
    rt.registry.register("key", first, 1)
    assert rt.registry.update_value("key", first, lambda old: old + 1) == (2, 1)
    called: list[Any] = []
    for key, who in (("key", second), ("missing", first)):
        with pytest.raises(NotTheOwner):
            rt.registry.update_value(key, who, called.append)
    assert called == []
    assert rt.registry.lookup("key") == [(first, 2)]


async def test_6_unregister_by_another_or_of_nothing_does_nothing(rt: Runtime, autojump_clock: Any) -> None:
    first, second = await owner(rt, "a"), await owner(rt, "b")
    rt.registry.register("key", first)
    rt.registry.unregister("key", second)
    rt.registry.unregister("missing", first)
    assert rt.registry.whereis("key") is first
    rt.registry.unregister("key", first)
    assert rt.registry.whereis("key") is None
    assert rt.registry.keys(first) == []


async def test_7_8_9_an_ended_owner_has_no_keys_at_once_and_never_disturbs_the_next(
    rt: Runtime, autojump_clock: Any
) -> None:
    first, second = await owner(rt, "a"), await owner(rt, "b")
    rt.registry.register("key", first)
    seen: list[Any] = []

    def take_over(_: Reason) -> None:
        seen.append((rt.registry.lookup("key"), rt.registry.count()))
        rt.registry.register("key", second)

    first.cell().on_end(take_over)
    await first.stop()
    assert seen == [([], 0)]
    await wait_all_tasks_blocked()
    assert rt.registry.whereis("key") is second
    with pytest.raises(ActorError, match="has ended and can not own 'other'"):
        rt.registry.register("other", first)


async def test_11_a_name_may_carry_a_value(rt: Runtime, autojump_clock: Any) -> None:
    first = await owner(rt)
    rt.registry.register("key", first, {"role": "leader"})
    assert rt.registry.lookup("key") == [(first, {"role": "leader"})]
    assert await rt.name("key", Owner).call(Owner.hello) == "/owner"


async def test_12_calls_to_an_unregistered_name_fail_at_once(rt: Runtime, autojump_clock: Any) -> None:
    with pytest.raises(NoSuchActor) as caught:
        await rt.name("key", Owner).call(Owner.hello)
    assert caught.value.name == "key"


async def test_14_15_a_restarted_child_takes_its_name_again_and_a_stopped_tree_frees_it(
    rt: Runtime, autojump_clock: Any
) -> None:
    top = await rt.start(Supervisor([Child("owner", Owner, name="key")]))
    for _ in range(3):
        instance = await rt.registry.wait_for("key")
        instance.cast(Owner.crash)
        assert isinstance(await instance.ended(), Failed)
        again = await rt.registry.wait_for("key")
        assert again is not instance
    await top.stop()
    assert rt.registry.whereis("key") is None


async def test_16_17_18_duplicate_keys(rt: Runtime, autojump_clock: Any) -> None:
    registry = Registry(Keys.DUPLICATE)
    first, second = await owner(rt, "a"), await owner(rt, "b")
    for who, value in ((first, 1), (first, 2), (second, 3), (first, 4)):
        registry.register("key", who, value)
    assert registry.keys(first) == ["key", "key", "key"]
    assert registry.count() == 4
    registry.unregister_match("key", first, lambda value: value % 2 == 0)
    assert registry.lookup("key") == [(first, 1), (second, 3)]
    registry.unregister("key", first)
    assert registry.lookup("key") == [(second, 3)]
    await second.stop()
    assert registry.count() == 0


async def test_19_dispatch_runs_once_with_all_entries_and_its_error_reaches_the_caller(
    rt: Runtime, autojump_clock: Any
) -> None:
    registry = Registry(Keys.DUPLICATE)
    first = await owner(rt)
    seen: list[Any] = []
    registry.dispatch("key", seen.append)
    assert seen == []
    registry.register("key", first, 1)
    registry.register("key", first, 2)
    registry.dispatch("key", seen.append)
    assert seen == [[(first, 1), (first, 2)]]

    def fail(_: Any) -> None:
        raise ValueError("in the caller")

    with pytest.raises(ValueError, match="in the caller"):
        registry.dispatch("key", fail)


async def test_20_values_of_duplicate_keys_are_not_updated_in_place(rt: Runtime, autojump_clock: Any) -> None:
    registry = Registry(Keys.DUPLICATE)
    first = await owner(rt)
    registry.register("key", first, 1)
    with pytest.raises(ActorError, match="unique keys"):
        registry.update_value("key", first, lambda old: old)


def test_21_metadata() -> None:
    registry = Registry(metadata={"given": 1})
    assert registry.get_meta("given") == 1
    registry.put_meta("put", 2)
    assert registry.get_meta("put") == 2
    registry.delete_meta("put")
    registry.delete_meta("put")
    with pytest.raises(KeyError):
        registry.get_meta("put")


async def test_22_listeners_hear_of_registration_release_and_crash(rt: Runtime, autojump_clock: Any) -> None:
    heard: list[Any] = []
    leave = rt.registry.listen(heard.append)
    first = await owner(rt)
    rt.registry.register("a", first, 1)
    rt.registry.register("b", first)
    rt.registry.unregister("a", first)
    first.cast(Owner.crash)
    reason = await first.ended()
    assert heard == [
        Registered("a", first, 1),
        Registered("b", first, None),
        Unregistered("a", first, None),
        Unregistered("b", first, reason),
    ]
    leave()
    second = await owner(rt, "second")
    rt.registry.register("a", second)
    assert len(heard) == 4


async def test_24_select_and_iteration(rt: Runtime, autojump_clock: Any) -> None:
    first = await owner(rt)
    for key in range(5):
        rt.registry.register(key, first, key * 10)

    def high(entry: Entry) -> bool:
        return bool(entry.value >= 30)

    assert [entry.key for entry in rt.registry.select(high)] == [3, 4]
    assert [entry.key for entry in rt.registry] == [0, 1, 2, 3, 4]


async def test_25_one_holder_at_a_time_per_key_in_order_and_dead_waiters_are_skipped(autojump_clock: Any) -> None:
    registry = Registry()
    order: list[Any] = []

    async def holder(name: str, patience: float) -> None:
        with trio.move_on_after(patience):
            async with registry.lock("key"):
                order.append((name, trio.current_time()))
                await trio.sleep(2)
                if name == "raises":
                    raise ValueError

    async def raiser() -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - raised by the holder itself
            await holder("raises", 100)

    async with trio.open_nursery() as nursery:
        for start in (
            lambda: holder("first", 100),
            raiser,
            lambda: holder("impatient", 1),
            lambda: holder("last", 100),
        ):
            nursery.start_soon(start)
            await wait_all_tasks_blocked()
    assert order == [("first", 0), ("raises", 2), ("last", 4)]
    async with registry.lock("key"):
        pass


def test_27_wrong_options_are_refused() -> None:
    with pytest.raises(InvalidSpec, match=r"Registry.keys: expected Keys.UNIQUE or Keys.DUPLICATE, got 'unique'"):
        Registry("unique")  # type: ignore[arg-type]
    with pytest.raises(InvalidSpec, match="a hashable value"):
        Registry().lookup([])


async def test_wait_for_gives_the_owner_now_or_later_and_is_bounded_by_the_caller(
    rt: Runtime, autojump_clock: Any
) -> None:
    first = await owner(rt)
    found: list[Any] = []

    async def waiter() -> None:
        found.append(await rt.registry.wait_for("key"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiter)
        nursery.start_soon(waiter)
        await wait_all_tasks_blocked()
        assert rt.registry.statistics().waiting == 2
        rt.registry.register("key", first)
    assert found == [first, first]
    assert await rt.registry.wait_for("key") is first
    with trio.move_on_after(1) as scope:
        await rt.registry.wait_for("never")
    assert scope.cancelled_caught
    assert rt.registry.statistics().waiting == 0
