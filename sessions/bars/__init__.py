"""Bars: built from ticks, joined to history, carried over contract rolls."""

from sessions.bars.builder import BarBuilder, BuilderStatistics
from sessions.bars.join import JoinedBars, JoinStatistics, Span
from sessions.bars.rolling import RollPlan, due_roll, plan_roll

__all__ = [
    "BarBuilder",
    "BuilderStatistics",
    "JoinStatistics",
    "JoinedBars",
    "RollPlan",
    "Span",
    "due_roll",
    "plan_roll",
]
