"""The effective deadline of a task, read in a loop instead of trio's recursion of properties.

That recursion is a fifth of the price of a call. The three private names are checked once; where a trio
has others, its public function serves.
"""

import math
from typing import Any

import trio
from trio.lowlevel import Task


def _private_deadline(task: Task) -> float:
    status: Any = task._cancel_status  # noqa: SLF001 - see the module's docstring
    least: float = math.inf
    while status is not None:
        scope = status._scope  # noqa: SLF001
        if scope._deadline < least:  # noqa: SLF001, PLR1730 - min() costs as much as the rest of the loop
            least = scope._deadline  # noqa: SLF001
        if scope._shield:  # noqa: SLF001
            break
        status = status._parent  # noqa: SLF001
    return least


def _public_deadline(_: Task) -> float:
    return trio.current_effective_deadline()


def _names_are_there() -> bool:
    scope = trio.CancelScope()
    return hasattr(Task, "_cancel_status") and hasattr(scope, "_deadline") and hasattr(scope, "_shield")


# The deadline of the current task's innermost scopes; a cancelled task learns of that when it waits.
deadline_of = _private_deadline if _names_are_there() else _public_deadline
