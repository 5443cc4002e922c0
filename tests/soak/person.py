"""The person at the daemon of a soak: starts what failed, lifts halts, answers for orders in doubt."""

import contextlib
from collections.abc import Mapping
from typing import Any, Final

import attrs
import trio

from brokers.reconciliation.resolve import Absent
from sessions.control.api.client import NoAnswer, NoDaemon, Refusal
from sessions.control.demo.stage import Stage
from sessions.control.rehearsal.storm.screen import on_screen
from tests.soak.ground import Ground

LOOK_SECONDS: Final = 20.0
PATIENCE_SECONDS: Final = 120.0  # for an order in doubt: the daemon proves most of them by itself
NAME: Final = "soak"
Record = Mapping[str, Any]


@attrs.define(eq=False)
class Person:
    """What it did; a daemon that is down, or says no, is left alone till the next look."""

    ground: Ground
    started: int = 0
    lifted: int = 0
    answered: int = 0
    refusals: list[str] = attrs.field(factory=list)
    in_doubt: dict[str, float] = attrs.field(factory=dict)  # since when it has been seen so, by key

    @property
    def stage(self) -> Stage:
        """Where the daemon is."""
        return self.ground.stage

    async def ask(self, what: str) -> Any:
        """What the daemon tells, None when it does not answer."""
        return await self._call(lambda client: client.get(what))

    async def tell(self, command: str, **fields: object) -> Any:
        """What a command came to, None when nobody answered or the answer was no."""
        try:
            return await self._call(lambda client: client.post(command, **fields))
        except Refusal as refusal:
            self.refusals.append(f"{command}: {refusal}")
            return None

    async def _call(self, work: Any) -> Any:
        with contextlib.suppress(NoDaemon, NoAnswer):
            return await trio.to_thread.run_sync(work, self.stage.client)
        return None

    async def restart(self, session: str) -> None:
        """Has a session begin anew."""
        await self.tell("restart", session=session)

    async def tend(self) -> None:
        """Looks after the daemon until cancelled."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            status = await self.ask("status")
            if status is not None:
                await self._put_right(status)

    async def _put_right(self, status: Record) -> None:
        if status["halted"]:
            self.lifted += 1
            await self.tell("resume", by=NAME)
        for row in status["sessions"]:
            if row["condition"] == "failed":
                self.started += 1
                await self.tell("start", session=row["session"])
        rows = await self.ask("orders") or ()
        doubted = {row["report"]["order"]["key"]: row for row in rows if row["report"]["state"] == "unknown"}
        now = trio.current_time()
        self.in_doubt = {key: self.in_doubt.get(key, now) for key in doubted}
        for key, since in self.in_doubt.items():
            broker = doubted[key]["broker"]
            if now - since >= PATIENCE_SECONDS and broker in self.ground.emulators:
                await self._answer_for(broker, doubted[key]["report"])

    async def _answer_for(self, broker: str, report: Record) -> None:
        """Says what the broker's own screen shows of an order."""
        key = report["order"]["key"]
        found = on_screen(self.ground.emulators[broker], key)
        said: dict[str, object] = {"by": NAME, "broker": broker, "account": report["account"], "key": key}
        if not isinstance(found, Absent):
            said |= {"state": found.state.value, "broker_order_id": found.broker_order_id}
            said |= {"filled": str(found.filled)}
            said |= {} if found.average_price is None else {"average_price": str(found.average_price)}
        self.answered += await self.tell("resolve", **said) is not None
