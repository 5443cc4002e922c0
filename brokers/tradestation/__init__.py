"""The TradeStation room."""
