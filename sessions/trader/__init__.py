"""The trader: one session's strategy between the market, risk and the account."""
