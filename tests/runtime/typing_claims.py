"""What type checkers must infer of calls, casts and starts; mypy and pyright read this file, nothing runs it."""

from typing import assert_type

from runtime import Actor, Child, Name, Ref, Runtime, Supervisor, SupervisorRef


class Quotes(Actor):
    async def latest(self, symbol: str) -> float:
        return float(len(symbol))

    def count(self, *, since: int = 0) -> int:
        return since

    async def forget(self) -> None: ...


class Other(Actor):
    def hello(self) -> str:
        return "hello"


async def calls_and_casts_are_typed(ref: Ref[Quotes], name: Name[Quotes], runtime: Runtime) -> None:
    assert_type(await ref.call(Quotes.latest, "ES"), float)
    assert_type(await ref.call(Quotes.count, since=3), int)
    assert_type(await name.call(Quotes.latest, symbol="ES"), float)
    assert_type(ref.cast(Quotes.latest, "ES"), None)
    assert_type(runtime.name("quotes", Quotes), Name[Quotes])
    assert_type(await runtime.start(Child("quotes", Quotes)), Ref[Quotes])
    assert_type(await runtime.start(Supervisor([Child("quotes", Quotes)])), SupervisorRef)


async def mistakes_are_found(ref: Ref[Quotes], name: Name[Quotes]) -> None:
    await ref.call(Quotes.latest, 7)  # type: ignore[call-overload]
    await ref.call(Quotes.latest)  # type: ignore[call-overload]
    await ref.call(Other.hello)  # type: ignore[call-overload]
    ref.cast(Quotes.count, until=3)  # type: ignore[call-arg]
    name.cast(Other.hello)  # type: ignore[arg-type]
