"""Worked examples, to be copied and changed: a trend, a breakout and a market maker."""
