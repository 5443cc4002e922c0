"""Outcomes as a run would have them, made without one."""

from decimal import Decimal

import attrs

from sessions.control.rehearsal.checker import Violation
from sessions.control.rehearsal.chronicle import Money, Price, Story, Trade
from sessions.control.rehearsal.lives import Ended
from sessions.control.rehearsal.run import Outcome
from sessions.control.rehearsal.storm import Schedule, Strike

SCHEDULE = Schedule((Strike(5_000, "kill", "F28", "", "1"), Strike(9_000, "delay", "F06", "tradovate", "=3", 4_000)))
STORY = Story(
    orders=(31.0, 40.5),
    trades=(
        Trade(31.2, "tradovate", "ESH26", Decimal(1), Decimal("6700.25")),
        Trade(41.0, "tradovate", "ESH26", Decimal(-1), Decimal("6701.50")),
    ),
    money=(Money(15.0, "tradovate", "USD", Decimal(0)), Money(41.0, "tradovate", "USD", Decimal("58.32"))),
    prices=(Price(15.0, "tradovate", "ESH26", Decimal("6700.125")), Price(41.0, "tradovate", "ESH26", Decimal(6701))),
)
SOUND = Outcome(
    seed=7,
    trace_hash="5c52df99f3dcb031",
    simulated_s=90.0,
    wall_s=0.5,
    events=1_234,
    orders=2,
    fills=2,
    faults={"F28": 1, "F06": 1},
    cells={("F28", "none"): 1, ("F06", "working"): 1},
    restarts=(Ended(35.0, None, "cut off"),),
    converged_s=1.5,
    violations=(),
    story=STORY,
)
BROKEN = attrs.evolve(
    SOUND,
    seed=8,
    violations=(Violation("I01", 41.0, "order <b>7f</b> is at the broker twice, & that is one too many"),),
)
EMPTY = Outcome(
    seed=9, trace_hash="00", simulated_s=0.0, wall_s=0.0, events=0, orders=0, fills=0, faults={}, restarts=(),
    converged_s=float("inf"), violations=(), error="ValueError: it broke down at once",
)  # fmt: skip
