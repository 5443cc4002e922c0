"""Benchmarks whose figures are bars: each measures its floor in the same run and says what it got."""
