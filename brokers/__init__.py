"""Brokers: the trading vocabulary, the facade, what all brokers share, and one room for each of them."""
