"""The risk desk: the daemon's one actor for the kill switch, the sessions' rungs, and the turn of the trading day.

Nothing waits for it: traders ask the gate, which is a plain object, and the switch stops them in memory. The desk
brings the switch to the disk, notices a halt file, begins days, and publishes what has changed under `RISK_TOPIC`.
"""

import attrs
import trio

from brokers.guards.ladder import Cause, Cleared, Raised, Reconciled, Rung
from runtime import Actor, message
from runtime.calls import Reply
from sessions.risk.events import DayBegan, LossLifted
from sessions.risk.gate import RiskGate
from sessions.risk.kill_switch import KillSwitch, Mark, Mode, ResumeRefused

RISK_TOPIC = "risk"
POLL_SECONDS = 0.25  # the gate itself looks before an order when nobody has for 0.1 s


@attrs.frozen
class SwitchStatus:
    """Whether the switch is pulled, whether a restart would stop as well, and what the disk would not take."""

    mark: Mark | None
    survives: bool
    problem: str = ""


@attrs.frozen
class SessionStatus:
    """Where a session stands, and why."""

    session: str
    rung: Rung
    causes: tuple[str, ...]


@attrs.frozen
class RiskStatus:
    """All that an operator asks first."""

    switch: SwitchStatus
    sessions: tuple[SessionStatus, ...]
    problems: tuple[str, ...]


class RiskDesk(Actor):
    """One for the daemon; the gate and the switch are made outside and outlive it.

    Publishes SwitchStatus and SessionStatus when they change, and DayBegan and LossLifted for the journal.
    """

    expects = (ResumeRefused, LookupError)

    def __init__(self, gate: RiskGate, switch: KillSwitch, *, poll_seconds: float = POLL_SECONDS) -> None:
        self.gate = gate
        self.switch = switch
        self.poll_seconds = poll_seconds
        self._disk_turn = trio.Lock()
        self._told_switch = SwitchStatus(None, survives=True)
        self._told: dict[str, SessionStatus] = {}

    async def on_start(self) -> None:
        """Takes up the switch as the disk has it."""
        self.switch.open()
        self.every(self.poll_seconds, RiskDesk.poll)
        self.poll()

    # Operator.

    @message(control=True)
    def halt(self, by: str, reason: str = "") -> RiskStatus:
        """Stops everything but an operator's cancels and reductions; answers once the disk has been tried."""
        return self._pull(Mode.HALT, by, reason, flatten=False)

    @message(control=True)
    def cancel_only(self, by: str, reason: str = "") -> RiskStatus:
        """Lets strategies only cancel; answers once the disk has been tried."""
        return self._pull(Mode.CANCEL_ONLY, by, reason, flatten=False)

    @message(control=True)
    def flatten(self, by: str, reason: str = "") -> RiskStatus:
        """Lets strategies only cancel and asks every session to close its positions."""
        return self._pull(Mode.CANCEL_ONLY, by, reason, flatten=True)

    @message(control=True)
    def resume(self, by: str) -> RiskStatus:
        """Lifts the switch in somebody's name; raises ResumeRefused. Each session trades once it has reconciled."""
        reply = self.defer()
        self.spawn(self._resume, by, reply)
        later: RiskStatus = reply.later
        return later

    def _pull(self, mode: Mode, by: str, reason: str, *, flatten: bool) -> RiskStatus:
        self.switch.pull(mode, by, reason, flatten=flatten)
        self._announce()
        reply = self.defer()
        self.spawn(self._store, reply)
        later: RiskStatus = reply.later
        return later

    async def _store(self, reply: Reply | None) -> None:
        """Tries the disk; what fails is tried again with the next poll."""
        async with self._disk_turn:
            await self.world.threads.run(self.switch.keep)
        self._announce()
        if reply is not None:
            reply.send(self.status())

    async def _resume(self, by: str, reply: Reply) -> None:
        async with self._disk_turn:
            try:
                lifted = await self.world.threads.run(lambda: self.switch.permit(by))
            except ResumeRefused as refused:
                reply.fail(refused)
                return
            self._ground_all()
            self.switch.release(lifted)
        self._announce()
        reply.send(self.status())

    def _ground_all(self) -> None:
        """Leaves every session halted until its books are known to agree."""
        now_ns = self.world.clock.wall_ns()
        for session in self.gate.sessions():
            self.gate.tell(session, Raised(Cause.KILL_SWITCH), now_ns)
            self.gate.tell(session, Cleared(Cause.KILL_SWITCH), now_ns)

    @message(control=True)
    def lift_loss(self, session: str | None, by: str) -> LossLifted:
        """Lets a scope take new risk after its daily loss; raises LookupError."""
        event = self.gate.lift_loss(session, by, self.world.clock.wall_ns())
        self.runtime.topics.publish(RISK_TOPIC, event)
        self._announce()
        return event

    # Sessions.

    @message(control=True)
    def raised(self, session: str, cause: Cause, about: str = "") -> Rung:
        """Takes a session down for a cause; raises LookupError."""
        return self._tell(session, Raised(cause, about))

    @message(control=True)
    def cleared(self, session: str, cause: Cause, about: str = "") -> Rung:
        """Takes a cause away, which lifts nobody before a reconciliation; raises LookupError."""
        return self._tell(session, Cleared(cause, about))

    @message(control=True)
    def reconciled(self, session: str, began_ns: int) -> Rung:
        """Lifts a session as far as its causes let it; raises LookupError."""
        return self._tell(session, Reconciled(began_ns))

    def _tell(self, session: str, news: Raised | Cleared | Reconciled) -> Rung:
        self.gate.tell(session, news, self.world.clock.wall_ns())
        self._announce()
        return self.gate.rung(session)

    def status(self) -> RiskStatus:
        """How everything stands."""
        return RiskStatus(self._switch_status(), tuple(self._statuses()), tuple(self.gate.problems))

    # The poll.

    def poll(self) -> None:
        """Looks for a halt file, tries the disk again where it owes, begins the days that are due."""
        self.switch.look()
        if not self.switch.kept and not self._disk_turn.locked():
            self.spawn(self._store, None)
        for began in self.gate.begin_days(self.world.clock.wall_ns()):
            self._publish(began)
        self._announce()

    def _announce(self) -> None:
        switch = self._switch_status()
        if switch != self._told_switch:
            self._told_switch = switch
            self._publish(switch)
        for status in self._statuses():
            if self._told.get(status.session) != status:
                self._told[status.session] = status
                self._publish(status)

    def _publish(self, news: SwitchStatus | SessionStatus | DayBegan) -> None:
        self.runtime.topics.publish(RISK_TOPIC, news)

    def _switch_status(self) -> SwitchStatus:
        return SwitchStatus(self.switch.mark, self.switch.survives, self.switch.problem)

    def _statuses(self) -> list[SessionStatus]:
        return [
            SessionStatus(session, self.gate.rung(session), _causes(self.gate, session))
            for session in self.gate.sessions()
        ]


def _causes(gate: RiskGate, session: str) -> tuple[str, ...]:
    causes = gate.ladder(session).causes
    return tuple(sorted(f"{cause.value} ({about})" if about else cause.value for cause, about in causes))
