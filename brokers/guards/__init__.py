"""All that stands between the adapters and their brokers, in one place.

`Guard` is what adapters use: one a connection, on a `Host` that all connections to the same host share. It asks
the breaker, waits for room in limits, pools and pauses, makes the attempt, learns from its answer and repeats it
where that is safe. Beside it stand what is remembered over a
restart, the health of a connection, the turns of reconnecting streams, the degradation ladder, the de-duplication of
alerts and the watch over the event loop.
"""
