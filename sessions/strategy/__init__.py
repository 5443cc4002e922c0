"""Strategies: what they are told, what they see, what they may decide, and how they are loaded and held to it.

A strategy needs no other import than this one and the vocabulary in `brokers`.
"""

from sessions.strategy.checking import Answer, consult, wants_of
from sessions.strategy.decisions import (
    Cancel,
    CancelAll,
    Decision,
    Decisions,
    Flatten,
    Keep,
    Modify,
    Submit,
    buy,
    keyed,
    modify,
    sell,
)
from sessions.strategy.errors import (
    BadDecision,
    BadStrategy,
    LoadError,
    ParameterError,
    StateMismatch,
    StrategyError,
    StrategyFailed,
    StrategyInsists,
    StrategyTooSlow,
)
from sessions.strategy.events import (
    Denied,
    Event,
    Filled,
    OrderUpdate,
    ParametersChanged,
    Rolled,
    SessionClosed,
    SessionOpened,
    Started,
    TimerDue,
)
from sessions.strategy.loading import Loaded, load_strategy
from sessions.strategy.pace import Pace, PaceRule, paced
from sessions.strategy.parameters import changed_keys, from_table, from_words
from sessions.strategy.state import encode_state, restore_state
from sessions.strategy.strategy import NoState, Strategy
from sessions.strategy.view import Picture, UnknownSymbol, View
from sessions.strategy.wants import AfterOpen, BeforeClose, Every, Hours, Series, Timer, Wants, hours_at, next_due

__all__ = [
    "AfterOpen",
    "Answer",
    "BadDecision",
    "BadStrategy",
    "BeforeClose",
    "Cancel",
    "CancelAll",
    "Decision",
    "Decisions",
    "Denied",
    "Event",
    "Every",
    "Filled",
    "Flatten",
    "Hours",
    "Keep",
    "LoadError",
    "Loaded",
    "Modify",
    "NoState",
    "OrderUpdate",
    "Pace",
    "PaceRule",
    "ParameterError",
    "ParametersChanged",
    "Picture",
    "Rolled",
    "Series",
    "SessionClosed",
    "SessionOpened",
    "Started",
    "StateMismatch",
    "Strategy",
    "StrategyError",
    "StrategyFailed",
    "StrategyInsists",
    "StrategyTooSlow",
    "Submit",
    "Timer",
    "TimerDue",
    "UnknownSymbol",
    "View",
    "Wants",
    "buy",
    "changed_keys",
    "consult",
    "encode_state",
    "from_table",
    "from_words",
    "hours_at",
    "keyed",
    "load_strategy",
    "modify",
    "next_due",
    "paced",
    "restore_state",
    "sell",
    "wants_of",
]
