"""Every command that speaks with a daemon or works beside one, for the group to add."""

from typing import Final

import click

from sessions.control.commands.books import bars, equity, fills, orders, positions
from sessions.control.commands.configuring import config, init
from sessions.control.commands.keeping import audit, backup, restore
from sessions.control.commands.listing import brokers, symbols
from sessions.control.commands.past import crashes, events, logs
from sessions.control.commands.running import move, reload, restart, shutdown, start, stop
from sessions.control.commands.safety import arm, disarm, halt, resume
from sessions.control.commands.trading import cancel, flatten, modify, resolve, submit
from sessions.control.commands.watching import doctor, sessions, status, top, tree

COMMANDS: Final[tuple[click.Command, ...]] = (
    *(status, tree, top, sessions, doctor),
    *(start, stop, restart, reload, move, shutdown),
    *(orders, positions, fills, equity, bars),
    *(events, logs, crashes),
    *(submit, cancel, modify, flatten, resolve),
    *(halt, resume, arm, disarm),
    *(brokers, symbols, config, init),
    *(audit, backup, restore),
)
